"""JSON pulled piece by piece, by the grammar that serde_json reads: nothing is held but a stretch of it.

A legal header may be 100 MB of almost anything: one name, one shape, one ignored field. So values that fit a
window are read whole, by the scanner of the standard library, and longer ones member by member.
"""

import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from hashlib import blake2b
from json import JSONDecodeError, JSONDecoder

from ckptinspect.errors import HeaderError
from ckptinspect.number import Odd, Run, endless, number

MAX_DEPTH = 127
"""Arrays and objects that may stand inside each other (serde_json's recursion limit of 128)."""
MAX_TEXT = 1 << 22
"""Characters of the longest string that is kept whole."""

_HEAD = 100
_STRETCH = 1 << 16
_WINDOW = 1 << 19
_SPACE = re.compile(r"[ \t\n\r]*+")
_DIGITS = re.compile(r"[0-9]*+")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Characters and escapes of a string that stand for whole characters: surrogates only in pairs.
_HEX = "[0-9a-fA-F]"
_UNICODE = rf"u(?:[0-9abcefABCEF]{_HEX}{{3}}|[dD][0-7]{_HEX}{{2}}|[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}})"
_TEXT = re.compile(rf'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|{_UNICODE}))*+')
_PAIRED = re.compile(rf"(?:[^\\]++|\\(?:[^u]|{_UNICODE}))*+")
_LONGEST_ESCAPE = 12
_OUTSIZED = '{["-0123456789'
_TYPES = {"{": "an object", "[": "an array", '"': "a string"}
_HALF = "an escape stands for half a character (a lone surrogate)"


class MalformedError(Exception):
    """The bytes are not JSON, or not even text; the message says where."""


class OutsizedError(Exception):
    """The value does not fit the window: it is to be read member by member."""


class Pairs(list[tuple[str, object]]):
    """A JSON object with all of its pairs, duplicates included."""


class Shortened(str):
    """What stands for a string of more than MAX_TEXT characters: how it begins, and a hash of the whole."""

    __slots__ = ()


def _constant(text: str) -> object:
    raise MalformedError(f"the header is not JSON: it holds {text}")


_Scan = Callable[[str, int], tuple[object, int]]
_scan: _Scan = JSONDecoder(
    object_pairs_hook=Pairs, parse_int=number, parse_float=number, parse_constant=_constant
).raw_decode
# Where no integer is negative or long, int() reads them all the same, and three times as fast.
_fast_scan: _Scan = JSONDecoder(object_pairs_hook=Pairs, parse_float=number, parse_constant=_constant).raw_decode
_SLOW = re.compile("-|[0-9]{19}")


def _string(text: str, at: int) -> tuple[str, int]:
    """The string whose quotation mark stands there, and where it ends."""
    string, end = _scan(text, at)
    assert isinstance(string, str)
    return string, end


class Reader:
    """A position in JSON bytes, and what can be read from it on. ``passed`` are the bytes that it has let go of."""

    def __init__(self, raw: bytes, begin: int = 0) -> None:
        self._raw = memoryview(raw)
        self._next = begin
        self.passed = begin
        self._decoder = getincrementaldecoder("utf-8")()
        self._text = ""
        self._scan = _scan
        self._at = 0
        self._leapt = -1

    @property
    def position(self) -> int:
        """The byte that is read next."""
        return self.passed + len(self._text[: self._at].encode())

    def peek(self) -> str:
        """The next character after white space; empty at the end."""
        while True:
            if self._at < len(self._text) and (char := self._text[self._at]) not in " \t\n\r":
                return char
            space = _SPACE.match(self._text, self._at)
            assert space is not None
            self._at = space.end()
            if self._at == len(self._text) and not self._more():
                return ""

    def take(self, char: str) -> None:
        """Pass over this character."""
        if self.peek() != char:
            raise self._malformed(f"{char!r} is missing")
        self._at += 1

    def end(self) -> None:
        """Make sure that only white space is left."""
        if self.peek():
            raise self._malformed("something follows the closing brace")

    def type(self) -> str:
        """What the next value is, in words."""
        if (known := _TYPES.get(self.peek())) is not None:
            return known
        try:
            return type_of(self.value())
        except OutsizedError:
            return Odd.BEYOND.value

    def members(self) -> Iterator[str]:
        """The keys of an object, one by one: the caller reads or skips the value before it asks for the next."""
        self.take("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            key = self.string()
            self.take(":")
            yield key
            if self._closed("}"):
                return

    def items(self) -> Iterator[None]:
        """One step for each item of an array: the caller reads or skips it before it asks for the next."""
        self.take("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield
            if self._closed("]"):
                return

    def string(self) -> str:
        """The next string; a Shortened one where it is longer than MAX_TEXT."""
        if self.peek() != '"':
            raise self._malformed("a string is missing")
        while True:
            try:
                text, self._at = _string(self._text, self._at)
            except JSONDecodeError:
                if len(self._text) - self._at >= _WINDOW or not self._more():
                    return self._long_string()
            else:
                break
        if not text.isascii() and _SURROGATE.search(text):
            raise self._malformed(_HALF)
        return text

    def value(self) -> object:
        """The next value whole: objects as Pairs, numbers as integers or Odd. Raises OutsizedError."""
        self.peek()
        while True:
            try:
                value, end = self._scan(self._text, self._at)
            except JSONDecodeError:
                value, end = None, -1
            except RecursionError:
                raise too_deep() from None
            # A number that ends where the window ends may go on behind it: 12|34, 12.|5, 12e+|3.
            if -1 < end < len(self._text) - 2:
                break
            if len(self._text) - self._at >= _WINDOW:
                if self._text[self._at] not in _OUTSIZED:
                    raise self._malformed("a value is broken or missing")
                raise OutsizedError
            if not self._more():
                if end < 0:
                    raise self._malformed("a value is broken or missing")
                break
        self._refuse_half_characters(self._text, self._at, end)
        self._at = end
        return value

    def leap(self) -> list[object]:
        """As many items of an array as the window holds; none where that cannot be told.

        To be asked within ``items``, once an item is due. It is tried once in a window, and an item is left.
        """
        items = self._leap("[", "]")
        return items if isinstance(items, list) else []

    def leap_pairs(self, key: str) -> Pairs:
        """The same for an object, within ``members``: the pair of this key, whose value is due, and those behind it."""
        pairs = self._leap('{"":', "}")
        return Pairs([(key, pairs[0][1]), *pairs[1:]]) if isinstance(pairs, Pairs) else Pairs()

    def _leap(self, beginning: str, closing: str) -> object:
        cut = self._text.rfind(",", self._at)
        if self._leapt == self._next or cut < 0:
            return None
        self._leapt = self._next
        text = f"{beginning}{self._text[self._at : cut]}{closing}"
        try:
            value, end = self._scan(text, 0)
        except (JSONDecodeError, RecursionError):
            return None
        if end < len(text):
            return None
        self._refuse_half_characters(text, 0, end)
        self._at = cut
        return value

    def skip(self, depth: int) -> None:
        """Pass over the next value, which stands inside ``depth`` arrays and objects."""
        try:
            refuse_ignored(self.value(), depth)
        except OutsizedError:
            self._skip_outsized(depth)

    def _skip_outsized(self, depth: int) -> None:
        opening = self.peek()
        if opening == '"':
            self.string()
        elif opening not in "{[":
            self._skip_long_number()
        elif depth == MAX_DEPTH:
            raise too_deep()
        elif opening == "{":
            for key in self.members():
                self._skip_inner(self.leap_pairs(key), depth)
        else:
            for _ in self.items():
                self._skip_inner(self.leap(), depth)

    def _skip_inner(self, leapt: list[object] | Pairs, depth: int) -> None:
        if leapt:
            refuse_ignored(leapt, depth)
        else:
            self.skip(depth + 1)

    def _skip_long_number(self) -> None:
        if self._char() == "-":
            self._at += 1
        whole, fraction, power = self._digits(), Run.of(""), 0
        if self._char() == ".":
            self._at += 1
            fraction = self._digits()
        if self._char() in {"e", "E"}:
            self._at += 1
            sign = self._char()
            if sign in {"+", "-"}:
                self._at += 1
            power = self._digits().power * (-1 if sign == "-" else 1)
        if endless(whole, fraction, power):
            raise HeaderError("a number is out of range")

    def _digits(self) -> Run:
        """One digit or more."""
        run = Run.of("")
        while True:
            digits = _DIGITS.match(self._text, self._at)
            assert digits is not None
            run = run.then(Run.of(digits[0]))
            self._at = digits.end()
            if self._at < len(self._text) or not self._more():
                break
        if not run.zeros + run.length:
            raise self._malformed("a digit is missing")
        return run

    def _char(self) -> str:
        """The next character, white space or not; empty at the end."""
        if self._at == len(self._text):
            self._more()
        return self._text[self._at : self._at + 1]

    def _closed(self, closing: str) -> bool:
        char = self.peek()
        if char not in {closing, ","}:
            raise self._malformed(f"',' or {closing!r} is missing")
        self._at += 1
        return char == closing

    def _long_string(self) -> str:
        self.take('"')
        pieces: list[str] = []
        head, length = "", 0
        digest = blake2b(digest_size=16)
        while True:
            run = _TEXT.match(self._text, self._at)
            assert run is not None
            piece, _ = _string(f'"{run[0]}"', 0)
            self._at = run.end()
            head, length = (head + piece)[:_HEAD], length + len(piece)
            digest.update(piece.encode())
            if length <= MAX_TEXT:
                pieces.append(piece)
            if self._char() == '"':
                self._at += 1
                break
            # An escape may end beyond the window; what is left of it after a look there is none.
            if not run[0] and (len(self._text) - self._at >= _LONGEST_ESCAPE or not self._more()):
                raise self._malformed("a string is broken or does not end")
        return "".join(pieces) if length <= MAX_TEXT else Shortened(f"{head}…{digest.hexdigest()}")

    def _more(self) -> bool:
        """Let go of what is read, and read on; False at the end."""
        if self._next == len(self._raw):
            return False
        rest = self._text[self._at :]
        self.passed = self.position
        begin, self._next = self._next, min(self._next + max(_STRETCH, len(rest)), len(self._raw))
        pending, _ = self._decoder.getstate()
        try:
            more = self._decoder.decode(bytes(self._raw[begin : self._next]), self._next == len(self._raw))
        except UnicodeDecodeError as error:
            raise MalformedError(f"the header is not UTF-8 at byte {begin - len(pending) + error.start}") from None
        self._text = rest + more
        self._scan = _fast_scan if _SLOW.search(self._text) is None else _scan
        self._at = 0
        return True

    def _refuse_half_characters(self, text: str, begin: int, end: int) -> None:
        if text.find("\\", begin, end) >= 0 and _PAIRED.fullmatch(text, begin, end) is None:
            raise self._malformed(_HALF)

    def _malformed(self, what: str) -> MalformedError:
        if self._at == len(self._text) and self._next == len(self._raw):
            what = "it ends too early"
        return MalformedError(f"the header is not JSON at byte {self.position}: {what}")


def type_of(value: object) -> str:
    """What a value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, Odd):
        return value.value
    if isinstance(value, Pairs):
        return "an object"
    return {bool: "true or false", int: "an integer", str: "a string", list: "an array"}[type(value)]


def refuse_ignored(value: object, depth: int) -> None:
    """What nobody reads may be anything, but not nest too deep nor hold a number that no double holds."""
    level = [value]
    while True:
        if Odd.ENDLESS in level:
            raise HeaderError("a number is out of range")
        containers = [item for item in level if isinstance(item, list)]
        if not containers:
            return
        depth += 1
        if depth > MAX_DEPTH:
            raise too_deep()
        level = [child for container in containers for child in _children(container)]


def _children(container: list[object]) -> list[object]:
    if isinstance(container, Pairs):
        return [value for _, value in container]
    return container


def too_deep() -> HeaderError:
    """The error for a header that nests too deep."""
    return HeaderError(f"the header nests deeper than {MAX_DEPTH} levels")
