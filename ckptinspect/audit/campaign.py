"""A run over many checkpoints, from where it was left to its end: what is listed goes in batches to an engine, and the
rows come out in the order of the list.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from itertools import chain, islice

import msgspec

from ckptinspect.audit.batch import AuditWork, BatchReport, report_of, rows_in
from ckptinspect.audit.listing import Listing, targets_of
from ckptinspect.audit.run import Options
from ckptinspect.audit.targets import Batch, Shard, Target, batches_of
from ckptinspect.engines.base import Engine
from ckptinspect.errors import EngineError
from ckptinspect.report.v1 import AuditedData
from ckptinspect.store.place import cache_place
from ckptinspect.store.runs import Run, Targets, Wanted, claimed, finish, remove, run_of

BATCH = 50
LARGE_BATCH = 200
LARGE = 10_000
"""From so many checkpoints on batches are larger, so that their parts are not too many."""
_STALE = 30 * 86_400

Told = Callable[[BatchReport], None]


class Plan(msgspec.Struct, frozen=True, dict=True):
    """What a run does. ``store`` is the folder that its tables are for; None where only its rows are wanted."""

    listings: tuple[Listing, ...]
    options: Options
    shard: Shard = Shard()
    store: str | None = None
    fresh: bool = False
    size: int | None = None

    @property
    def local(self) -> bool:
        """Whether all of it lies on this machine."""
        return all(listing.local for listing in self.listings)

    @property
    def goes_on(self) -> bool:
        """Whether the same command goes on where this one was left."""
        return self.store is not None or not self.local

    @cached_property
    def fingerprint(self) -> str:
        """What stands for the command: what is audited, and how."""
        from ckptinspect import __version__

        options = self.options
        base = options.base and (options.base.ref, [(shard.path, shard.size) for shard in options.base.shards])
        asked = (
            [listing.stamp for listing in self.listings],
            self.shard,
            options.rules,
            sorted(options.accepted.keys, key=repr),
            base,
            options.offline,
            __version__,
        )
        return hashlib.sha256(repr(asked).encode("utf-8", "surrogatepass")).hexdigest()


@contextmanager
def run_for(plan: Plan) -> Iterator[tuple[Run, bool]]:
    """The plan's run, held for this process, and whether it goes on.

    Where no store was asked for it is kept in the cache until it is finished, so that it can go on; what lies on this
    machine is read anew, since it may have changed.
    """
    size = plan.size or _size(plan.listings)
    if plan.store is not None:
        wanted = Wanted(os.path.abspath(plan.store), plan.fingerprint, size, tables=True, fresh=plan.fresh)
        run, goes_on = run_of(wanted)
        with claimed(run):
            yield run, goes_on
        return
    with _folder(plan) as folder:
        run, goes_on = run_of(Wanted(folder, plan.fingerprint, size, fresh=plan.fresh))
        with claimed(run):
            yield run, goes_on


def finished(plan: Plan, run: Run) -> None:
    """Whoever asked has the rows: the same command begins anew from now on."""
    finish(run)
    if plan.store is None:
        remove(run)
        with suppress(OSError):
            shutil.rmtree(run.store)


class Stream:
    """A run's targets as they are listed, looked at some way ahead."""

    def __init__(self, plan: Plan, run: Run) -> None:
        self._kept = Targets(run, kept=plan.goes_on)
        listed = (target for target in targets_of(plan.listings) if plan.shard.has(target))
        self._all = self._kept.all(listed)
        self.ahead = tuple(islice(self._all, LARGE))
        self.total = self._total(plan)

    def targets(self) -> Iterator[Target]:
        """All of them."""
        return chain(self.ahead, self._all)

    @property
    def twice(self) -> int:
        """How many were listed more than once."""
        return self._kept.twice

    def _total(self, plan: Plan) -> int | None:
        if len(self.ahead) < LARGE:
            return len(self.ahead)
        counts = [listing.count() for listing in plan.listings]
        known = [count for count in counts if count is not None]
        return sum(known) // plan.shard.count if len(known) == len(counts) else None


def rows_of(work: AuditWork, engine: Engine, targets: Iterable[Target], told: Told) -> Iterator[AuditedData]:
    """The rows of a run, in the order of its targets. ``told`` hears of each batch as it is done."""
    waiting = _Waiting(work.run)
    known = _parts(work.run)

    def left() -> Iterator[Batch]:
        for batch in batches_of(targets, work.run.size):
            waiting.expect(batch)
            kept = rows_in(work.run.part(batch.name), len(batch.targets)) if batch.name in known else None
            if kept is None:
                yield batch
            else:
                told(report_of(batch, kept, kept=True))
                waiting.done(batch.number)

    for report in engine.map(work, left()):
        told(report)
        waiting.done(report.number)
        yield from waiting.ready()
    yield from waiting.ready()


class _Waiting:
    """Batches that are done, or not yet, up to the first whose rows are still to come."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._next = 0
        self._expected: dict[int, tuple[str, int]] = {}
        self._done: set[int] = set()

    def expect(self, batch: Batch) -> None:
        self._expected[batch.number] = batch.name, len(batch.targets)

    def done(self, number: int) -> None:
        self._done.add(number)

    def ready(self) -> Iterator[AuditedData]:
        """The rows of all batches up to the first that is not done."""
        while self._next in self._done:
            self._done.remove(self._next)
            name, count = self._expected.pop(self._next)
            self._next += 1
            path = self._run.part(name)
            rows = rows_in(path, count)
            if rows is None:
                hint = "on other machines the workers need the same folder: name one that all can reach with --store"
                raise EngineError("a batch is done, and its rows are not there", path, hint)
            yield from rows


def _parts(run: Run) -> frozenset[str]:
    """The names of the batches that are done."""
    folder, ending = os.path.dirname(run.part("")), ".jsonl"
    try:
        names = os.listdir(folder)
    except OSError:
        return frozenset()
    beginning = run.name + "-"
    return frozenset(
        name[len(beginning) : -len(ending)] for name in names if name.startswith(beginning) and name.endswith(ending)
    )


def _size(listings: Sequence[Listing]) -> int:
    counts = [listing.count() for listing in listings]
    return LARGE_BATCH if sum(count or 0 for count in counts) >= LARGE else BATCH


@contextmanager
def _folder(plan: Plan) -> Iterator[str]:
    """Where the rows of a run without a store are kept meanwhile."""
    if (kept := _kept_folder(plan)) is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="ckptinspect-") as folder:
        yield folder


def _kept_folder(plan: Plan) -> str | None:
    """The folder in the cache by which the same command goes on; None where it has no need of one, or no room."""
    if plan.local:
        return None
    runs = os.path.join(cache_place(), "runs")
    folder = os.path.join(runs, plan.fingerprint[:16])
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        _sweep(runs, time.time() - _STALE)
    except OSError:
        return None
    return folder


def _sweep(runs: str, before: float) -> None:
    """Remove runs that nobody has gone on with for long."""
    for name in os.listdir(runs):
        folder = os.path.join(runs, name)
        with suppress(OSError):
            if os.path.getmtime(folder) < before:
                shutil.rmtree(folder, ignore_errors=True)
