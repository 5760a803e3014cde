"""``diff`` for people: both sides by group, which names became which, what else changed, and bars for a page."""

from collections.abc import Iterator, Sequence
from operator import attrgetter

import msgspec
from msgspec.structs import replace

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.diff import Diff
from ckptinspect.analysis.diff.base import Change, Kind, What
from ckptinspect.analysis.diff.folds import Fold, Renamed, folds, renamings
from ckptinspect.analysis.keys import GroupKey
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.quant.leaves import split_leaf
from ckptinspect.report import v1
from ckptinspect.report.common import title_of
from ckptinspect.report.document import Bars, Block, Cell, Column, Format, Lines, Table
from ckptinspect.text import bytes_text, few, shape_text

DEFAULT_LIMIT = 40
"""Rows of a table where nobody says how many; a page and the machine's formats give all."""

_NAMED_PARTS = 3
_SIDES = ("before", "after")
_MOST_BARS = 24


class Shown(msgspec.Struct, frozen=True):
    """What is to be shown of a difference: its groups by ``by``, at most ``limit`` rows of a list, ``each`` change by
    itself or those that are alike as one.
    """

    found: Diff
    data: v1.DiffData
    names: Sequence[Renamed]
    by: Sequence[GroupKey]
    limit: int | None
    each: bool


def blocks_of(shown: Shown) -> tuple[Block, ...]:
    """The blocks for a terminal, and for all that has no more room than that."""
    limit = shown.limit if shown.limit is not None or shown.each else DEFAULT_LIMIT
    lists = (_shortened(table, limit) for table in _lists(shown, sizes=False))
    return (_sides(shown.found), _groups(shown.data, shown.by, limit), *lists)


def page_of(shown: Shown) -> tuple[Block, ...]:
    """The blocks for a page: whole lists, with the bytes of every line, and bars."""
    lists = (_shortened(table, shown.limit) for table in _lists(shown, sizes=True))
    groups = _groups(shown.data, shown.by, shown.limit)
    return (_sides(shown.found), groups, *_bars(shown.data), *lists)


def _lists(shown: Shown, *, sizes: bool) -> Iterator[Table]:
    """What was renamed and what was changed, as far as there is any."""
    changes = shown.found.changes
    if shown.names:
        yield _names(renamings(changes, shown.found.renaming, each=True) if shown.each else shown.names)
    if len(shown.found.of(Kind.RENAMED)) < len(changes):
        yield _changes(folds(changes, each=shown.each), sizes=sizes)


def _sides(found: Diff) -> Lines:
    asides = (f"also {message}" for message in found.verdict.asides)
    return Lines((f"OLD  {title_of(found.old)}", f"NEW  {title_of(found.new)}", *asides))


def _groups(data: v1.DiffData, by: Sequence[GroupKey], limit: int | None) -> Table:
    """Both sides by the keys, the headers as a row of their own, and the sums over the whole files."""
    columns = (
        *(Column(key.name, Format.NAME) for key in by),
        Column("tensors", Format.TEXT, spare=5),
        Column("parameters before", Format.COUNT),
        Column("after", Format.COUNT),
        Column("parameters +/-", Format.COUNT_CHANGE, spare=4),
        Column("size", Format.TEXT, spare=2),
        Column("size +/-", Format.BYTES_CHANGE, spare=3),
    )
    blanks = [None] * (len(by) - 1)
    groups = data.groups[:limit]
    rows: list[Sequence[Cell]] = [
        (*(part or "''" for part in group.key), *_figures(group.before, group.after)) for group in groups
    ]
    if hidden := data.left_out + len(data.groups) - len(groups):
        rows.append((f"[{hidden:,} more]", *blanks, *[None] * 6))
    old, new = data.old, data.new
    headers = (0, 0) if data.match is not None else (old.header_bytes, new.header_bytes)
    if data.match is None:
        rows.append(("[header]", *blanks, *[None] * 4, _sizes(*headers), headers[1] - headers[0]))
    foot = ("total", *blanks, *_figures(old.compared, new.compared, headers))
    return Table(columns, rows, (foot,))


def _figures(before: v1.TallyData, after: v1.TallyData, headers: tuple[int, int] = (0, 0)) -> tuple[Cell, ...]:
    size, now = before.bytes + headers[0], after.bytes + headers[1]
    return (
        _tensors(before.tensors, after.tensors),
        *(before.parameters, after.parameters, after.parameters - before.parameters),
        *(_sizes(size, now), now - size),
    )


def _tensors(before: int, after: int) -> str:
    return _both(f"{before:,}", f"{after:,}")


def _sizes(before: int, after: int) -> str:
    return _both(bytes_text(before), bytes_text(after))


def _both(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _bars(data: v1.DiffData) -> Iterator[Bars]:
    """The bytes of both sides, headers included where all of the files is compared."""
    old, new = data.old, data.new
    rest = [("[header]", (old.header_bytes, new.header_bytes))] if data.match is None else []
    groups = [(" ".join(part or "''" for part in g.key), (g.before.bytes, g.after.bytes)) for g in data.groups]
    if data.left_out:
        shown = (sum(before for _, (before, _) in groups), sum(after for _, (_, after) in groups))
        rest.insert(0, (f"[{data.left_out:,} more]", (old.compared.bytes - shown[0], new.compared.bytes - shown[1])))
    yield Bars(f"Size by {' and '.join(data.by)}", _SIDES, (*_largest(groups), *rest))
    dtypes = [(dtype.dtype, (dtype.before.bytes, dtype.after.bytes)) for dtype in data.dtypes]
    yield Bars("Size by number format", _SIDES, (*_largest(dtypes), *rest[-1:]))


def _largest(rows: Sequence[tuple[str, tuple[int, int]]]) -> list[tuple[str, tuple[int, int]]]:
    """Those that there is room for, in their order, and the others as one."""
    if len(rows) <= _MOST_BARS:
        return list(rows)
    kept = sorted(range(len(rows)), key=lambda row: -max(rows[row][1]))[: _MOST_BARS - 1]
    others = [sizes for number, (_, sizes) in enumerate(rows) if number not in kept]
    rest = (sum(before for before, _ in others), sum(after for _, after in others))
    return [*(rows[number] for number in sorted(kept)), (f"[{len(others):,} others]", rest)]


def _names(names: Sequence[Renamed]) -> Table:
    columns = (Column("tensors", Format.COUNT), Column("name before", Format.NAME), Column("after", Format.NAME))
    return Table(columns, [(one.tensors, one.before, one.after) for one in names], title="Renamed", folds=True)


def _changes(lines: Sequence[Fold], *, sizes: bool) -> Table:
    columns: tuple[Column, ...] = (
        Column("change", Format.TEXT),
        Column("tensors", Format.COUNT),
        Column("name", Format.NAME),
        Column("from what to what", Format.NAME),
    )
    rows = [_line(fold) for fold in lines]
    if sizes:
        columns += (Column("size before", Format.SHORT_BYTES), Column("after", Format.SHORT_BYTES))
        rows = [(*row, *_bytes_of(fold)) for row, fold in zip(rows, lines, strict=True)]
    return Table(columns, rows, title="Changed", folds=True)


def _bytes_of(fold: Fold) -> tuple[int, int]:
    before, after = (
        sum(row.kind.nbytes for change in fold.changes for row in rows(change))
        for rows in (attrgetter("before"), attrgetter("after"))
    )
    return before, after


def _shortened(table: Table, limit: int | None) -> Table:
    """The first rows of a table, and how many there are more."""
    hidden = len(table.rows) - len(table.rows[:limit])
    return replace(table, rows=[*table.rows[:limit], *_more(hidden, len(table.columns))])


def _more(hidden: int, columns: int) -> list[Sequence[Cell]]:
    return [(*[None] * (columns - 2), f"[{hidden:,} more]", None)] if hidden > 0 else []


def _line(fold: Fold) -> Sequence[Cell]:
    change = fold.example
    sides = [_written(change, rows) for rows in (change.before, change.after) if rows]
    return change.kind.value, fold.tensors, fold.name, " → ".join(sides)


def _written(change: Change, rows: Sequence[Row]) -> str:
    """What stands on one side of a change, as far as the two differ in it."""
    if What.PARTS in change.what:
        return f"{len(rows):,} tensors" if len(rows) > 1 else _form(rows[0])
    if What.STORAGE in change.what:
        first, *others = (split_leaf(row.kind.example)[1] for row in rows)
        rest = f" + {few(sorted(set(others)), _NAMED_PARTS)}" if others else ""
        return f"{first} {_form(rows[0])}{rest}".strip()
    if change.what == (What.MEANING,):
        return "parameters" if rows[0].meaning is Meaning.PARAMETER else rows[0].meaning.value
    only = {What.DTYPE, What.SHAPE}.intersection(change.what)
    if only == {What.DTYPE}:
        return rows[0].kind.dtype.code
    return shape_text(rows[0].kind.shape) if only == {What.SHAPE} else _form(rows[0])


def _form(row: Row) -> str:
    return f"{row.kind.dtype.code} {shape_text(row.kind.shape)}"
