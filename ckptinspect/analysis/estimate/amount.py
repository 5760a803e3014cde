"""Numbers that know how they came about: every operation is written down as it is done, in numbers and in words."""

from collections.abc import Iterable

import msgspec

_ATOM, _PRODUCT, _QUOTIENT, _SUM = range(4)
_LONGEST = 240


class Amount(msgspec.Struct, frozen=True):
    """A whole number with its derivation: ``text`` is plain arithmetic that evaluates to ``value``, ``words`` the
    same with names.

    >>> layers, keys, values = Amount.of(32, "layers"), Amount.of(1024, "keys"), Amount.of(1024, "values")
    >>> cached = layers * (keys + values)
    >>> cached.value, cached.text, cached.words
    (65536, '32*(1024 + 1024)', 'layers*(keys + values)')
    """

    value: int
    text: str
    words: str
    binds: int = _ATOM

    @classmethod
    def of(cls, value: int, name: str = "") -> "Amount":
        """A number, by a name where it has one."""
        return cls(value, str(value), name or str(value))

    @property
    def is_named(self) -> bool:
        """Whether the words say more than the numbers."""
        return self.words != self.text

    def called(self, name: str) -> "Amount":
        """The same number under one name, its derivation left behind."""
        return Amount.of(self.value, name)

    def __add__(self, other: "Amount") -> "Amount":
        if _is_plain(other, 0):
            return self
        return other if _is_plain(self, 0) else self._joined(other, "+", self.value + other.value)

    def __sub__(self, other: "Amount") -> "Amount":
        return self if _is_plain(other, 0) else self._joined(other, "-", self.value - other.value)

    def __mul__(self, other: "Amount") -> "Amount":
        if _is_plain(other, 1):
            return self
        if _is_plain(self, 1):
            return other
        text = f"{_bound(self.text, self.binds, _PRODUCT)}*{_bound(other.text, other.binds, _PRODUCT)}"
        words = f"{_bound(self.words, self.binds, _PRODUCT)}*{_bound(other.words, other.binds, _PRODUCT)}"
        return _short(Amount(self.value * other.value, text, words, _PRODUCT))

    def __floordiv__(self, other: "Amount") -> "Amount":
        """The quotient, rounded down; raises ZeroDivisionError."""
        if _is_plain(other, 1):
            return self
        text = f"{_bound(self.text, self.binds, _PRODUCT)}//{_bound(other.text, other.binds, _ATOM)}"
        words = f"{_bound(self.words, self.binds, _PRODUCT)}/{_bound(other.words, other.binds, _ATOM)}"
        return _short(Amount(self.value // other.value, text, words, _QUOTIENT))

    def share(self, parts: "Amount") -> "Amount":
        """One of so many parts, rounded up.

        >>> Amount.of(10, "bytes").share(Amount.of(4, "devices")).text
        '(10 + 3)//4'
        """
        if parts.value == 1:
            return self
        if self.value % parts.value == 0:
            return self // parts
        up = (Amount(self.value, self.text, self.text, self.binds) + Amount.of(parts.value - 1)) // parts
        return _short(Amount(up.value, up.text, (self // parts).words, _QUOTIENT))

    def _joined(self, other: "Amount", sign: str, value: int) -> "Amount":
        limit = _SUM if sign == "+" else _QUOTIENT
        text = f"{self.text} {sign} {_bound(other.text, other.binds, limit)}"
        words = f"{self.words} {sign} {_bound(other.words, other.binds, limit)}"
        return _short(Amount(value, text, words, _SUM))


def total(amounts: Iterable[Amount]) -> Amount:
    """The sum; 0 of none.

    >>> total([Amount.of(3), Amount.of(4, "more")]).words
    '3 + more'
    """
    found = Amount.of(0)
    for amount in amounts:
        found += amount
    return found


def times(count: int, name: str) -> Amount:
    """A factor that is not worth a word where it is 1."""
    return Amount.of(count, name if count != 1 else "")


def _bound(text: str, binds: int, limit: int) -> str:
    return f"({text})" if binds > limit else text


def _is_plain(amount: Amount, value: int) -> bool:
    return amount.value == value and amount.words == str(value)


def _short(amount: Amount) -> Amount:
    """What has more terms than anyone reads, as its value alone: thousands of layers may all be different."""
    if len(amount.text) <= _LONGEST:
        return amount
    return Amount(amount.value, str(amount.value), "the sum of many different parts")
