from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from ckptinspect.browse.search import Query, lowered

NAMES = lowered(
    [
        "model.layers.0.mlp.down_proj.weight",
        "model.layers.10.mlp.down_proj.weight",
        "model.layers.10.self_attn.q_proj.weight",
        "Lm_Head.weight",
        "a[0]b",
        "a name",
    ]
)


def found(text: str) -> list[int]:
    return Query.of(text).among(range(len(NAMES)), NAMES)


def test_all_words_stand_in_the_name_in_any_order() -> None:
    assert found("mlp 10") == [1]
    assert found("10 mlp") == [1]
    assert found("10 mlp q_proj") == []


def test_letters_of_any_size_are_the_same() -> None:
    assert found("LM_head") == found("lm_HEAD") == [3]


def test_nothing_typed_finds_everything() -> None:
    assert found("") == found("   ") == list(range(len(NAMES)))


def test_a_star_stands_for_any_characters_and_a_question_mark_for_one() -> None:
    assert found("layers.*.weight") == [0, 1, 2]
    assert found("layers.?.") == [0]
    assert found("layers.??.") == [1, 2]
    assert found("l*0*q") == [2]
    assert found("*") == list(range(len(NAMES)))
    assert found("weight*layers") == []


def test_brackets_are_letters_like_any_other() -> None:
    assert found("[0]") == [4]


def test_the_order_of_the_numbers_is_kept() -> None:
    assert Query.of("weight").among([3, 2, 0], NAMES) == [3, 2, 0]


def test_a_name_with_a_line_break_stays_one_name() -> None:
    assert lowered(["A\nB", "C"]) == ["a\nb", "c"]
    assert Query.of("a*b").among([0, 1], lowered(["A\nB", "C"])) == [0]


alphabet = st.text(alphabet="ab.*?[]0İß\n", max_size=8)


def naive(name: str, word: str) -> bool:
    pattern = word.replace("[", "[[]")
    return fnmatchcase(name.lower(), f"*{pattern}*")


@given(st.lists(st.text(alphabet="abAB.01[]İß \n", max_size=12), max_size=20), st.lists(alphabet, max_size=3))
def test_a_search_finds_what_a_glob_for_each_word_matches(names: list[str], words: list[str]) -> None:
    text = " ".join(words)

    assert Query.of(text).among(range(len(names)), lowered(names)) == [
        number for number, name in enumerate(names) if all(naive(name, word) for word in text.lower().split())
    ]


def test_no_name_makes_a_search_slow() -> None:
    # A pattern of many parts against a long name that nearly has them: what makes a regular expression go back.
    names = ["a" * 100_000] * 10

    assert Query.of("a*a*a*a*a*a*b?a*a").among(range(10), names) == []
    assert len(Query.of("a*a*a*a*a*a*a?a").among(range(10), names)) == 10


words = st.text(alphabet="ab.*?", min_size=1, max_size=4)


@given(st.lists(st.text(alphabet="ab.c", max_size=9), max_size=20), st.lists(words, max_size=3), words)
def test_what_is_typed_on_finds_nothing_that_was_not_found_before(names: list[str], text: list[str], more: str) -> None:
    before, numbers = Query.of(" ".join(text)), range(len(names))
    for longer in (" ".join(text) + more, " ".join([*text, more])):
        beyond = Query.of(longer).beyond(before)
        if beyond is not None:
            found = beyond.among(before.among(numbers, lowered(names)), lowered(names))
            assert found == Query.of(longer).among(numbers, lowered(names))


def test_only_what_goes_on_is_looked_for_among_what_was_found() -> None:
    assert Query.of("a b").beyond(Query.of("a")) == Query(("b",))
    assert Query.of("ab c").beyond(Query.of("a")) == Query(("ab", "c"))
    assert Query.of("b a").beyond(Query.of("a")) is None
    assert Query.of("").beyond(Query.of("a")) is None
