"""``diff``: a sentence, both sides by module, which names became which, and what else changed."""

from collections.abc import Iterator, Sequence

from ckptinspect.analysis.count import Count, Row
from ckptinspect.analysis.diff import Diff
from ckptinspect.analysis.diff.base import Change, Kind, What, name_of
from ckptinspect.analysis.diff.facts import Sides, record_of
from ckptinspect.analysis.diff.folds import Fold, Renamed, folds, renamings
from ckptinspect.analysis.keys import GroupKey, keys_of, natural
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.analysis.notes import notes_on
from ckptinspect.analysis.tree import module_rank
from ckptinspect.model import Checkpoint, Note, Tally
from ckptinspect.quant.leaves import split_leaf
from ckptinspect.report import v1
from ckptinspect.report.common import failed_data, notes_data, ref_data, title_of
from ckptinspect.report.document import Block, Cell, Column, Format, Lines, Report, Table
from ckptinspect.text import bytes_text, escaped, few, quoted, shape_text

DEFAULT_LIMIT = 40
"""Rows of a table where nobody says how many; the machine's formats give all."""

_BY = keys_of("module")
# What a reader of a difference need not be told of either side.
_UNASKED = frozenset({"tied", "mtp", "alternatives"})
_NAMED_PARTS = 3


def diff_report(found: Diff, keys: Sequence[GroupKey] = (), limit: int | None = None, *, each: bool = False) -> Report:
    """What changed from one checkpoint to another, grouped by ``keys``, by module where none are given.

    ``limit`` is for the rows of every list. ``each`` gives every change a line, where otherwise those that are
    alike share one.
    """
    by = tuple(keys) or _BY
    names = renamings(found.changes, found.renaming)
    data = _data(found, by, names, limit)
    shown = limit if limit is not None or each else DEFAULT_LIMIT
    blocks: list[Block] = [_sides(found), _groups(data, by, shown)]
    if data.renamings:
        each_name = renamings(found.changes, found.renaming, each=True) if each else names
        blocks.append(_names(each_name, shown))
    if len(found.of(Kind.RENAMED)) < len(found.changes):
        blocks.append(_changes(found, shown, each=each))
    notes = tuple(note.message for note in data.notes)
    return Report(
        "diff",
        data,
        found.sentence,
        tuple(blocks),
        notes,
        lambda: [record_of(change) for change in found.changes[:limit]],
        tuple(record_of(Change((), ()))),
    )


def _data(found: Diff, by: Sequence[GroupKey], names: Sequence[Renamed], limit: int | None) -> v1.DiffData:
    modules, dtypes = found.by(*keys_of("module")), found.by(*keys_of("dtype"))
    groups = _ordered(found.by(*by), by)
    return v1.DiffData(
        old=_compared(found.old, found.before),
        new=_compared(found.new, found.after),
        match=found.match,
        ignore_dtype=found.ignore_dtype,
        equal=found.equal,
        sentence=found.sentence,
        clauses=tuple(v1.ClauseData(c.code, c.message, len(c.changes), c.aside) for c in found.verdict.clauses),
        counts=_counts(found),
        difference=_difference(found),
        modules=tuple(v1.ModuleDiffData(path[0], *map(_tally, t)) for path, t in _ordered(modules, keys_of("module"))),
        dtypes=tuple(v1.DtypeDiffData(path[0], *map(_tally, t)) for path, t in _ordered(dtypes, keys_of("dtype"))),
        by=tuple(key.name for key in by),
        groups=tuple(v1.GroupDiffData(path, *map(_tally, t)) for path, t in groups[:limit]),
        left_out=len(groups) - len(groups[:limit]),
        added=tuple(_tensor(change.after[0]) for change in found.of(Kind.ADDED)[:limit]),
        removed=tuple(_tensor(change.before[0]) for change in found.of(Kind.REMOVED)[:limit]),
        changed=tuple(
            v1.ChangedData(tuple(change.what), tuple(map(_tensor, change.before)), tuple(map(_tensor, change.after)))
            for change in found.of(Kind.CHANGED)[:limit]
        ),
        renamed=tuple(
            v1.RenamedData(_name(change.before[0]), _name(change.after[0])) for change in found.of(Kind.RENAMED)[:limit]
        ),
        renamings=tuple(v1.RenamingData(one.before, one.after, one.tensors) for one in names),
        notes=notes_data(list(_notes(found))),
    )


def _compared(checkpoint: Checkpoint, counted: Count) -> v1.ComparedData:
    read = [shard for shard in checkpoint.shards if shard.header is not None]
    return v1.ComparedData(
        ref=ref_data(checkpoint.ref),
        via=checkpoint.via,
        layout=checkpoint.layout,
        files=len(read),
        file_bytes=sum(shard.size for shard in read),
        header_bytes=sum(shard.header.nbytes for shard in read if shard.header is not None),
        failed=failed_data(checkpoint),
        compared=_tally(counted.total),
    )


def _counts(found: Diff) -> v1.DiffCountsData:
    return v1.DiffCountsData(
        same=found.same.tensors,
        ignored=len(found.ignored),
        renamed=len(found.of(Kind.RENAMED)),
        changed=len(found.of(Kind.CHANGED)),
        added=len(found.of(Kind.ADDED)),
        removed=len(found.of(Kind.REMOVED)),
    )


def _difference(found: Diff) -> v1.DiffSumsData:
    added = sum((change.gained for change in found.of(Kind.ADDED)), Tally())
    removed = Tally() - sum((change.lost for change in found.of(Kind.REMOVED)), Tally())
    total = found.difference
    return v1.DiffSumsData(*map(_tally, (added, removed, total - added - removed, total)))


def _tally(tally: Tally) -> v1.TallyData:
    return v1.TallyData(tally.tensors, tally.stored, tally.parameters, tally.unexplained, tally.nbytes)


def _tensor(row: Row) -> v1.SideTensorData:
    kind = row.kind
    return v1.SideTensorData(
        component=row.component,
        name=kind.example,
        dtype=kind.dtype.code,
        shape=kind.shape,
        parameters=row.parameters,
        bytes=kind.nbytes,
        module=row.place.module,
        file=row.shard,
    )


def _name(row: Row) -> v1.NameData:
    return v1.NameData(*name_of(row))


def _ordered(tallies: dict[tuple[str, ...], Sides], by: Sequence[GroupKey]) -> list[tuple[tuple[str, ...], Sides]]:
    """Groups in the order of a forward pass, layers by their numbers."""

    def order(path: tuple[str, ...]) -> list[tuple[object, ...]]:
        return [
            module_rank(text) if key.name == "module" else natural(text) for key, text in zip(by, path, strict=True)
        ]

    return sorted(tallies.items(), key=lambda item: order(item[0]))


def _notes(found: Diff) -> Iterator[Note]:
    """What is to be known of one side or both, and of the comparison."""
    if found.match is not None and not found.before.rows and not found.after.rows:
        hint = "" if "*" in found.match else f"; a GLOB is for whole names: try '*{escaped(found.match)}*'"
        yield Note("no-match", f"no name matches {quoted(found.match)}{hint}")
    elif found.match is not None:
        yield Note("match", f"only tensors whose names match {quoted(found.match)} are compared, on either side")
    if found.equal:
        yield Note("values", "values are not compared: a fine-tune that keeps names, dtypes and shapes looks the same")
    sides = (("OLD", found.old, found.before), ("NEW", found.new, found.after))
    for side, checkpoint, counted in sides:
        for note in notes_on(checkpoint, counted):
            if note.code not in _UNASKED:
                yield Note(note.code, f"{side}: {note.message}")


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


def _names(names: Sequence[Renamed], limit: int | None) -> Table:
    columns = (Column("tensors", Format.COUNT), Column("name before", Format.NAME), Column("after", Format.NAME))
    rows: list[Sequence[Cell]] = [(one.tensors, one.before, one.after) for one in names[:limit]]
    rows += _more(len(names) - len(rows), len(columns))
    return Table(columns, rows, title="Renamed", folds=True)


def _changes(found: Diff, limit: int | None, *, each: bool) -> Table:
    columns = (
        Column("change", Format.TEXT),
        Column("tensors", Format.COUNT),
        Column("name", Format.NAME),
        Column("from what to what", Format.NAME),
    )
    lines = folds(found.changes, each=each)
    rows: list[Sequence[Cell]] = [_line(fold) for fold in lines[:limit]]
    rows += _more(len(lines) - len(rows), len(columns))
    return Table(columns, rows, title="Changed", folds=True)


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
