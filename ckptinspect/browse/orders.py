"""The columns by which tensors can be sorted, and the orders that they make."""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.keys import natural

# Characters of which a key can be made: more words than that are compared one by one.
_CHARACTERS = 0x110000


class Order(msgspec.Struct, frozen=True):
    """By which column, and whether the largest comes first. Tensors that are equal come by their names."""

    column: str = "file"
    down: bool = False


OF_KIND: dict[str, Callable[[Row], object]] = {
    "shape": attrgetter("kind.shape"),
    "dtype": attrgetter("kind.dtype.code"),
    "bytes": attrgetter("kind.nbytes"),
    "parameters": attrgetter("parameters"),
    "elements": attrgetter("kind.elements"),
    "module": attrgetter("place.module"),
}
"""The columns whose values all tensors of a kind share."""

FIGURES = frozenset({"bytes", "parameters", "elements"})
"""The columns of which the largest is asked for first."""

COLUMNS = ("file", "name", *OF_KIND)
"""Every column to sort by; ``file`` is the order in which the tensors stand in the files."""


def by_name(names: Sequence[str]) -> list[int]:
    """The numbers of some names in their natural order, in which layer 2 comes before layer 10.

    >>> by_name(["h.10.w", "h.2.w", "h"])
    [2, 1, 0]
    """
    ranks = _ranks(_words(names))
    if len(ranks) >= _CHARACTERS:
        return sorted(range(len(names)), key=lambda number: natural(names[number]))
    keys = _Keys(ranks)
    return sorted(range(len(names)), key=[keys.key(name) for name in names].__getitem__)


def by_kind(order: Order, rows: Sequence[Row], numbers: Iterable[int]) -> list[int]:
    """Some numbers by a value of their rows; equal ones stay in the order in which they are given."""
    value = OF_KIND[order.column]
    values = {id(row): value(row) for row in {id(row): row for row in rows}.values()}
    keys = [values[id(row)] for row in rows]
    return sorted(numbers, key=keys.__getitem__, reverse=order.down)  # type: ignore[arg-type]


def _words(names: Iterable[str]) -> set[str]:
    words, heads = set[str](), set[str]()
    for name in names:
        head, dot, word = name.rpartition(".")
        words.add(word)
        if dot:
            heads.add(head)
    for head in heads:
        words.update(head.split("."))
    return words


def _ranks(words: Iterable[str]) -> dict[str, str]:
    """A character for each word, so that words compare as they do in ``natural``."""
    keys = {word: natural(word) for word in words}
    ranks = {key: rank for rank, key in enumerate(sorted(set(keys.values())))}
    return {word: chr(min(ranks[key], _CHARACTERS - 1)) for word, key in keys.items()}


class _Keys:
    """Names as one character a word: short strings to compare, where ``natural`` makes tuples of tuples."""

    def __init__(self, ranks: dict[str, str]) -> None:
        self._ranks = ranks
        self._heads: dict[str, str] = {}

    def key(self, name: str) -> str:
        head, dot, word = name.rpartition(".")
        return (self._head(head) if dot else "") + self._ranks[word]

    def _head(self, head: str) -> str:
        key = self._heads.get(head)
        if key is None:
            key = self._heads[head] = "".join(map(self._ranks.__getitem__, head.split(".")))
        return key
