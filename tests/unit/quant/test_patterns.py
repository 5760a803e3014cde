import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptinspect.quant.patterns import MAX_LENGTH, NotUnderstoodError, Pattern

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
    assert Pattern(text).matches(name) == (re.match(text, name) is not None)


@given(
    text=st.text(alphabet="ab.|()*+?[]^$\\d", max_size=12),
    name=st.text(alphabet="ab1.", max_size=8),
)
def test_any_pattern_is_followed_as_re_does_or_is_not_understood(text: str, name: str) -> None:
    try:
        pattern = Pattern(text)
    except NotUnderstoodError:
        return

    assert pattern.matches(name) == (re.match(text, name) is not None)


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
    ],
)
def test_what_is_not_followed_is_said_to_be_so(text: str) -> None:
    with pytest.raises(NotUnderstoodError):
        Pattern(text)


@pytest.mark.parametrize("text", [r"(a+)+$", r"(a|a)*b", r"(.*)*x", r".*.*.*.*.*.*.*.*.*=", r"((a*)*)*$", r"(a|aa)+$"])
def test_a_pattern_that_takes_re_for_ever_takes_a_moment(text: str) -> None:
    begin = time.perf_counter()

    Pattern(text).matches("a" * 2_000 + "!")

    assert time.perf_counter() - begin < 5
