import inspect
from importlib import import_module

import pytest

from ckptinspect.cli.main import VERBS
from ckptinspect.cli.options import spelled_out
from tests.e2e.command import ROOT, ckptinspect


def test_the_help_names_every_verb_and_every_exit_code() -> None:
    out = ckptinspect("--help").out

    for verb in VERBS:
        assert f"\n  {verb.name} " in out
    for code in ("0 fine", "1 the answer is no", "2 usage", "3 source", "4 format", "5 partial", "69", "70", "130"):
        assert code in " ".join(out.split())


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_the_help_of_a_verb_covers_every_option_and_gives_examples(verb: str) -> None:
    out = ckptinspect(verb, "--help").out
    run = import_module(f"ckptinspect.cli.{verb}").run
    options = {"form": "--format", "no_color": "--no-color"}

    assert "Example" in out
    for name in inspect.signature(spelled_out(run)).parameters:
        assert options.get(name, f"--{name}") in out or name == "ref"
    assert inspect.getdoc(run)


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_the_readme_tells_of_every_verb(verb: str) -> None:
    assert f"`{verb}" in (ROOT / "README.md").read_text()


def test_the_help_fits_80_columns() -> None:
    for verb in VERBS:
        assert max(len(line) for line in ckptinspect(verb.name, "--help", columns=80).out.splitlines()) <= 80
