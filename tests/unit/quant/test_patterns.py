import re
import time
from contextlib import suppress
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptinspect.quant.budget import Budget, SpentError
from ckptinspect.quant.patterns import MAX_LENGTH, NotUnderstoodError, Patterns


def fits(text: str, name: str) -> bool:
    """Whether one pattern alone fits a name."""
    patterns = Patterns(Budget())
    patterns.add(text, 1)
    return patterns.fitting(name) == {1}


def together(*texts: str, budget: Budget | None = None) -> Patterns:
    """Patterns with the numbers of their places."""
    patterns = Patterns(budget or Budget())
    for number, text in enumerate(texts):
        patterns.add(text, number)
    return patterns


NAMES = ("model.layers.31.mlp.up_proj", "model.layers.3.self_attn.q_proj", "lm_head", "", "visual.blocks.0.attn.qkv")


@pytest.mark.parametrize(
    "text",
    [
        r".*lm_head.*",
        r".*mlp\.(gate|up)_proj$",
        r"model\.layers\.\d+\.self_attn\.(q|k|v)_proj",
        r"model\.layers\.[0-3]\..*",
        r"model\.layers\.([0-9]|[12][0-9]|3[01])\.mlp.*proj",
        r"^(lm_head|visual.*)$",
        r"[^.]+$",
        r"model\.layers\.\d{1,2}\.(?:mlp|self_attn)\.\w+",
        r"(?:a|b)*?c?",
        r"visual[.]blocks\.0+\.attn",
        r"",
        r"x|",
        r"model.layers.3+.*?_proj",
        r"[\w.]*q_proj",
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_followed_means_what_pythons_re_means(text: str, name: str) -> None:
    assert fits(text, name) == (re.match(text, name) is not None)


@given(
    text=st.text(alphabet="ab.|()*+?[]^$\\d", max_size=12),
    name=st.text(alphabet="ab1.", max_size=8),
)
def test_any_pattern_is_followed_as_re_does_or_is_not_understood(text: str, name: str) -> None:
    try:
        found = fits(text, name)
    except NotUnderstoodError:
        return

    assert found == (re.match(text, name) is not None)


ATOMS = st.sampled_from(
    [
        *"ab1._",
        ".",
        r"\.",
        r"\d",
        r"\w",
        r"\s",
        "[ab]",
        "[^a.]",
        "[0-9]",
        "[a-c1]",
        r"[\d.]",
        r"[^\w]",
        "[-a]",
        r"\-",
        "$",
    ]
)
TIMES = st.sampled_from(["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}?", "{2,}"])


def composed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Sequences, choices, groups and repetitions of patterns."""
    grouped = st.one_of(inner.map("({})".format), inner.map("(?:{})".format))
    return st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map("|".join),
        st.tuples(grouped, TIMES).map("".join),
    )


PATTERNS = st.recursive(
    st.tuples(ATOMS, TIMES).map("".join).filter(lambda text: text[0] != "$" or text == "$"), composed, max_leaves=8
)
TEXTS = st.text(alphabet="abc1._- é٣模", max_size=10)


@settings(max_examples=500)
@given(pattern=PATTERNS, prefix=st.sampled_from(["", "^", ".*", "^.*"]), name=TEXTS)
def test_what_writers_use_is_followed_as_re_does(pattern: str, prefix: str, name: str) -> None:
    assert fits(prefix + pattern, name) == (re.match(prefix + pattern, name) is not None)


@given(texts=st.lists(st.tuples(st.sampled_from(["", ".*"]), PATTERNS).map("".join), max_size=5), names=st.lists(TEXTS))
def test_patterns_together_are_the_same_as_each_alone(texts: list[str], names: list[str]) -> None:
    patterns = together(*texts)

    for name in names:
        alone = {number for number, text in enumerate(texts) if re.match(text, name) is not None}
        assert patterns.fitting(name) == alone


@pytest.mark.parametrize(
    "text",
    [
        r"(?!lm_head).*",
        r"(?P<layer>\d+)",
        r"(a)\1",
        r"a**",
        r"(",
        r"[a",
        r"a{1000}",
        r"\bword",
        r"a{2,1}",
        r"*a",
        "(" * 50 + ")" * 50,
        "a" * (MAX_LENGTH + 1),
        r"(((a{32}){32}){32})",
        r"[\d-a]",
        r"[\.-a]",
    ],
)
def test_what_is_not_followed_is_said_to_be_so(text: str) -> None:
    patterns = together("ab")

    with pytest.raises(NotUnderstoodError):
        patterns.add(text, 1)

    assert patterns.fitting("abc") == {0}


@pytest.mark.parametrize("text", [r"(a+)+$", r"(a|a)*b", r"(.*)*x", r".*.*.*.*.*.*.*.*.*=", r"((a*)*)*$", r"(a|aa)+$"])
def test_a_pattern_that_takes_re_for_ever_takes_little_work(text: str) -> None:
    budget = Budget()

    assert not together(text, budget=budget).fitting("a" * 2_000 + "!")

    assert budget.left > 490_000


def test_what_was_matched_once_costs_a_look_up() -> None:
    budget = Budget()
    patterns = together(*(rf".*layers\.{number}\.mlp\.gate$" for number in range(300)), budget=budget)
    patterns.fitting("model.layers.17.mlp.gate")
    left = budget.left

    assert patterns.fitting("model.layers.17.mlp.gate") == {17}

    assert left - budget.left < 50


@pytest.mark.parametrize(
    "texts",
    [
        [f"(.*a.*|.*b.*|.*c){{1,20}}x{number}" for number in range(500)],
        [f".*a.{{{number % 30}}}b{number}" for number in range(500)],
        ["(a|" * 19 + "a" + ")*" * 19 + str(number) for number in range(500)],
        [("(a?b?c?)*" * 100)[:999] + "|" for _ in range(500)],
        ["[^" + chr(200 + number) + "]*" * 100 for number in range(500)],
        ["x" * 1000 for _ in range(500)],
    ],
)
def test_patterns_that_are_made_to_cost_much_spend_the_budget_and_no_more(texts: list[str]) -> None:
    begin = time.perf_counter()
    budget = Budget()

    with pytest.raises(SpentError):
        match_for_ever(texts, budget)

    assert budget.left < 0
    assert time.perf_counter() - begin < 10


def match_for_ever(texts: list[str], budget: Budget) -> None:
    patterns = Patterns(budget)
    for number, text in enumerate(texts):
        with suppress(NotUnderstoodError):
            patterns.add(text, number)
    for number in count():
        patterns.fitting(f"model.{number}." + ".".join(["abcab" * 20] * 30))
