"""``diff``: a sentence, both sides by module, which names became which, and what else changed."""

from collections.abc import Iterator, Sequence

from ckptinspect.analysis.count import Count, Row
from ckptinspect.analysis.diff import Diff
from ckptinspect.analysis.diff.base import Change, Kind, name_of
from ckptinspect.analysis.diff.facts import Sides, record_of
from ckptinspect.analysis.diff.folds import Renamed, renamings
from ckptinspect.analysis.keys import GroupKey, keys_of, natural
from ckptinspect.analysis.notes import notes_on
from ckptinspect.analysis.tree import module_rank
from ckptinspect.model import Checkpoint, Note, Tally
from ckptinspect.report import v1
from ckptinspect.report.common import failed_data, notes_data, ref_data
from ckptinspect.report.diff_blocks import Shown, blocks_of, page_of
from ckptinspect.report.document import Report
from ckptinspect.text import escaped, quoted

_BY = keys_of("module")
# What a reader of a difference need not be told of either side.
_UNASKED = frozenset({"tied", "mtp", "alternatives"})


def diff_report(found: Diff, keys: Sequence[GroupKey] = (), limit: int | None = None, *, each: bool = False) -> Report:
    """What changed from one checkpoint to another, grouped by ``keys``, by module where none are given.

    ``limit`` is for the rows of every list. ``each`` gives every change a line, where otherwise those that are
    alike share one.
    """
    by = tuple(keys) or _BY
    names = renamings(found.changes, found.renaming)
    data = _data(found, by, names, limit)
    shown = Shown(found, data, names, by, limit, each)
    notes = tuple(note.message for note in data.notes)
    return Report(
        "diff",
        data,
        found.sentence,
        blocks_of(shown),
        notes,
        lambda: [record_of(change) for change in found.changes[:limit]],
        tuple(record_of(Change((), ()))),
        page=lambda: page_of(shown),
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
