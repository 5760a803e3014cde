"""Sums of products, as people write a count: ``28*((3584+1)*3584 + 3584*18944*3) + 3584``.

Equal terms of a sum are joined (``*2``), in whichever order their factors stand.
"""

import re
from collections.abc import Iterable, Sequence

import msgspec

_INNERMOST = re.compile(r"\([^()]*\)")
_SIGN = re.compile(r"[-+/]")


class Dim(msgspec.Struct, frozen=True):
    """A dimension or a number of layers: its value, and the config's name for it where that is sure."""

    value: int
    symbol: str | None = None

    def written(self, *, symbolic: bool) -> str:
        """The factor as it stands in a product."""
        if not symbolic or self.symbol is None:
            return str(self.value)
        return f"({self.symbol})" if _SIGN.search(_INNERMOST.sub("", self.symbol)) else self.symbol


class Product(msgspec.Struct, frozen=True):
    """``(inner+1)*outer`` with a bias, ``outer`` without."""

    outer: tuple[Dim, ...]
    inner: tuple[Dim, ...] | None = None

    def factors(self, *, symbolic: bool) -> list[str]:
        """What is multiplied; ones are left out."""
        outer = [dim.written(symbolic=symbolic) for dim in self.outer if dim.value != 1 or (symbolic and dim.symbol)]
        if self.inner is None:
            return outer or ["1"]
        return [f"({Product(self.inner).text(symbolic=symbolic)}+1)", *outer]

    def text(self, *, symbolic: bool) -> str:
        """The product, written out."""
        return "*".join(self.factors(symbolic=symbolic))

    def key(self, *, symbolic: bool) -> tuple[str, ...]:
        """What equal products have in common."""
        return tuple(sorted(self.factors(symbolic=symbolic)))


class Repeat(msgspec.Struct, frozen=True):
    """``count*(…)``: equal layers, experts."""

    count: Dim
    terms: "tuple[Product | Repeat, ...]"

    def text(self, *, symbolic: bool) -> str:
        """The repetition, written out."""
        return f"{self.count.written(symbolic=symbolic)}*({sum_text(self.terms, symbolic=symbolic)})"

    def key(self, *, symbolic: bool) -> tuple[str, ...]:
        """What equal repetitions have in common."""
        return ("", self.text(symbolic=symbolic))


Term = Product | Repeat


def sum_text(terms: Sequence[Term], *, symbolic: bool = False) -> str:
    """The sum of these terms; 0 where there are none.

    >>> sum_text([Product((Dim(4), Dim(8))), Product((Dim(8), Dim(4))), Product((Dim(8),), (Dim(4),)), Product(())])
    '4*8*2 + (4+1)*8 + 1'
    """
    found: dict[tuple[str, ...], tuple[str, int]] = {}
    for term in terms:
        key = term.key(symbolic=symbolic)
        text, times = found.get(key, (term.text(symbolic=symbolic), 0))
        found[key] = text, times + 1
    return " + ".join(_multiplied(text, times) for text, times in found.values()) or "0"


def unnamed(terms: Iterable[Term]) -> set[int]:
    """The dimensions and numbers of layers among these terms that have no name.

    Twos are left out: most of them say that a norm has a weight and a bias.

    >>> sorted(unnamed([Product((Dim(4, "heads"), Dim(64))), Repeat(Dim(12), (Product((Dim(8),), (Dim(2),)),))]))
    [8, 12, 64]
    """
    found: set[int] = set()
    for term in terms:
        dims: tuple[Dim, ...] = (term.count,) if isinstance(term, Repeat) else (*term.outer, *(term.inner or ()))
        found.update(dim.value for dim in dims if dim.symbol is None and dim.value > 2)
        if isinstance(term, Repeat):
            found |= unnamed(term.terms)
    return found


def _multiplied(text: str, times: int) -> str:
    if times == 1:
        return text
    return str(times) if text == "1" else f"{text}*{times}"
