from hypothesis import given
from hypothesis import strategies as st

from ckptinspect.analysis.estimate.amount import Amount, times, total
from tests.arithmetic import value_of

NUMBERS = st.builds(Amount.of, st.integers(0, 2**70), st.sampled_from(["", "layers", "bytes"]))
STEPS = st.lists(st.tuples(st.sampled_from("+-*/%"), st.booleans(), NUMBERS), max_size=60)


def worked_out(first: Amount, steps: list[tuple[str, bool, Amount]]) -> Amount:
    """What many operations come to, each with the result so far on its left or on its right."""
    for sign, swapped, other in steps:
        left, right = (other, first) if swapped else (first, other)
        if sign == "+":
            first = left + right
        elif sign == "*" and left.value.bit_length() + right.value.bit_length() < 500:
            first = left * right
        elif sign == "-" and left.value >= right.value:
            first = left - right
        elif right.value and sign in "/%":
            first = left // right if sign == "/" else left.share(right)
    return first


@given(NUMBERS, STEPS)
def test_what_is_written_comes_to_the_value(first: Amount, steps: list[tuple[str, bool, Amount]]) -> None:
    amount = worked_out(first, steps)

    assert value_of(amount.text) == amount.value
    assert len(amount.text) <= 240


def test_sums_in_products_stand_in_brackets() -> None:
    layers, keys, values = Amount.of(32, "layers"), Amount.of(8, "keys"), Amount.of(9, "values")

    assert (layers * (keys + values)).words == "layers*(keys + values)"
    assert (layers * keys + values).words == "layers*keys + values"
    assert (layers - (keys + values)).text == "32 - (8 + 9)"
    assert (layers // keys * values).text == "(32//8)*9"
    assert (layers // (keys * values)).text == "32//(8*9)"
    assert ((keys + values) - layers // keys).text == "8 + 9 - 32//8"


def test_a_share_is_rounded_up_where_it_is_not_even() -> None:
    assert Amount.of(64, "bytes").share(Amount.of(8, "devices")).words == "bytes/devices"
    uneven = Amount.of(65, "bytes").share(Amount.of(8, "devices"))
    assert (uneven.value, uneven.text, uneven.words) == (9, "(65 + 7)//8", "bytes/devices")
    assert Amount.of(65, "bytes").share(Amount.of(1, "devices")).text == "65"


def test_plain_ones_and_zeros_are_not_written() -> None:
    assert (Amount.of(7, "bytes") * times(1, "batch")).words == "bytes"
    assert (Amount.of(7, "bytes") * times(2, "batch")).words == "bytes*batch"
    assert total([]).value == 0
    assert total([Amount.of(0), Amount.of(7, "bytes")]).words == "bytes"


def test_what_has_too_many_parts_is_told_as_their_sum() -> None:
    many = total(Amount.of(10**9 + number) for number in range(100))

    assert many.value == 100 * 10**9 + 4950
    assert len(many.text) < 240
