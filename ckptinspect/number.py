"""Numbers as serde_json reads them: integers of 64 bits exactly, all others only as far as to say what they are.

serde_json multiplies and rounds in a way of its own (``f64_from_parts`` in its ``de.rs``), so that it refuses
some numbers that would still fit a double: 1.7976931348623158e308 is one.
"""

import math
import re
from enum import Enum
from typing import NamedTuple

_WORD = 1 << 64
_MAX_POWER = 308
_KEPT = 40
_PARTS = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")


class Odd(Enum):
    """A number that is no integer of 64 bits, by what it is instead."""

    FLOAT = "a floating-point number"
    BEYOND = "a number beyond 64 bits"
    ENDLESS = "a number out of range"


class Run(NamedTuple):
    """Digits, of which there may be millions: zeros in front, the first after them, and how many those are."""

    zeros: int
    first: str
    length: int

    @classmethod
    def of(cls, digits: str) -> "Run":
        """The run of all these digits."""
        rest = digits.lstrip("0")
        return cls(len(digits) - len(rest), rest[:_KEPT], len(rest))

    def then(self, other: "Run") -> "Run":
        """This run and another behind it."""
        if not self.length:
            return Run(self.zeros + other.zeros, other.first, other.length)
        first = (self.first + "0" * min(other.zeros, _KEPT) + other.first)[:_KEPT]
        return Run(self.zeros, first, self.length + other.zeros + other.length)

    @property
    def power(self) -> int:
        """The integer that it spells, or one that is as good for a power of ten."""
        return int(self.first or "0") if self.length <= 10 else 10**10


def number(text: str) -> int | Odd:
    """The integer that a JSON number spells, or what it is instead.

    >>> number("18446744073709551615"), number("-0").value, number("1e999").value
    (18446744073709551615, 'a floating-point number', 'a number out of range')
    """
    digits = text[1:] if text[0] == "-" else text
    whole = digits.isdigit()
    if whole and len(digits) <= 20 and text != "-0":
        value = int(text)
        if -(_WORD >> 1) <= value < _WORD:
            return value
    parts = _PARTS.fullmatch(text)
    assert parts is not None, "the scanner hands over whole numbers only"
    power = Run.of(parts[4] or "0").power
    if endless(Run.of(parts[1]), Run.of(parts[2] or ""), -power if parts[3] == "-" else power):
        return Odd.ENDLESS
    return Odd.BEYOND if whole and text != "-0" else Odd.FLOAT


def endless(whole: Run, fraction: Run, power: int) -> bool:
    """Whether serde_json finds ``whole.fraction`` times ten to ``power`` too large for a double."""
    significand, taken = _taken(0, whole.first)
    exponent = power + whole.length - taken
    if significand == 0:
        exponent -= fraction.zeros
        significand, taken = _taken(0, fraction.first)
    else:
        significand, taken = _taken(significand, "0" * min(fraction.zeros, _KEPT) + fraction.first)
    exponent -= taken
    if exponent < 0 or significand == 0:
        return False
    return exponent > _MAX_POWER or math.isinf(float(significand) * float(f"1e{exponent}"))


def _taken(significand: int, digits: str) -> tuple[int, int]:
    """The significand with as many more digits as fit 64 bits, and how many those are."""
    for index, digit in enumerate(digits):
        if (more := significand * 10 + int(digit)) >= _WORD:
            return significand, index
        significand = more
    return significand, len(digits)
