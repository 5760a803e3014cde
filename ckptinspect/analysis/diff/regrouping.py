"""The same parameters in other tensors: experts fused into one, a ``qkv`` split in three.

Where neither names nor shapes pair, sums may: tensors of one place that hold as many parameters before as after.
"""

from collections.abc import Callable, Container, Hashable, Iterable, Iterator

from ckptinspect.analysis.count import Count, Row
from ckptinspect.analysis.diff.base import Change, What, name_of
from ckptinspect.analysis.diff.renaming import Renaming
from ckptinspect.analysis.diff.storage import SERVING, scheme_of, weights_first

_Place = Callable[[Row], Hashable]
# From the narrowest place to the widest.
_PLACES: tuple[_Place, ...] = (
    lambda row: (row.place.module, row.place.layer, row.place.role),
    lambda row: (row.place.module, row.place.role),
    lambda row: row.place.module,
)


def regrouped(renaming: Renaming, old: Count, new: Count, modules: Container[str]) -> Iterator[Change]:
    """The tensors without a partner, in these modules, whose parameters are in other tensors of the same place."""
    for place in _PLACES:
        before, after = (
            _by(place, (row for row in rows.values() if row.place.module in modules))
            for rows in (renaming.old, renaming.new)
        )
        for key in [key for key in before if key in after]:
            held = [sum(row.parameters for row in rows) for rows in (before[key], after[key])]
            if held[0] == held[1] > 0:
                renaming.leave_out(map(name_of, before[key]), map(name_of, after[key]))
                yield _change(before[key], after[key], old, new)


def _by(place: _Place, rows: Iterable[Row]) -> dict[Hashable, list[Row]]:
    """The rows that hold parameters, or serve those that do, by place."""
    found: dict[Hashable, list[Row]] = {}
    for row in rows:
        if row.parameters or row.meaning in SERVING:
            found.setdefault(place(row), []).append(row)
    return found


def _change(before: list[Row], after: list[Row], old: Count, new: Count) -> Change:
    """The change; one of storage too where the weights are quantized on one side, or otherwise."""
    forms = [
        {found.scheme for row in rows if (found := scheme_of(counted, row))}
        for rows, counted in ((before, old), (after, new))
    ]
    weights = [sum(bool(row.parameters) for row in rows) for rows in (before, after)]
    stored = forms[0] != forms[1]
    parts = not stored or weights[0] != weights[1]
    what = (What.NAME, *[What.STORAGE] * stored, *[What.PARTS] * parts)
    return Change(weights_first(before), weights_first(after), what)
