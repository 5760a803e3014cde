import pickle

import pytest

from ckptinspect import errors
from ckptinspect.errors import CkptInspectError, HeaderError, NotFoundError

ALL = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, CkptInspectError)]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (HeaderError("it is wrong"), "it is wrong"),
        (HeaderError("it is wrong", "a.safetensors"), "a.safetensors: it is wrong"),
        (HeaderError("it is wrong", hint="fetch it again"), "it is wrong; fetch it again"),
        (HeaderError("it is wrong", "a", "fetch it again"), "a: it is wrong; fetch it again"),
    ],
)
def test_an_error_is_one_sentence_of_where_what_and_what_to_try(error: CkptInspectError, sentence: str) -> None:
    assert str(error) == sentence


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_survives_pickling(kind: type[CkptInspectError]) -> None:
    error = pickle.loads(pickle.dumps(kind("what", "where", "hint")))

    assert type(error) is kind
    assert (error.what, error.where, error.hint) == ("what", "where", "hint")
    assert str(error) == "where: what; hint"


def test_an_error_learns_where_it_is_from_the_inside_out() -> None:
    error = HeaderError("it is wrong", hint="fetch it again").at("'w'").at("a.safetensors")

    assert str(error) == "a.safetensors: 'w': it is wrong; fetch it again"
    assert type(error) is HeaderError


def test_every_error_has_one_of_the_kinds_that_others_rely_on() -> None:
    assert {kind.__name__: kind.kind for kind in ALL} == {
        "CkptInspectError": "error",
        "RefError": "usage",
        "SourceError": "source",
        "NotFoundError": "source",
        "AccessError": "source",
        "UnreachableError": "source",
        "ShortReadError": "source",
        "FormatError": "format",
        "HeaderError": "format",
        "LayoutError": "format",
        "IndexMismatchError": "format",
        "UnavailableError": "unavailable",
        "EngineError": "engine",
    }


def test_the_tree_in_the_docstring_names_every_error() -> None:
    assert errors.__doc__ is not None
    assert [kind.__name__ for kind in ALL if kind.__name__ not in errors.__doc__] == []


def test_an_error_can_be_caught_by_what_it_is() -> None:
    with pytest.raises(errors.SourceError, match=r"^a: no such file$"):
        raise NotFoundError("no such file", "a")
