"""Two counted checkpoints -> their changes: by name, by another name, by module, by sum; the rest has no partner."""

from collections import Counter
from collections.abc import Collection, Iterable

import msgspec

from ckptinspect.analysis.count import Count
from ckptinspect.analysis.diff.base import Change, Name, differences, name_of
from ckptinspect.analysis.diff.regrouping import regrouped
from ckptinspect.analysis.diff.renaming import Renaming, by_ending, without_wrappers
from ckptinspect.analysis.diff.sides import Rows, unlike
from ckptinspect.analysis.diff.storage import stored_otherwise
from ckptinspect.analysis.keys import natural
from ckptinspect.model import Checkpoint


class Paired(msgspec.Struct, frozen=True):
    """All changes, in the order of their names, and what is known of names."""

    changes: tuple[Change, ...]
    renaming: Renaming


def paired(old: tuple[Checkpoint, Count], new: tuple[Checkpoint, Count]) -> Paired:
    """How two checkpoints differ, tensor by tensor. Needs checkpoints that were opened with their names."""
    left = unlike(old, new)
    both = left.old.keys() & left.new.keys()
    renaming = Renaming(_without(left.old, both), _without(left.new, both))
    renaming.by_prefixes()
    changes = _pairs(left.old, left.new, [(name, name) for name in both])
    changes += _pairs(left.old, left.new, renaming.pairs.items())
    changes = stored_otherwise(changes, renaming, old[1], new[1])
    found = len(renaming.pairs)
    renaming.by_templates(without_wrappers)
    renaming.by_templates(by_ending)
    modules = _Modules(old[1], renaming)
    renaming.by_order(modules.under_other_names)
    changes += _pairs(left.old, left.new, list(renaming.pairs.items())[found:])
    changes += regrouped(renaming, old[1], new[1], modules.related)
    changes += [Change((row,), ()) for row in (*renaming.old.values(), *left.again[0])]
    changes += [Change((), (row,)) for row in (*renaming.new.values(), *left.again[1])]
    return Paired(tuple(sorted(changes, key=_order)), renaming)


def _without(rows: Rows, names: Collection[Name]) -> Rows:
    return {name: row for name, row in rows.items() if name not in names}


def _pairs(old: Rows, new: Rows, names: Iterable[tuple[Name, Name]]) -> list[Change]:
    """A change for each pair of names whose tensors differ, if only in the names."""
    pairs = ((old[before], new[after]) for before, after in names)
    return [Change((before,), (after,), what) for before, after in pairs if (what := differences(before, after))]


class _Modules:
    """The modules of both sides, by the parameters in them that have no partner by name."""

    def __init__(self, old: Count, renaming: Renaming) -> None:
        self._all = {module: tally.parameters for (module,), tally in old.by(lambda row: row.place.module).items()}
        self._old, self._new = _parameters(renaming.old), _parameters(renaming.new)

    @property
    def under_other_names(self) -> set[str]:
        """Those that may go by other names as a whole: as many parameters are without partner on both sides."""
        return {module for module, parameters in self._old.items() if parameters == self._new[module] > 0}

    @property
    def related(self) -> set[str]:
        """These, and those of which more than a trace has a partner."""
        known = {module for module, count in self._all.items() if (count - self._old[module]) * 100 > count}
        return self.under_other_names | known


def _parameters(rows: Rows) -> "Counter[str]":
    found: Counter[str] = Counter()
    for row in rows.values():
        found[row.place.module] += row.parameters
    return found


def _order(change: Change) -> tuple[object, ...]:
    row = (change.after or change.before)[0]
    name = name_of(row)
    return name.component, natural(name.name), not change.after, row.shard
