import re

import pytest

from ckptinspect.cli.main import VERBS
from tests.e2e.command import ckptinspect


def parts(verb: str) -> dict[str, str]:
    """What the help of a verb says, by its headings."""
    pieces = re.split(
        r"^  ?(?=Examples:)|^(?=\S.*:$)", ckptinspect(verb, "--help", columns=100).out, flags=re.MULTILINE
    )
    return {heading.partition(":")[0]: heading for heading in pieces}


def test_a_verbs_own_options_come_before_those_that_all_have() -> None:
    found = parts("audit")

    assert list(found)[1:] == ["Arguments", "Options", "Many checkpoints", "Common options", "Examples"]
    assert "--select" in found["Options"]
    assert "--format" not in found["Options"]
    assert "--org" in found["Many checkpoints"]
    assert "-h, --help" in found["Common options"]


@pytest.mark.parametrize(
    ("verb", "usage"),
    [
        ("show", "[OPTIONS] REF"),
        ("diff", "[OPTIONS] OLD NEW"),
        ("audit", "[OPTIONS] [REF…]"),
        ("rule", "[OPTIONS] [CODE]"),
    ],
)
def test_the_usage_names_what_a_verb_takes(verb: str, usage: str) -> None:
    assert ckptinspect(verb, "--help").out.splitlines()[0] == f"Usage: ckptinspect {verb} {usage}"


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_help_shows_no_types_of_the_program(verb: str) -> None:
    out = ckptinspect(verb, "--help").out

    assert not re.search(r"<|\[x>=0\]|list\[", out)


def test_a_verb_without_options_of_its_own_shows_the_common_ones_alone() -> None:
    assert list(parts("dtypes"))[1:] == ["Common options", "Examples"]
