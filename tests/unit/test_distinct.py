from array import array
from random import Random

import pytest

import ckptinspect.distinct
from ckptinspect.distinct import distinct, hashes_of, last_ones, repetitions
from ckptinspect.kinds import Page


@pytest.fixture(params=[1 << 17, 2], ids=["one-part", "many-parts"])
def parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ckptinspect.distinct, "_PART", request.param)


def page(*names: str, dtype: str = "U8") -> Page:
    count = len(names)
    return Page(
        list(names), [dtype] * count, [(index,) for index in range(count)], [(0, index) for index in range(count)]
    )


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize(
    ("names", "kept"),
    [
        ("", None),
        ("a", None),
        ("abcdef", None),
        ("aa", b"\0\1"),
        ("abca", b"\0\1\1\1"),
        ("aaab", b"\0\0\1\1"),
        ("abab", b"\0\0\1\1"),
    ],
)
def test_of_a_name_that_comes_again_the_last_one_is_kept(names: str, kept: bytes | None) -> None:
    assert last_ones(hashes_of(names)) == kept


@pytest.mark.usefixtures("parts")
def test_many_names_are_told_apart_as_few_are() -> None:
    random = Random(7)
    names = [str(random.randrange(3000)) for _ in range(2000)]
    last = {name: index for index, name in enumerate(names)}

    assert last_ones(hashes_of(names)) == bytes(last[name] == index for index, name in enumerate(names))
    assert last_ones(hashes_of(map(str, range(2000)))) is None


def test_negative_hashes_are_hashes() -> None:
    assert last_ones(array("q", [-1, 5, -1])) == b"\0\1\1"


def test_pages_are_let_through_without_what_comes_again() -> None:
    pages = [page("a", "b"), page("c", "a"), page()]

    assert list(distinct(pages, b"\0\1\1\1")) == [
        Page(["b"], ["U8"], [(1,)], [(0, 1)]),
        Page(["c", "a"], ["U8", "U8"], [(0,), (1,)], [(0, 0), (0, 1)]),
        page(),
    ]


def test_what_is_left_out_is_told() -> None:
    pages = [page("a\x1b", "b"), page("a\x1b", dtype="U3"), page("a\x1b")]

    assert [(defect.message, defect.fatal) for defect in repetitions(pages, b"\0\1\0\1")] == [
        ("'a\\x1b' appears more than once; the last counts", False),
        ("'a\\x1b' appears more than once; the last counts", False),
        ("'a\\x1b': the dtype 'U3' is not in the format's table", False),
    ]
