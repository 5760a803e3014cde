"""Tensors -> the modules that own them, as a tree of names.

A module owns its ``weight`` and ``bias``, its running statistics, and the scales of its quantized weight.
Any other tensor is a parameter of its own, a child of the module that it is named after.
"""

from collections.abc import Callable, Iterable

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.model import KindKey, Shape, Tally, Tensor, elements_in
from ckptinspect.naming.roles import Role
from ckptinspect.quant.leaves import split_leaf

DEEPEST = 64
"""Modules inside modules that are followed; a name with more dots is one word."""

_OWN = frozenset(("weight", "bias", "gamma", "beta", "scale", "running_mean", "running_var", "num_batches_tracked"))
_OWN |= {"weight_g", "weight_v", "weight_packed", "weight_shape", "weight_scale", "weight_scale_2"}
_OWN |= {"weight_global_scale", "input_global_scale", "input_scale", "output_scale", "qweight", "W_q"}
_BARE = frozenset({"", "blocks"})
_QUANTIZED = frozenset({Meaning.SCALE, Meaning.UNEXPLAINED, Meaning.LOW_RANK, Meaning.PHANTOM})
_PARAMETRIZED = ".parametrizations."
Split = Callable[[str], tuple[str | None, str]]


class Part(msgspec.Struct, frozen=True):
    """One tensor of a module: what follows the module's path in its name (empty for a bare parameter), what it
    is, and how many parameters it holds.

    A packed weight whose shape is known has that ``shape`` and the ``leaf`` of a plain one; ``container`` is then
    its leaf as stored. ``stored`` is the shape in the file.
    """

    leaf: str
    dtype: str
    shape: Shape
    nbytes: int
    parameters: int
    meaning: Meaning
    module: str
    role: Role
    stored: Shape
    container: str = ""

    @property
    def elements(self) -> int:
        """Elements as stored."""
        return elements_in(self.stored)

    @property
    def tally(self) -> Tally:
        """What the tensor amounts to."""
        unexplained = self.elements if self.meaning is Meaning.UNEXPLAINED else 0
        return Tally(1, self.nbytes, self.elements, self.parameters, unexplained)


class Node:
    """A module as it is named: its tensors (numbers into ``Owners.parts``) and the modules inside it."""

    __slots__ = ("children", "parts")

    def __init__(self) -> None:
        self.children: dict[str, Node] = {}
        self.parts: list[int] = []


class Owners:
    """The modules of one component, grown tensor by tensor."""

    def __init__(self) -> None:
        self.root = Node()
        self.parts: list[Part] = []
        self._nodes: dict[str, Node] = {}
        self._numbers: dict[tuple[str, KindKey, Meaning, int], int] = {}
        # By the identity of a row, which tensors of a kind share: to hash it takes longer than all else here.
        self._kinds: dict[int, _OfKind] = {}

    def add(self, tensor: Tensor, row: Row) -> None:
        """Give a tensor to the module that owns it."""
        kind = self._kinds.get(id(row))
        if kind is None:
            kind = self._kinds[id(row)] = _OfKind(row)
        path, leaf = kind.split(tensor.name)
        number = kind.numbers.get(leaf)
        if number is None:
            number = kind.numbers[leaf] = self._number(leaf, row)
        (self.root if path is None else self._node(path)).parts.append(number)

    def _number(self, leaf: str, row: Row) -> int:
        """The number of a part, by which equal ones of several rows are the same."""
        key = (leaf, row.kind.key, row.meaning, row.parameters)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.parts)
            self.parts.append(part_of(leaf, row))
        return number

    def _node(self, path: str) -> Node:
        node = self._nodes.get(path)
        if node is None:
            node = self._nodes[path] = Node()
            above, dot, word = path.rpartition(".") if path.count(".") < DEEPEST else ("", "", path)
            (self._node(above) if dot else self.root).children[word] = node
        return node


class _OfKind:
    """How the names of a row's tensors fall apart, and the numbers of their parts by what follows the path."""

    __slots__ = ("numbers", "row", "split")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.split = split_for(row)
        self.numbers: dict[str, int] = {}


def owners_of(rows: Iterable[tuple[Tensor, Row]]) -> dict[str, Owners]:
    """The modules of each component, by its name; the name is empty outside of pipelines."""
    found: dict[str, Owners] = {}
    for tensor, row in rows:
        owners = found.get(row.component)
        if owners is None:
            owners = found[row.component] = Owners()
        owners.add(tensor, row)
    return found


def part_of(leaf: str, row: Row) -> Part:
    """One tensor of a row as a part of the module that owns it."""
    kind, place = row.kind, row.place
    own = (kind.nbytes, row.parameters, row.meaning, place.module, Role(place.role), kind.shape)
    if row.shape is None:
        return Part(leaf, kind.dtype.code, kind.shape, *own)
    return Part("" if leaf in _BARE else "weight", kind.dtype.code, row.shape, *own, leaf or "packed")


def split_for(row: Row) -> Split:
    """How names of this template fall into a module's path and what follows it."""
    kind = row.kind
    if _PARAMETRIZED in kind.template:
        return _parametrized
    packed = row.meaning in _QUANTIZED or (row.meaning is Meaning.PARAMETER and row.parameters != kind.elements)
    leaf = split_leaf(kind.template)[1]
    if leaf != _plain(kind.template)[1] and (packed or leaf.startswith("weight.")):
        return split_leaf
    return _plain if packed or leaf in _OWN else _bare


def _plain(name: str) -> tuple[str | None, str]:
    path, dot, leaf = name.rpartition(".")
    return (path if dot else None), leaf


def _bare(name: str) -> tuple[str | None, str]:
    return name, ""


def _parametrized(name: str) -> tuple[str | None, str]:
    path, _, leaf = name.partition(_PARAMETRIZED)
    return path, leaf
