"""Modules whose weights are stored in another way: one change for a weight and all that serves it.

A quantized module has ``qweight``, ``qzeros`` and ``scales`` where the plain one has ``weight``. They are paired by
the module's path, whatever the tensors are called.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ckptinspect.analysis.count import Count, Row
from ckptinspect.analysis.diff.base import Change, Kind, Name, What, name_of
from ckptinspect.analysis.diff.renaming import Renaming
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.quant.base import Explained
from ckptinspect.quant.leaves import split_leaf

SERVING = frozenset({Meaning.SCALE, Meaning.LOW_RANK, Meaning.PHANTOM})
"""What stands beside a quantized weight."""


def scheme_of(counted: Count, row: Row) -> Explained | None:
    """What a scheme says of the module that a tensor belongs to; None where none of them knows it."""
    quantized = counted.quantized.get(row.component)
    if quantized is None:
        return None
    key = row.kind.key
    unit = row.unit if row.unit is not None else quantized.units.by_key.get(key)
    found = quantized.explained[unit] if unit is not None and unit >= 0 else None
    if found is None or not found.parameters:
        return None
    return found if any(kind.key == key for kind in (*found.parameters, *found.bookkeeping)) else None


def stored_otherwise(pairs: Iterable[Change], renaming: Renaming, old: Count, new: Count) -> list[Change]:
    """The pairs, with one change in the place of all that belong to a module of which the storage has changed.

    Tensors without a partner that belong to such a module are in its change, and looked for no more.
    """
    modules = _Modules(old, new)
    plain = [pair for pair in pairs if not modules.add_pair(pair)]
    modules.add_rest({renaming.of(name): row for name, row in renaming.old.items()}, renaming.new)
    stored = list(modules.changes())
    for change in stored:
        renaming.leave_out(map(name_of, change.before), map(name_of, change.after))
    return [*plain, *modules.undecided, *stored]


class _Item(NamedTuple):
    """A tensor without a partner, of OLD (0) or NEW (1): its name in NEW, its module, and what follows it."""

    side: int
    name: Name
    row: Row
    path: Name
    leaf: str
    serves: bool

    @property
    def belongs(self) -> bool:
        """Whether it is the weight of its module, or what is no plain parameter."""
        plain = self.row.meaning is Meaning.PARAMETER and self.row.parameters == self.row.kind.elements
        return self.serves or self.leaf == "weight" or not plain


class _Modules:
    """What is left on either side of the modules that are quantized on one of them, by their paths in NEW."""

    def __init__(self, old: Count, new: Count) -> None:
        self._old, self._new = old, new
        self._known: dict[tuple[int, str, object, int | None], bool] = {}
        self._pairs: dict[Name, Change] = {}
        self._rows: dict[Name, tuple[list[Row], list[Row]]] = {}
        self.undecided: list[Change] = []

    def add_pair(self, pair: Change) -> bool:
        """Whether a pair is of such a module, and differs in more than names."""
        (before,), (after,) = pair.before, pair.after
        found = pair.kind is Kind.CHANGED and (self._serves(self._old, before) or self._serves(self._new, after))
        if found:
            self._pairs[name_of(after)] = pair
        return found

    def add_rest(self, old: dict[Name, Row], new: dict[Name, Row]) -> None:
        """Take what has no partner; names are those of NEW."""
        items = []
        paths = {_path(name) for name in self._pairs}
        for side, (rows, counted) in enumerate(((old, self._old), (new, self._new))):
            for name, row in rows.items():
                path, leaf = split_leaf(name.name)
                items.append(_Item(side, name, row, Name(name.component, path), leaf, self._serves(counted, row)))
                if items[-1].serves:
                    paths.add(items[-1].path)
        for item in items:
            # Of a bare parameter, the scales are named after it.
            home = item.name if item.name in paths else item.path
            if home == item.name or (item.belongs and home in paths):
                self._rows.setdefault(home, ([], []))[item.side].append(item.row)

    def changes(self) -> Iterator[Change]:
        """A change for each module that both sides have."""
        pairs: dict[Name, list[Change]] = {}
        for name, pair in self._pairs.items():
            pairs.setdefault(name if name in self._rows else _path(name), []).append(pair)
        for path in {**pairs, **self._rows}:
            before, after = self._rows.get(path, ([], []))
            before = [*(row for pair in pairs.get(path, ()) for row in pair.before), *before]
            after = [*(row for pair in pairs.get(path, ()) for row in pair.after), *after]
            if before and after:
                left, right = weights_first(before), weights_first(after)
                own = name_of(left[0])
                moved = path not in {own, _path(own)}
                yield Change(left, right, (*[What.NAME] * moved, What.STORAGE))
            else:
                self.undecided += pairs.get(path, ())

    def _serves(self, counted: Count, row: Row) -> bool:
        """Whether a tensor is a quantized weight or serves one; asked once for all of its kind."""
        key = (id(counted), row.component, row.kind.key, row.unit)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = row.meaning in SERVING or scheme_of(counted, row) is not None
        return known


def _path(name: Name) -> Name:
    return Name(name.component, split_leaf(name.name)[0])


def weights_first(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The weights first, then what serves them."""
    return tuple(sorted(rows, key=lambda row: (-row.parameters, -row.kind.nbytes, row.kind.example)))
