import pytest

from ckptinspect.text import binary_text, bytes_text, count_text, escaped, quoted


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("model.layers.0", "model.layers.0"),
        ("", ""),
        ("é 名前 😀", "é 名前 😀"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\0\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("abc\u202edcba", "abc\\u202edcba"),
        ("\u2066a\u2069", "\\u2066a\\u2069"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("line\u2028paragraph\u2029", "line\\u2028paragraph\\u2029"),
        ("private\ue000", "private\\ue000"),
        ("unassigned\U000e0fff", "unassigned\\U000e0fff"),
        ("half\ud800", "half\\ud800"),
        ("tag\U000e0041", "tag\\U000e0041"),
    ],
)
def test_what_acts_on_a_terminal_is_written_as_an_escape(text: str, harmless: str) -> None:
    assert escaped(text) == harmless


def test_no_character_at_all_comes_out_that_could_move_a_cursor() -> None:
    everything = "".join(map(chr, range(0x3000)))

    assert all(char.isprintable() or char.isspace() for char in escaped(everything))
    assert not set(escaped(everything)) & set("\n\r\t\v\f\x1b\x85\u2028\u2029\u202e")


@pytest.mark.parametrize(
    ("name", "limit", "quotation"),
    [
        ("w", 80, "'w'"),
        ("", 80, "''"),
        ("a\x1b[2Jb", 80, "'a\\x1b[2Jb'"),
        ("x" * 80, 80, f"'{'x' * 80}'"),
        ("x" * 40 + "y" * 41, 80, f"'{'x' * 39}…{'y' * 39}'"),
        ("\x1b" * 200, 9, "'\\x1b\\x1b\\x1b\\x1b…\\x1b\\x1b\\x1b\\x1b'"),
    ],
)
def test_a_name_is_quoted_harmless_and_short(name: str, limit: int, quotation: str) -> None:
    assert quoted(name, limit) == quotation


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (1005, "1.01 kB"),
        (999_994, "999.99 kB"),
        (999_995, "1.00 MB"),
        (16_060_522_496, "16.06 GB"),
        (688_574_839_360, "688.57 GB"),
        (10**15, "1.00 PB"),
        (2**64, "18.45 EB"),
        (2**200, "1606938044258990275541962092341162602522202.99 EB"),
        (-1500, "-1.50 kB"),
    ],
)
def test_bytes_are_written_in_decimal_units(count: int, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (2**20 - 1, "1.00 MiB"), (28_000_000_000, "26.08 GiB")],
)
def test_bytes_are_written_in_binary_units_where_memory_is_meant(count: int, text: str) -> None:
    assert binary_text(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (768, "768"),
        (1000, "1.00K"),
        (999_999, "1.00M"),
        (8_291_375_616, "8.29B"),
        (671_026_419_200, "671.03B"),
        (10**12, "1.00T"),
        (10**16, "10000.00T"),
    ],
)
def test_elements_are_counted_in_short(count: int, text: str) -> None:
    assert count_text(count) == text
