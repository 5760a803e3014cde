"""Headers as hardly anybody writes them: legal ones in odd spellings, and ones that are wrong in one place."""

from collections.abc import Sequence
from math import prod
from random import Random
from typing import NamedTuple

from ckptinspect.dtypes import DTYPES

NAMES = (
    *("w", "a.b", "layers.7.w", "", "é😀", "x\ny", '"q"', "\\", "model-01", "a:b", "{}", "\u202e", "dtype", "shape"),
    *("__metadata", "n-0,", "a\x7f", "[1]", "-0", 'a},"b'),
)
FOREIGN_DTYPES = ("U3", "f32", "", "F32 ", "é")
STRANGE_SHAPES = (
    (0, 2**64 - 1),
    (2**64 - 1, 0),
    (2**63, 2, 0),
    (0, 2**63, 2),
    (2**62, 2**62, 0),
    (2**32, 2**32),
    (2**61, 0),
)
STRANGE_NUMBERS = (
    *("1e308", "1e309", "1.7976931348623157e308", "1.7976931348623158e308", "0.0e9999", "-1e-9999", "1" * 309),
    *("9" * 309, "1" * 310, "123456789012345678901234567890e280", f"0.{'0' * 38}1e346", f"0.{'0' * 38}1e347"),
    *("1844674407370955161.5e290", "18446744073709551615e289", "18446744073709551616e288", "18446744073709551616e289"),
    *("179769313486231570e291", "179769313486231580e291", "17976931348623157.0e292", "1e2147483648", "1e-2147483648"),
    *("0e2147483648", "-0", "-0.0", "1E+2", "5e-324", f"1e{'0' * 23}1", "-1", "1.5", "0", "1"),
)
WRONG_NUMBERS = (
    *("true", "null", "-0", "1e400", str(2**64), str(2**64 - 1), str(2**63), "9" * 30, "1" * 400, "NaN", "{}", "1.0"),
    *("1e0", "-1", "01", "+1", "1.", '"1"', "[1]", "1E-0"),
)
STRANGE_TEXT = ("\\ud800", "\\udc00", "\\x", "\\u12", "\x01", "\n", "\x7f", "\\uD83D\\uDE00", "\\ud83d\\ud83d")
WRONG_BYTES = (
    *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"-0", b"-", b"0", b"1e5", b"\\", b"\\u0041", b"\\ud800", b" ", b"\n"),
    *(b"\v", b"\0", b"null", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"9" * 25),
)
METADATA = (
    *("{}", "null", '{"format":"pt"}', '{"a":"","b":"{\\"j\\":1}"}', '{"a":"x","a":"y"}', '{"a":"}","é":"-0 1e9"}'),
    *("[]", '{"a":1}', '{"a":null}', '{"a":["b"]}', "1", '"x"', '{"a":{}}', '{"a":"b"', '{"a":"b",}'),
)


class Odd(NamedTuple):
    """A header and the bytes of data behind it."""

    raw: bytes
    room: int

    @property
    def file(self) -> bytes:
        """The whole file."""
        return len(self.raw).to_bytes(8, "little") + self.raw + bytes(self.room)


class _Entry(NamedTuple):
    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def odd_header(seed: int) -> Odd:
    """The header that belongs to this number."""
    return _Speller(Random(seed)).header()


class _Speller:
    """Writes JSON in one of its many spellings; ``rate`` says how odd."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.rate = random.choice((0, 0.02, 0.1, 0.4))

    def now(self, chance: float) -> bool:
        return self.random.random() < chance * self.rate

    def space(self) -> str:
        if self.now(0.3):
            return self.random.choice((" ", "\n", "\t", "\r", "  "))
        return self.random.choice(("\v", "\f", "\0", "\xa0", "\u2028", "\ufeff")) if self.now(0.003) else ""

    def string(self, text: str) -> str:
        characters = [self.character(char) for char in text]
        if self.now(0.01):
            characters.insert(self.random.randrange(len(characters) + 1), self.random.choice(STRANGE_TEXT))
        return f'"{"".join(characters)}"'

    def character(self, char: str) -> str:
        code = ord(char)
        if char in '"\\':
            return f"\\{char}"
        if code < 32 or (code < 0x10000 and self.now(0.03)):
            return f"\\u{code:04x}" if self.random.random() < 0.5 else f"\\u{code:04X}"
        if code > 0xFFFF and self.now(0.5):
            return f"\\u{0xD800 + (code - 0x10000 >> 10):04x}\\u{0xDC00 + (code & 1023):04x}"
        return "\\/" if char == "/" and self.now(0.5) else char

    def number(self, value: int) -> str:
        return self.random.choice(WRONG_NUMBERS) if self.now(0.02) else str(value)

    def array(self, items: Sequence[str]) -> str:
        return self.enclosed("[", items, "]")

    def object(self, pairs: Sequence[tuple[str, str]]) -> str:
        items = [f"{self.space()}{key}{self.space()}:{self.space()}{value}" for key, value in pairs]
        return self.enclosed("{", items, "}")

    def enclosed(self, opening: str, items: Sequence[str], closing: str) -> str:
        text = "".join(
            f"{item}{self.space()}{',' if index < len(items) - 1 else ''}{self.space()}"
            for index, item in enumerate(items)
        )
        extra = "," if self.now(0.003) else ""
        return f"{self.space()}{opening}{self.space()}{text}{extra}{closing}{self.space()}"

    def anything(self, depth: int = 0) -> str:
        kind = self.random.randrange(8)
        if kind == 0 and depth < 4:
            return self.array([self.anything(depth + 1) for _ in range(self.random.randrange(3))])
        if kind == 1 and depth < 4:
            count = self.random.randrange(3)
            return self.object(
                [(self.string(self.random.choice("abc")), self.anything(depth + 1)) for _ in range(count)]
            )
        if kind == 2:
            deep = self.random.randrange(120, 130)
            return self.random.choice(("[" * deep + "]" * deep, '{"a":' * deep + "0" + "}" * deep))
        if kind == 3:
            return self.string(self.random.choice(("", "x", "é", "😀", 'a"b', "\0")))
        if kind == 4:
            return self.long_number()
        return self.random.choice((*STRANGE_NUMBERS, "null", "true", "false"))

    def long_number(self) -> str:
        digits = [str(self.random.randrange(10 ** self.random.randrange(1, 25))) for _ in range(2)]
        power = self.random.randrange(280, 345)
        forms = ("{0}e{2}", "{0}.{1}e{2}", "0.{1}e{2}", "0.000000{1}e{2}", "-{0}.00{1}E+{2}")
        return self.random.choice(forms).format(*digits, power)

    def header(self) -> Odd:
        entries, room = self.entries()
        pairs = [(self.string(entry.name), self.entry(entry)) for entry in entries]
        if self.random.random() < 0.5:
            chosen = METADATA if self.now(0.2) else METADATA[:6]
            place = 0 if self.random.random() < 0.7 else self.random.randrange(len(pairs) + 1)
            pairs.insert(place, (self.string("__metadata__"), self.random.choice(chosen)))
            if self.now(0.03):
                pairs.insert(self.random.randrange(len(pairs) + 1), pairs[place])
        text = self.object(pairs)
        if self.now(0.02):
            text = self.random.choice(("\ufeff", "x", "\0", " ")) + text
        if self.now(0.05):
            text += self.random.choice(("\0", " " * 7, "x", "}", ",", "{}", "\n"))
        return Odd(self.damaged(text.encode()), room)

    def entries(self) -> tuple[list[_Entry], int]:
        entries: list[_Entry] = []
        room = 0
        for index in range(self.random.choice((0, 1, 1, 2, 3, 5))):
            name = self.random.choice(NAMES) + (str(index) if self.random.random() < 0.9 else "")
            dtype = self.random.choice(tuple(DTYPES)) if not self.now(0.01) else self.random.choice(FOREIGN_DTYPES)
            shape = tuple(self.random.randrange(4) for _ in range(self.random.randrange(4)))
            bits = prod(shape) * ((DTYPES[dtype].bits if dtype in DTYPES else 8) or 8)
            if bits % 8 and self.random.random() < 0.8:
                shape, bits = (*shape, 4), bits * 4
            if self.now(0.05):
                shape, bits = self.random.choice(STRANGE_SHAPES), 0
            entries.append(_Entry(name, dtype, shape, room, room + bits // 8))
            room += bits // 8
        return self.disturbed(entries), max(0, room + (self.random.choice((-1, 1)) if self.now(0.05) else 0))

    def disturbed(self, entries: list[_Entry]) -> list[_Entry]:
        if entries and self.now(0.1):
            place = self.random.randrange(len(entries))
            entry, change = entries[place], self.random.choice((-1, 1, 5))
            begin, end = self.random.choice(((entry.begin + change, entry.end), (entry.begin, entry.end + change)))
            entries[place] = entry._replace(begin=max(0, begin), end=max(0, end))
        if self.now(0.5):
            self.random.shuffle(entries)
        if entries and self.now(0.05):
            entries.insert(self.random.randrange(len(entries) + 1), self.random.choice(entries))
        if entries and self.now(0.05):
            entries[0] = entries[0]._replace(name=entries[-1].name)
        return entries

    def entry(self, entry: _Entry) -> str:
        if self.now(0.005):
            return self.anything()
        dtype = self.string(entry.dtype)
        if self.now(0.05):
            dtype = self.object([(dtype, self.random.choice(("null", "null", "null", "{}", "[]", "0")))])
        shape = self.array([self.number(dim) for dim in entry.shape])
        more = ["0"] if self.now(0.003) else []
        offsets = self.array([self.number(entry.begin), self.number(entry.end), *more])
        if self.now(0.05):
            return self.array([dtype, shape, offsets, *(["0"] if self.now(0.1) else [])])
        fields = [(self.string("dtype"), dtype), (self.string("shape"), shape), (self.string("data_offsets"), offsets)]
        return self.object(self.rearranged(fields))

    def rearranged(self, fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
        if self.now(0.3):
            self.random.shuffle(fields)
        if self.now(0.1):
            key = self.string(self.random.choice(("x", "Dtype", "strides", "é", "dtype ")))
            fields.insert(self.random.randrange(len(fields) + 1), (key, self.anything()))
        if self.now(0.02):
            fields.insert(self.random.randrange(len(fields) + 1), self.random.choice(fields))
        if self.now(0.01):
            fields.pop(self.random.randrange(len(fields)))
        return fields

    def damaged(self, raw: bytes) -> bytes:
        """The bytes with a few of them flipped, cut out, moved or put in; a third of the time."""
        if self.random.random() > 0.35:
            return raw
        for _ in range(self.random.choice((1, 1, 1, 2, 4))):
            begin = self.random.randrange(len(raw) + 1)
            end = min(len(raw), begin + self.random.choice((1, 1, 2, 5, 20)))
            other = self.random.randrange(len(raw) + 1)
            middle = self.random.choice(
                (
                    bytes(self.random.randrange(256) for _ in raw[begin : begin + 1]),
                    b"",
                    raw[begin:end] * 2,
                    self.random.choice(WRONG_BYTES) + raw[begin:end],
                    bytes(byte ^ 1 << self.random.randrange(8) for byte in raw[begin : begin + 1])
                    + raw[begin + 1 : end],
                    raw[other : other + self.random.randrange(30)] + raw[begin:end],
                )
            )
            raw = raw[:begin] + middle + raw[end:]
        return raw
