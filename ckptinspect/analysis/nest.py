"""Names -> modules inside modules, down to the single tensor; those that are alike are one.

A name's words between dots are the way to a tensor, so that every name can be put together again. The 256 experts
of a layer, or 28 equal layers, are one value that stands in 256 or 28 places: 92,000 tensors of DeepSeek-V3 are a
few dozen values.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.keys import natural
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.model import Shape, Tally, Tensor
from ckptinspect.naming.base import MODULES

DEEPEST = 64
"""Modules inside modules that are followed; what is deeper in a name is one word."""

_ORDER = {module: number for number, module in enumerate(MODULES)}


class Leaf(msgspec.Struct, frozen=True):
    """What a tensor is, without its name. ``scheme`` is what it is quantized by, empty where it is not."""

    dtype: str
    shape: Shape
    nbytes: int
    elements: int
    parameters: int
    meaning: Meaning
    role: str
    scheme: str

    @property
    def tally(self) -> Tally:
        """What the tensor amounts to."""
        unexplained = self.elements if self.meaning is Meaning.UNEXPLAINED else 0
        return Tally(1, self.nbytes, self.elements, self.parameters, unexplained)


class Nest(msgspec.Struct, frozen=True, eq=False):
    """A module with all that is in it: tensors (numbers into ``Contents.leaves``) and modules, by one word each.

    Modules that hold the same under the same words share one ``number``.
    """

    number: int
    tensors: tuple[tuple[str, int], ...]
    inside: "tuple[tuple[str, Nest], ...]"
    tally: Tally


class Contents(msgspec.Struct, frozen=True):
    """Every tensor of a checkpoint below the module of ``show`` that it counts for.

    ``files`` has a path for each tensor in the order of ``walk``, as runs of the same.
    """

    modules: tuple[tuple[str, Nest], ...]
    leaves: tuple[Leaf, ...]
    files: tuple[tuple[str, int], ...]

    @property
    def total(self) -> Tally:
        """All of it."""
        return sum((nest.tally for _, nest in self.modules), Tally())


def contents(rows: Iterable[tuple[Tensor, Row]]) -> Contents:
    """The tensors, each with a row of its own, folded by their names."""
    grower = _Grower()
    for tensor, row in rows:
        grower.add(tensor.name, row)
    return grower.contents()


def walk(nest: Nest, above: str = "") -> Iterator[tuple[str, int]]:
    """Every tensor below, by its name, with the number of its leaf: a module's own first, then what is inside it."""
    for word, leaf in nest.tensors:
        yield above + word, leaf
    for word, inner in nest.inside:
        yield from walk(inner, f"{above}{word}.")


class _Twig:
    """A module while it grows. Its tensors are (word, leaf, file)."""

    __slots__ = ("inside", "tensors")

    def __init__(self) -> None:
        self.tensors: list[tuple[str, int, int]] = []
        self.inside: dict[str, _Twig] = {}


class _Grower:
    """Takes in tensors one by one, and folds them in the end."""

    def __init__(self) -> None:
        self._roots: dict[str, _Twig] = {}
        self._twigs: dict[tuple[str, str], _Twig] = {}
        self._leaves: list[Leaf] = []
        self._leaf_of: dict[tuple[object, ...], int] = {}
        self._files: dict[str, int] = {}
        self._in_order: list[int] = []
        self._nests: dict[object, Nest] = {}

    def add(self, name: str, row: Row) -> None:
        path, word = _split(name) if name.count(".") <= DEEPEST else ("", name)
        file = self._files.setdefault(row.shard, len(self._files))
        self._twig(row.place.module, path).tensors.append((word, self._leaf(row), file))

    def contents(self) -> Contents:
        ordered = sorted(self._roots.items(), key=lambda item: (_ORDER.get(item[0], len(_ORDER)), item[0]))
        modules = tuple((module, self._folded(root)) for module, root in ordered)
        paths = tuple(self._files)
        runs = tuple((paths[file], sum(1 for _ in run)) for file, run in groupby(self._in_order))
        return Contents(modules, tuple(self._leaves), runs)

    def _twig(self, module: str, path: str) -> _Twig:
        """The twig of a path; that of the module itself where the path is empty."""
        if not path:
            return self._roots.setdefault(module, _Twig())
        twig = self._twigs.get((module, path))
        if twig is None:
            above, word = _split(path)
            twig = self._twigs[module, path] = self._twig(module, above).inside.setdefault(word, _Twig())
        return twig

    def _leaf(self, row: Row) -> int:
        kind = row.kind
        own = (row.parameters, row.meaning, row.place.role, row.scheme)
        key = (kind.dtype.code, kind.shape, kind.nbytes, *own)
        number = self._leaf_of.get(key)
        if number is None:
            number = self._leaf_of[key] = len(self._leaves)
            self._leaves.append(Leaf(kind.dtype.code, kind.shape, kind.nbytes, kind.elements, *own))
        return number

    def _folded(self, twig: _Twig) -> Nest:
        tensors = sorted(twig.tensors, key=lambda item: natural(item[0]))
        self._in_order += [file for _, _, file in tensors]
        own = tuple((word, leaf) for word, leaf, _ in tensors)
        inside = tuple((word, self._folded(twig.inside[word])) for word in sorted(twig.inside, key=natural))
        key = (own, tuple((word, nest.number) for word, nest in inside))
        nest = self._nests.get(key)
        if nest is None:
            tallies = (*(self._leaves[leaf].tally for _, leaf in own), *(nest.tally for _, nest in inside))
            nest = self._nests[key] = Nest(len(self._nests), own, inside, sum(tallies, Tally()))
        return nest


def _split(path: str) -> tuple[str, str]:
    """What is before the last dot and the word behind it; a path that begins with its only dot is one word.

    >>> _split("a.b.c"), _split("c"), _split(".c")
    (('a.b', 'c'), ('', 'c'), ('', '.c'))
    """
    above, _, word = path.rpartition(".")
    return (above, word) if above else ("", path)
