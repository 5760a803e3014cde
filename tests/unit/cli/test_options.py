"""The recipe for a verb: what it states, what its value of options stands for, and no detour through validation."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Annotated

import pytest
import typer

from ckptinspect.cli.lane import LeanCommand, OneTooManyError
from ckptinspect.cli.options import LimitOpt, RefArg, spelled_out
from ckptinspect.cli.output import Writer
from ckptinspect.cli.reading import Reader
from tests.e2e.command import ROOT

OldArg = Annotated[str, typer.Argument(metavar="OLD", help="What was.")]
NewArg = Annotated[str, typer.Argument(metavar="NEW", help="What is.")]
RefsArg = Annotated[list[str], typer.Argument(metavar="REF...", help="Any number.")]
seen: list[object] = []


def one(ref: RefArg, reader: Reader, limit: LimitOpt = None) -> int:
    """A verb of one REF."""
    seen[:] = [ref, reader, limit]
    return 5


def two(old: OldArg, new: NewArg, reader: Reader) -> int:
    """A verb of two."""
    seen[:] = [old, new, reader]
    return 0


def many(refs: RefsArg, reader: Reader) -> int:
    """A verb of any number."""
    seen[:] = [refs, reader]
    return 0


def none(writer: Writer, output: Annotated[str, typer.Option("--output", help="Its own.")] = "x") -> int:
    """A verb of none, with an option of its own in the place of a shared one."""
    seen[:] = [writer, output]
    return 0


def called(verb: Callable[..., int], *arguments: str) -> object:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(verb.__name__, cls=LeanCommand, context_settings={"allow_extra_args": True})(spelled_out(verb))
    return typer.main.get_command(app).main(list(arguments), standalone_mode=False)


def test_a_verb_gets_what_it_states_and_a_value_of_the_rest() -> None:
    assert called(one, "a", "-f", "json", "--limit", "3", "--offline", "-q") == 5
    assert seen == ["a", Reader(form="json", quiet=True, offline=True), 3]

    called(one, "a")
    assert seen == ["a", Reader(), None]


def test_verbs_take_one_two_any_number_or_none() -> None:
    called(two, "a", "b", "-v")
    assert seen == ["a", "b", Reader(verbose=True)]

    called(many, "a", "b", "c")
    assert seen == [["a", "b", "c"], Reader()]

    called(none)
    assert seen == [Writer(), "x"]


def test_what_a_verb_states_replaces_a_shared_option() -> None:
    called(none, "--output", "y")

    assert seen == [Writer(), "y"]
    assert list(inspect.signature(spelled_out(none)).parameters) == ["output", "form", "quiet", "no_color", "debug"]


@pytest.mark.parametrize(
    ("verb", "arguments", "sentence"),
    [
        (one, ["a", "b"], "one takes one REF at a time; 'b' is the second"),
        (two, ["a", "b", "c"], "two takes OLD and NEW; 'c' is one too many"),
        (none, ["a"], "none takes no REF; 'a' is one too many"),
    ],
)
def test_one_argument_too_many_is_a_sentence(verb: Callable[..., int], arguments: list[str], sentence: str) -> None:
    with pytest.raises(OneTooManyError, match=sentence):
        called(verb, *arguments)


def test_any_number_needs_one() -> None:
    with pytest.raises(Exception, match="refs"):
        called(many)


def test_plain_values_of_every_verb_take_the_fast_lane() -> None:
    code = (
        "import sys; from tests.unit.cli.test_options import *; "
        "called(one, 'a', '--limit', '3'); called(two, 'a', 'b'); called(many, 'a', 'b'); called(none, '--output', 'y'); "
        "print('pydantic' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)

    assert ran.stdout == "False\n"
