import json

import pytest

import ckptinspect.reader
from ckptinspect.errors import HeaderError
from ckptinspect.number import Odd
from ckptinspect.reader import MalformedError, OutsizedError, Pairs, Reader, Shortened


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of a few characters, so that every value may be cut anywhere."""
    monkeypatch.setattr(ckptinspect.reader, "_WINDOW", 32)
    monkeypatch.setattr(ckptinspect.reader, "_STRETCH", 1)


def reader(text: str) -> Reader:
    return Reader(text.encode())


def test_an_object_keeps_all_of_its_pairs() -> None:
    assert reader('{"a":1,"a":[2,{}]}').value() == Pairs([("a", 1), ("a", [2, Pairs()])])


def test_members_and_items_are_read_one_by_one() -> None:
    read = reader(' {"a" : 1 , "b" : [ 2 , null ] } ')
    found: list[object] = []
    for key in read.members():
        found.append(key)
        if key == "a":
            found.append(read.value())
        else:
            found += [read.value() for _ in read.items()]
    read.end()

    assert found == ["a", 1, "b", 2, None]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "text", ["x" * 500, "é" * 500, "😀" * 500, "\n" * 500, 'a"b\\' * 99, "\ud83d\ude00" * 99 + "x"]
)
def test_a_string_longer_than_the_window_is_read_whole(text: str) -> None:
    text = text.encode("utf-16", "surrogatepass").decode("utf-16")

    assert reader(json.dumps(text)).string() == text
    assert reader(json.dumps(text, ensure_ascii=False)).string() == text


def test_a_string_longer_than_the_limit_is_shortened_to_what_tells_it_from_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ckptinspect.reader, "MAX_TEXT", 200_000)
    long, escaped, other = (
        reader(f'"{text}"').string() for text in ("x" * 900_000, "\\u0078" * 900_000, "x" * 900_001)
    )

    assert isinstance(long, Shortened)
    assert long == escaped
    assert long != other
    assert long.startswith("x" * 100 + "…")
    assert len(long) == 133


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("text", ["123456", "-1.25e+10", "1e5", "12.5", "0"])
def test_a_number_is_not_cut_where_the_window_ends(text: str) -> None:
    for before in range(40):
        read = reader(f"[{' ' * before}{text}]")
        (value,) = [read.value() for _ in read.items()]
        assert value == (int(text) if text.isdigit() else Odd.FLOAT)


@pytest.mark.usefixtures("small")
def test_a_value_that_does_not_fit_the_window_is_outsized() -> None:
    with pytest.raises(OutsizedError):
        reader(f"[{'0,' * 50}0]").value()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "text",
    [
        f"[{'0,' * 500}0]",
        f"[{'[],' * 500}0]",
        '{"a":' * 100 + "0" + "}" * 100,
        f"{{{','.join(chr(34) + 'k' * 50 + chr(34) + ':[1,2,3]' for _ in range(20))}}}",
        f'"{"x" * 500}"',
        "1" * 300,
        "-0." + "0" * 500 + "1e-7",
        f"{'1' * 500}E-450",
    ],
)
def test_what_does_not_fit_the_window_is_skipped_all_the_same(text: str) -> None:
    read = reader(f"{text} ,")
    read.skip(depth=0)

    assert read.peek() == ","


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1" * 310, "a number is out of range"),
        ("1" * 500 + "e-100", "a number is out of range"),
        (f"[{'0,' * 500}1e999]", "a number is out of range"),
        ("[" * 128 + "]" * 128, "the header nests deeper than 127 levels"),
        ('{"a":' * 128 + "0" + "}" * 128, "the header nests deeper than 127 levels"),
        (f"[{'0,' * 99}{'[' * 127}{']' * 127}]", "the header nests deeper than 127 levels"),
    ],
)
def test_what_is_skipped_may_be_anything_but_endless_or_too_deep(text: str, sentence: str) -> None:
    with pytest.raises(HeaderError) as raised:
        reader(text).skip(depth=0)
    assert str(raised.value) == sentence


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the header is not JSON at byte 0: it ends too early"),
        ("nul", "the header is not JSON at byte 0: a value is broken or missing"),
        ("n" * 99, "the header is not JSON at byte 0: a value is broken or missing"),
        (f"[{'0,' * 99}]", "the header is not JSON at byte 199: a value is broken or missing"),
        (f"[{'0,' * 99}0", "the header is not JSON at byte 200: it ends too early"),
        (f"[{'0,' * 99}0}}", "the header is not JSON at byte 200: ',' or ']' is missing"),
        (f'"{"x" * 99}', "the header is not JSON at byte 100: it ends too early"),
        (f'"{"x" * 99}\\', "the header is not JSON at byte 100: a string is broken or does not end"),
        (f'"{"x" * 99}\n{"x" * 99}"', "the header is not JSON at byte 100: a string is broken or does not end"),
        (f'"{"é" * 99}\\ud800{"x" * 99}"', "the header is not JSON at byte 199: a string is broken or does not end"),
        ('["\\ud800"]', "the header is not JSON at byte 0: an escape stands for half a character (a lone surrogate)"),
        (f"-{'x' * 99}", "the header is not JSON at byte 1: a digit is missing"),
        (f"{'1' * 99}.,", "the header is not JSON at byte 100: a digit is missing"),
        (f"{'1' * 99}.5e+,", "the header is not JSON at byte 103: a digit is missing"),
        ("[NaN]", "the header is not JSON: it holds NaN"),
    ],
)
def test_what_is_not_json_is_said_with_its_place(text: str, sentence: str) -> None:
    with pytest.raises(MalformedError) as raised:
        reader(text).skip(depth=0)
    assert str(raised.value) == sentence


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("text", [f"0{'1' * 99}", f"-0{'0' * 99}"])
def test_a_number_that_begins_with_0_ends_there(text: str) -> None:
    read = reader(text)
    read.skip(depth=0)

    with pytest.raises(MalformedError, match="something follows"):
        read.end()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b'"' + b"x" * 99 + b"\xff" + b"x" * 99 + b'"', "the header is not UTF-8 at byte 100"),
        (b'"' + "é".encode() * 99 + b"\xc3", "the header is not UTF-8 at byte 199"),
        (b'"\xe2\x82"', "the header is not UTF-8 at byte 1"),
    ],
)
def test_what_is_not_utf8_is_said_with_its_place(raw: bytes, sentence: str) -> None:
    with pytest.raises(MalformedError) as raised:
        Reader(raw).skip(depth=0)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "an object"),
        ("[]", "an array"),
        ('"x"', "a string"),
        ("null", "null"),
        ("true", "true or false"),
        ("7", "an integer"),
        ("7.5", "a floating-point number"),
        ("18446744073709551616", "a number beyond 64 bits"),
        ("1e999", "a number out of range"),
        ("1" * 600_000, "a number beyond 64 bits"),
    ],
)
def test_the_type_of_a_value_is_said_in_words(text: str, words: str) -> None:
    assert reader(text).type() == words


def test_a_position_is_counted_in_bytes() -> None:
    read = Reader(b'  {"\xc3\xa9\xc3\xa9":1}', begin=2)
    for _ in read.members():
        assert read.position == 10
        read.value()

    assert read.position == 12
