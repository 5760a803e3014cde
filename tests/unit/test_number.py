import pytest

from ckptinspect.number import Odd, Run, endless, number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-1", -1),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
        ("18446744073709551616", Odd.BEYOND),
        ("-9223372036854775809", Odd.BEYOND),
        ("1" * 309, Odd.BEYOND),
        ("1" * 310, Odd.ENDLESS),
        ("9" * 5000, Odd.ENDLESS),
        ("-0", Odd.FLOAT),
        ("1.0", Odd.FLOAT),
        ("1e0", Odd.FLOAT),
        ("1E+2", Odd.FLOAT),
        ("0.0", Odd.FLOAT),
        ("1e308", Odd.FLOAT),
        ("1e309", Odd.ENDLESS),
        ("-1e309", Odd.ENDLESS),
        ("1e-99999999999999999999", Odd.FLOAT),
        ("1e99999999999999999999", Odd.ENDLESS),
        ("0e99999999999999999999", Odd.FLOAT),
        ("1e00000000000000000000001", Odd.FLOAT),
        ("0." + "0" * 400 + "1e708", Odd.FLOAT),
        ("0." + "0" * 400 + "1e709", Odd.FLOAT),
        ("0." + "0" * 400 + "1e710", Odd.ENDLESS),
        ("1" * 5000 + "e-4900", Odd.FLOAT),
        ("1.7976931348623157e308", Odd.FLOAT),
        ("1.7976931348623158e308", Odd.ENDLESS),
        ("17976931348623157.0e292", Odd.FLOAT),
        ("1844674407370955161.5e290", Odd.ENDLESS),
    ],
)
def test_a_number_is_what_serde_json_makes_of_it(text: str, value: int | Odd) -> None:
    assert number(text) == value


@pytest.mark.parametrize("digits", ["", "0", "000", "12", "0012", "1" * 50, "0" * 50 + "7" * 60])
@pytest.mark.parametrize("cut", [0, 1, 7, 45, 52])
def test_a_run_of_digits_may_be_read_in_pieces(digits: str, cut: int) -> None:
    assert Run.of(digits[:cut]).then(Run.of(digits[cut:])) == Run.of(digits)


def test_a_run_of_millions_of_digits_keeps_few() -> None:
    assert Run.of("0" * 1_000_000 + "12" * 1_000_000) == Run(1_000_000, "12" * 20, 2_000_000)


def test_a_number_of_millions_of_digits_is_brought_back_by_its_exponent() -> None:
    assert not endless(Run(0, "1" * 40, 10_000_000), Run.of(""), -9_999_800)
    assert endless(Run(0, "1" * 40, 10_000_000), Run.of(""), -9_999_600)
