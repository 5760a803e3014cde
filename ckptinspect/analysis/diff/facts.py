"""What is known of two checkpoints beside each other: their counts, and every change between them."""

from functools import cached_property

from msgspec.structs import replace

from ckptinspect.analysis.columns import figures_of, key_columns
from ckptinspect.analysis.count import Count, Row
from ckptinspect.analysis.diff.base import Change, Kind, What, main_row, name_of
from ckptinspect.analysis.diff.renaming import Renaming
from ckptinspect.analysis.keys import GroupKey, keys_of
from ckptinspect.analysis.names import by_tensor
from ckptinspect.model import Checkpoint, Tally
from ckptinspect.notebook import Columns, Tabular

Sides = tuple[Tally, Tally]

_SIDES = ("before", "after")

# What a kind tells; all other keys tell its tensors apart.
_BY_KIND = frozenset({"module", "dtype", "role"})


class Facts(Tabular, frozen=True, dict=True):
    """Two checkpoints, counted, and what changed from ``old`` to ``new``.

    ``before`` and ``after`` count what was compared: all tensors, or those that were asked for. ``changes`` are in
    the order of names; ``ignored`` are those in what was not to be looked at. Tensors that are the same on both
    sides are in neither.
    """

    old: Checkpoint
    new: Checkpoint
    before: Count
    after: Count
    changes: tuple[Change, ...]
    ignored: tuple[Change, ...]
    renaming: Renaming
    match: str | None = None
    ignore_dtype: bool = False

    @property
    def equal(self) -> bool:
        """Whether nothing changed."""
        return not self.changes

    def of(self, kind: Kind) -> tuple[Change, ...]:
        """The changes of one kind."""
        return self._by_kind.get(kind, ())

    @cached_property
    def _by_kind(self) -> dict[Kind, tuple[Change, ...]]:
        found: dict[Kind, list[Change]] = {}
        for change in self.changes:
            found.setdefault(change.kind, []).append(change)
        return {kind: tuple(changes) for kind, changes in found.items()}

    @cached_property
    def difference(self) -> Tally:
        """What NEW has more than OLD; figures may be negative."""
        return self.after.total - self.before.total

    @cached_property
    def same(self) -> Tally:
        """The tensors that are the same on both sides, by name, dtype, shape and meaning."""
        return self.before.total - sum((change.lost for change in (*self.changes, *self.ignored)), Tally())

    @cached_property
    def kept(self) -> int:
        """The parameters of OLD that NEW has too, in whichever form."""
        changed = (change.parameters for change in (*self.changes, *self.ignored) if What.SHAPE not in change.what)
        return self.same.parameters + sum(before for before, after in changed if before == after)

    @cached_property
    def same_model(self) -> bool:
        """Whether NEW holds all parameters of OLD and no others, in whichever form and under whichever names."""
        changed = all(
            before == after and not (before and What.SHAPE in change.what)
            for change in self.changes
            for before, after in [change.parameters]
        )
        return changed and not (self.before.total.unexplained or self.after.total.unexplained)

    def by(self, *keys: GroupKey) -> dict[tuple[str, ...], Sides]:
        """What each side holds under the path that ``keys`` give its tensors, those of OLD under their names in NEW.

        The first sides sum to ``before.total``, the second to ``after.total``.
        """
        left, right = self.before, self.after
        if any(key.name not in _BY_KIND for key in keys):
            left, right = self._translated, by_tensor(self.new, right) if self.match is None else right
        before, after = (count.by(*(key.of for key in keys)) for count in (left, right))
        return {path: (before.get(path, Tally()), after.get(path, Tally())) for path in {**before, **after}}

    @property
    def _translated(self) -> Count:
        """The tensors of OLD, one by one, by the names that they have in NEW."""
        counted = by_tensor(self.old, self.before) if self.match is None else self.before
        return replace(counted, rows=tuple(map(self._renamed, counted.rows)))

    def _renamed(self, row: Row) -> Row:
        name = name_of(row)
        target = self.renaming.of(name)
        naming = self.after.namings.get(target.component)
        if target == name or naming is None:
            return row
        place = naming.place(target.name, target.component)
        return replace(row, kind=replace(row.kind, example=target.name), place=place, component=target.component)

    def columns(self, by: str = "") -> Columns:
        """A row for each change, of which the tensor with the weights gives dtype and shape; or tallies by keys."""
        if by:
            keys = keys_of(by)
            tallies = self.by(*keys)
            sides = list(zip(*tallies.values(), strict=True)) or [(), ()]
            before, after = (figures_of(side, suffix=f"_{name}") for side, name in zip(sides, _SIDES, strict=True))
            return key_columns(keys, list(tallies)) | before | after
        records = [record_of(change) for change in self.changes]
        return {name: [record[name] for record in records] for name in record_of(Change((), ()))}


def record_of(change: Change) -> dict[str, object]:
    """A change as one flat row."""
    sides = {"before": change.before, "after": change.after}
    rows = change.after or change.before
    found: dict[str, object] = {
        "change": change.kind.value if rows else None,
        "what": ",".join(change.what),
        "module": rows[0].place.module if rows else None,
    }
    for side, tensors in sides.items():
        main = main_row(tensors) if tensors else None
        total = sum((row.tally for row in tensors), Tally())
        found |= {
            f"{side}_name": str(name_of(main)) if main is not None else None,
            f"{side}_dtype": main.kind.dtype.code if main is not None else None,
            f"{side}_shape": main.kind.shape if main is not None else None,
            f"{side}_tensors": total.tensors,
            f"{side}_parameters": total.parameters,
            f"{side}_bytes": total.nbytes,
        }
    return found
