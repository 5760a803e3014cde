"""``bench``: how fast the files load, beside what bounds them."""

import os
from collections.abc import Callable, Iterator, Sequence

from ckptinspect.bench.base import Cache, Destination
from ckptinspect.bench.bounds import TOLERANCE
from ckptinspect.bench.run import Outcome
from ckptinspect.bench.statistics import Comparison
from ckptinspect.bench.summary import Verdict
from ckptinspect.report import v1_bench as v1
from ckptinspect.report.bench_data import bench_data
from ckptinspect.report.document import Block, Cell, Column, Format, Lines, Plot, Report, Series, Table
from ckptinspect.text import bytes_text, few, number_of

_TITLES = {
    Cache.COLD: "Cold: nothing in the page cache",
    Cache.WARM: "Warm: all of it in the page cache",
    Cache.AS_IS: "As it was: the page cache untouched",
}
_BYTES = {"unchecked": "–"}
_FILES = 5
_LITTLE = 1 << 26
"""Bytes that a load from memory takes a few milliseconds for, which is what anything else takes as well."""
_LIMIT_COLUMNS = (
    Column("limit", Format.NAME),
    Column("GB/s", Format.DECIMAL),
    Column("±MAD", Format.DECIMAL, spare=2),
    Column("most", Format.DECIMAL, spare=1),
    Column("how", Format.TEXT),
)


def bench_report(outcome: Outcome) -> Report:
    """The answer of a run."""
    data = bench_data(outcome)
    notes = (*data.warnings, *_notes(data))
    blocks = tuple(_blocks(data))
    return Report(
        "bench", data, _title(data), blocks, notes, lambda: data.trials, page=lambda: (*blocks, *_loads(data.trials))
    )


def _title(data: v1.BenchData) -> str:
    if not data.file.files:
        return "nothing to load"
    names = few([os.path.basename(file.path) for file in data.file.files], 1)
    parts = [f"{names}: {bytes_text(data.file.tensor_bytes)}, {number_of(data.file.tensors, 'tensor')}"]
    parts += [f"{s.file_system}{f' on {s.device}' if s.device else ''}" for s in data.host.storage[:1]]
    if data.gpu is not None:
        parts.append(data.gpu.name)
    rounds = max((trial.round for trial in data.trials), default=0)
    return "; ".join([*parts, f"{number_of(rounds, 'round')} in random order (seed {data.order_seed})"])


def _blocks(data: v1.BenchData) -> Iterator[Block]:
    if data.limits:
        yield Table(_LIMIT_COLUMNS, [_limit_row(limit) for limit in data.limits])
    for cache in Cache:
        rows = [row for row in data.summary if row.cache == cache]
        if rows:
            yield _table(cache, rows)
            yield from _reasons(rows)
            yield _plot(cache, rows, data)
    if absent := _absent(data.skipped):
        yield Lines(("Not measured", *absent))


def _limit_row(limit: v1.LimitData) -> Sequence[Cell]:
    if limit.speed is None:
        return limit.limit, limit.rounds[0].gbps, None, None, limit.how
    return limit.limit, limit.speed.median, limit.speed.mad, limit.speed.most, limit.how


def _table(cache: Cache, rows: Sequence[v1.MethodData]) -> Table:
    columns = tuple(_columns(next((row.baseline for row in rows if row.baseline is not None), None)))
    cells = [[cell(row) for _, cell in columns] for row in rows]
    return Table(tuple(column for column, _ in columns), cells, title=_TITLES[cache])


def _columns(baseline: str | None) -> Iterator[tuple[Column, Callable[[v1.MethodData], Cell]]]:
    """Each column with what stands in it; none for a comparison that there is not."""
    yield Column("method", Format.NAME), lambda row: row.method
    yield Column("GB/s", Format.DECIMAL), lambda row: row.speed.median if row.speed else None
    yield Column("±MAD", Format.DECIMAL, spare=4), lambda row: row.speed.mad if row.speed else None
    yield Column("of limit", Format.DECIMAL), lambda row: row.of_limit.median if row.of_limit else None
    yield Column("95% CI", Format.TEXT, spare=2), lambda row: _interval(row.of_limit)
    if baseline is not None:
        yield Column(f"vs {baseline}", Format.TEXT, spare=1), _versus
    yield Column("CPU s/GB", Format.DECIMAL, spare=5), lambda row: row.cpu_seconds_per_gb
    yield Column("threads", Format.COUNT, spare=8), lambda row: row.threads
    yield Column("into", Format.NAME, spare=6), lambda row: row.destination
    yield Column("proved", Format.TEXT, spare=3), lambda row: f"{row.proved}/{row.rounds}" if row.rounds else ""
    yield Column("bytes", Format.TEXT, spare=7), lambda row: _BYTES.get(row.bytes, row.bytes)


def _interval(spread: v1.SpreadData | None) -> str:
    if spread is None:
        return ""
    return f"{spread.low:.2f}–{spread.high:.2f}" if spread.low is not None and spread.high is not None else "too few"


def _versus(row: v1.MethodData) -> str:
    if row.versus_baseline is None:
        return ""
    ratio = f"{row.versus_baseline.median:.2f} ×"
    return ratio if row.comparison == Comparison.TOO_FEW else f"{ratio} {row.comparison}"


def _reasons(rows: Sequence[v1.MethodData]) -> Iterator[Block]:
    """What the table has no figure for, and why."""
    lines = []
    for row in rows:
        if row.verdict != Verdict.MEASURED:
            verdict = row.verdict if row.verdict != Verdict.BYPASSES else "bypasses the cache, not a warm load"
            lines.append(f"{row.method}: {verdict}; {row.why}" if row.why else f"{row.method}: {verdict}")
        elif row.why:
            lines.append(f"{row.method}: {row.why}")
    if lines:
        yield Lines(tuple(lines))


def _plot(cache: Cache, rows: Sequence[v1.MethodData], data: v1.BenchData) -> Plot:
    """Every round of every method, with the limits as lines."""
    series = []
    for row in rows:
        trials = [t for t in data.trials if (t.method, t.cache, t.state) == (row.method, cache, cache) and t.round]
        if row.verdict == Verdict.MEASURED:
            series.append(Series(row.method, tuple(trial.gbps for trial in trials if trial.gbps is not None)))
    names = {row.limit for row in rows if row.limit is not None}
    lines = tuple(
        (limit.limit, limit.speed.median) for limit in data.limits if limit.speed is not None and limit.limit in names
    )
    return Plot(f"{_TITLES[cache].partition(':')[0]}: GB/s, a dot a round", tuple(series), lines)


def _loads(trials: Sequence[v1.TrialData]) -> Iterator[Table]:
    """Every single load, for a page, which has room for them."""
    columns = (
        Column("round", Format.COUNT),
        Column("order", Format.COUNT),
        Column("method", Format.NAME),
        Column("cache", Format.NAME),
        Column("proved"),
        Column("GB/s", Format.DECIMAL),
        Column("seconds", Format.NUMBER),
        Column("moved", Format.SHORT_BYTES),
        Column("from storage", Format.SHORT_BYTES),
        Column("CPU s", Format.DECIMAL),
        Column("bytes"),
        Column("why"),
    )
    rows: list[Sequence[Cell]] = [
        (
            *(trial.round, trial.order, trial.method, trial.cache, trial.state, trial.gbps, trial.seconds),
            *(trial.moved_bytes, trial.storage_read_bytes, trial.cpu_seconds, trial.bytes, trial.error or trial.why),
        )
        for trial in trials
    ]
    if rows:
        yield Table(columns, rows, title="Every load (round 0 is the warm-up)")


def _absent(skipped: Sequence[v1.SkippedData]) -> list[str]:
    """What was not measured, a line for each reason; of files the first few."""
    by_reason: dict[str, list[str]] = {}
    of_files: dict[str, list[str]] = {}
    for item in skipped:
        if item.path is None:
            by_reason.setdefault(item.reason, []).append(_what(item))
        else:
            of_files.setdefault(item.reason.removeprefix(f"{item.path}: "), []).append(item.path)
    files = [f"{few(paths, 2)}: {reason}" for reason, paths in of_files.items()]
    if rest := sum(map(len, [*of_files.values()][_FILES:])):
        files[_FILES:] = [f"and {number_of(rest, 'more file')}: -f json has them all"]
    return files + [f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def _what(item: v1.SkippedData) -> str:
    if item.method is None:
        return item.cache or ""
    return item.method if item.cache is None else f"{item.method} ({item.cache})"


def _notes(data: v1.BenchData) -> Iterator[str]:
    if data.summary and data.file.tensor_bytes < _LITTLE:
        size = bytes_text(data.file.tensor_bytes)
        yield f"{size} is little: largely the opening of files and the start of threads was measured"
    noisy = [row for row in data.summary if row.noisy]
    if noisy:
        loads, rounds = sum(row.noisy for row in noisy), sum(row.rounds for row in data.summary)
        yield f"in {loads} of {rounds} loads others took over a tenth of the processors: trust ratios, not GB/s"
    above = [row for row in data.summary if row.above_limit and row.verdict == Verdict.MEASURED]
    if above:
        names = few([f"{row.method} ({row.cache})" for row in above])
        yield f"{names}: single rounds above {TOLERANCE} × the best that their limit gave: it was held back by others"
    if any(row.destination == Destination.RING and row.speed is not None for row in data.summary):
        yield "into ring: read through buffers used again and again, as a copy to a device would; no tensor is kept"
    if any(row.verdict == Verdict.IMPOSSIBLE for row in data.summary):
        yield "a speed above what the storage, the memory or the link can carry is no load: bytes did not move"
    if data.gpu is not None:
        yield "loads to a GPU have been tested without one so far: see docs/bench.md on how to report a measurement"
