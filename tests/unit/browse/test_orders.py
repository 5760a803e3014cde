import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptinspect.analysis.keys import natural
from ckptinspect.browse import orders
from ckptinspect.browse.orders import by_name

names = st.lists(st.text(alphabet="ab.0123", max_size=10) | st.from_regex(r"\Alayers\.[0-9]{1,11}\.w\Z"), max_size=30)


@given(names)
def test_names_come_as_their_words_and_numbers_do(given_names: list[str]) -> None:
    assert by_name(given_names) == sorted(range(len(given_names)), key=lambda number: natural(given_names[number]))


def test_layer_2_comes_before_layer_10_and_a_module_before_what_is_in_it() -> None:
    given_names = ["h.10.w", "h.2.w", "h", "h.2", ""]

    assert [given_names[number] for number in by_name(given_names)] == ["", "h", "h.2", "h.2.w", "h.10.w"]


def test_a_name_of_very_many_words_takes_no_longer_than_it_is() -> None:
    assert by_name(["a." * 500_000 + "b", "a." * 500_000 + "a"]) == [1, 0]


def test_more_words_than_there_are_characters_come_in_the_same_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given_names = [f"w{number}.x" for number in (3, 1, 2)]
    before = by_name(given_names)
    monkeypatch.setattr(orders, "_CHARACTERS", 3)

    assert by_name(given_names) == before == [1, 2, 0]
