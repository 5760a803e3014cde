"""Kinds -> units: which tensors of a checkpoint belong to one module, told by kinds wherever those can tell.

Kinds fold names that differ in their digits. Where every leaf of a folded path has one kind, and as many tensors
as the others, all modules of that path are alike. Where layers differ in width or bits, only names tell which
scale belongs to which weight: then the modules are grouped by what they hold, and each group is a unit.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from ckptinspect.dtypes import INTEGERS
from ckptinspect.model import Header, Kind, KindKey, merged
from ckptinspect.quant.base import FLOATS, FP8, MOST_KINDS, Unit
from ckptinspect.quant.leaves import TELLING, by_module, split_leaf

NamedKey = tuple[str, KindKey]

# Leaves whose elements are not the parameters themselves, whatever their dtype.
_CONTAINERS = frozenset(
    (
        *("qweight", "weight_packed", "W_q", "blocks", "codes", "trellis", "q_weight", "B", "indices", "absmax"),
        *("weight.absmax", "weight_absmax", "dense_weights", "embedding_quantized", "compressed", "weight.compressed"),
        *("_weight_qdata", "weight._data", "weight._data._data", "B_24", "dqweight", "forward_hadamard_matrix"),
    )
)
# Where no tensor is of integers, these may still have to be told apart.
_ANY_DTYPE = ("hadamard_matrix", "._data", "_qdata", ".scale", ".scales")
_WEIGHTS = ("weight", "")
# What stands beside bytes that are a parameter each, which need not be told apart.
_BYTEWISE = frozenset({"SCB", "weight_scale"})
# What may be learned, in a module of its own, or be scales of the bytes in another one of the same name.
_EITHER = ("scale", "scales")
# Kinds of a header with which a folded path may have as many.
_MANY = 256
_PACKING = frozenset({"U8", "U16", "U32", "U64", "I16", "I32", "I64"})


class Units(msgspec.Struct, frozen=True):
    """The units of a component. ``by_key`` gives the unit of every tensor of a kind; for kinds ``apart``, that stand
    in several units, ``by_path`` gives it by the path of a tensor's module. ``apart`` has what follows the path in
    a name of each kind, with the dot or underscore in front of it: nothing in that of a bare parameter.
    """

    units: tuple[Unit, ...]
    by_key: Mapping[KindKey, int]
    by_path: Mapping[str, int] = {}
    apart: Mapping[KindKey, str] = {}

    def number(self, name: str, key: KindKey) -> int:
        """Which unit a tensor of a kind that is ``apart`` belongs to; -1 where it belongs to none."""
        return self.by_path.get(_path(name, self.apart[key]), -1)


def needs_names(headers: Iterable[Header]) -> bool:
    """Whether the units in these headers can be told by the names of their tensors only."""
    headers = tuple(headers)
    kinds = [kind for header in headers for kind in header.kinds]
    few = all(len(header.kinds) <= _MANY for header in headers)
    if few and not any(kind.dtype.family in INTEGERS or kind.template.endswith(_ANY_DTYPE) for kind in kinds):
        return False
    return any(not _alike(leaves) and _is_packed(leaves) for leaves in _groups(merged(kinds)).values())


def units_of(kinds: Sequence[Kind], named: Iterable[NamedKey] | None = None, *, every: bool = False) -> Units:
    """The units of these kinds; ``named`` are all tensors, by name and kind, for those that need it.

    ``every`` makes a unit of every module, and not only of those that one of our own schemes may know.
    """
    units: list[Unit] = []
    by_key: dict[KindKey, int] = {}
    apart: dict[KindKey, str] = {}
    for leaves in _groups(kinds, every=every).values():
        if named is not None and not _alike(leaves) and _is_packed(leaves):
            apart |= {kind.key: _behind(kind) if leaf else "" for leaf, found in leaves.items() for kind in found}
            continue
        by_key |= {kind.key: len(units) for found in leaves.values() for kind in found}
        units.append(_unit(leaves))
    if not apart or named is None:
        return Units(tuple(units), by_key)
    by_path: dict[str, int] = {}
    by_kind = {kind.key: kind for kind in kinds}
    modules = _modules(named, apart)
    for signature, paths in _signatures(modules).items():
        by_path |= dict.fromkeys(paths, len(units))
        units.append(_alike_unit(paths, signature, by_kind))
    return Units(tuple(units), by_key, by_path, apart)


def _groups(kinds: Iterable[Kind], *, every: bool = False) -> dict[str, dict[str, list[Kind]]]:
    """The leaves of every folded path that may be a quantized module's."""
    groups = by_module(kind for kind in kinds if kind.example)
    return {path: leaves for path, leaves in sorted(groups.items()) if every or not TELLING.isdisjoint(leaves)}


def _alike(leaves: Mapping[str, Sequence[Kind]]) -> bool:
    """Whether all modules of a path have the same tensors: as many of each, and the first of each in one module."""
    if not all(len(found) == 1 for found in leaves.values()) or len(_counts(leaves)) != 1:
        return False
    return len({_module_of(leaf, found[0]) for leaf, found in leaves.items()}) == 1


def _module_of(leaf: str, kind: Kind) -> str:
    return split_leaf(kind.example)[0] if leaf else kind.example


def _counts(leaves: Mapping[str, Sequence[Kind]]) -> set[int]:
    return {sum(kind.count for kind in found) for found in leaves.values()}


def _is_packed(leaves: Mapping[str, Sequence[Kind]]) -> bool:
    """Whether the modules hold weights whose elements are not the parameters themselves, or whose scales are not
    known by their names; or so many that it takes names to look at each with its own.
    """
    if not _CONTAINERS.isdisjoint(leaves) or any(len(found) > MOST_KINDS for found in leaves.values()):
        return True
    codes = {kind.dtype.code for leaf in _WEIGHTS for kind in leaves.get(leaf, ())}
    if not _PACKING.isdisjoint(codes) or ("I8" in codes and _BYTEWISE.isdisjoint(leaves)):
        return True
    return not FP8.isdisjoint(codes) and any(
        kind.dtype.code in FLOATS for leaf in _EITHER for kind in leaves.get(leaf, ())
    )


def _unit(leaves: Mapping[str, Sequence[Kind]]) -> Unit:
    first = next(iter(leaves.values()))[0]
    counts = _counts(leaves)
    path = first.example if "" in leaves and first in leaves[""] else split_leaf(first.example)[0]
    modules = counts.pop() if len(counts) == 1 else None
    return Unit(path, {leaf: tuple(found) for leaf, found in leaves.items()}, modules)


_Module = tuple[tuple[str, KindKey], ...]


def _behind(kind: Kind) -> str:
    """What follows the module's path in the names of a kind, with what is before it."""
    return kind.example[len(split_leaf(kind.example)[0]) :]


def _path(name: str, behind: str) -> str:
    """The path of a tensor's module. Names of a kind differ in their digits, and so may what follows the path."""
    return name[: -len(behind)] if behind and name.endswith(behind) else split_leaf(name)[0] if behind else name


def _modules(named: Iterable[NamedKey], apart: Mapping[KindKey, str]) -> dict[str, _Module]:
    """What each module holds: the kinds of its tensors with what follows its path, sorted."""
    found: dict[str, list[tuple[str, KindKey]]] = {}
    for name, key in named:
        if (behind := apart.get(key)) is not None:
            path = _path(name, behind)
            found.setdefault(path, []).append((name[len(path) :], key))
    return {path: tuple(sorted(held)) for path, held in found.items()}


def _signatures(modules: Mapping[str, _Module]) -> dict[_Module, list[str]]:
    """Modules that hold the same, in the order of their first."""
    found: dict[_Module, list[str]] = {}
    for path, held in modules.items():
        found.setdefault(held, []).append(path)
    return found


def _alike_unit(paths: Sequence[str], signature: _Module, kinds: Mapping[KindKey, Kind]) -> Unit:
    leaves: dict[str, tuple[Kind, ...]] = {}
    for (behind, key), times in Counter(signature).items():
        example = f"{paths[0]}{behind}"
        leaf = split_leaf(example)[1] if behind else ""
        kind = msgspec.structs.replace(kinds[key], count=times * len(paths), example=example)
        leaves[leaf] = (*leaves.get(leaf, ()), kind)
    return Unit(paths[0], leaves, len(paths))


def parts_of(units: Units, named: Iterable[NamedKey]) -> Iterator[tuple[KindKey, int]]:
    """For each tensor whose kind stands in several units, its kind and its unit."""
    return ((key, units.number(name, key)) for name, key in named if key in units.apart)
