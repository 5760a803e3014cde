"""A batch of checkpoints -> their rows, written where the run keeps them. The one thing that every engine runs."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

import msgspec

from ckptinspect.audit.again import Again
from ckptinspect.audit.base import Skipped
from ckptinspect.audit.registry import every_rule
from ckptinspect.audit.run import Look, Options, bug, looked_at
from ckptinspect.audit.subject import Subject
from ckptinspect.audit.targets import Batch, Target
from ckptinspect.errors import CkptInspectError, EngineError, UnreachableError
from ckptinspect.model import Ref
from ckptinspect.opening import source_of
from ckptinspect.refs import parse_ref
from ckptinspect.report.audit import audited_data
from ckptinspect.report.data import encoded
from ckptinspect.report.v1 import AuditedData
from ckptinspect.sources.base import Source
from ckptinspect.sources.budget import Pace, PaceLostError
from ckptinspect.sources.http import Connections
from ckptinspect.sources.retry import PATIENT, Retry
from ckptinspect.store.headers import HeaderCache, ScopedListings
from ckptinspect.store.kept import KeptSource
from ckptinspect.store.runs import Run, lines_of, write_lines

CONNECTIONS = 20
"""Requests in flight from one process: more gains nothing where a round trip takes 50 ms."""
_AT_ONCE = 24
"""Checkpoints that are looked at in one process at once: enough to keep the connections busy."""
_GIVE_UP_AFTER = 8
"""So many checkpoints in a row that cannot be reached are a network that is gone, not checkpoints that are."""


class BatchReport(msgspec.Struct, frozen=True):
    """What became of a batch, in a few numbers; its rows are in its part. ``kept``: from an earlier process."""

    number: int
    name: str
    audited: int = 0
    skipped: int = 0
    findings: int = 0
    requests: int = 0
    kept: bool = False


class AuditWork(msgspec.Struct, frozen=True):
    """The audit of batches, as an engine ships it. Credentials and the cache are those of the worker's environment.

    ``cached`` says whether headers are kept for other runs; ``timeout`` is the seconds that a read may take for each
    started megabyte.
    """

    options: Options
    run: Run
    cached: bool = True
    timeout: float = 20.0
    connections: int = CONNECTIONS
    retry: Retry = PATIENT

    @asynccontextmanager
    async def opened(self, pace: Pace) -> AsyncIterator[Callable[[Batch], Awaitable[BatchReport]]]:
        """What audits a batch, by connections and a cache that all batches of a process share."""
        desk = Desk(self, Connections(pace, self.connections), HeaderCache() if self.cached else None)
        try:
            yield partial(run_batch, desk=desk)
        finally:
            await desk.connections.close()
            if desk.cache is not None:
                desk.cache.close()


class Desk:
    """What the batches of one process share."""

    def __init__(self, work: AuditWork, connections: Connections, cache: HeaderCache | None) -> None:
        self.work = work
        self.connections = connections
        self.connections.direct = self.connections.apart = True
        self.cache = cache
        self.turns = asyncio.Semaphore(_AT_ONCE)
        self.again = Again(work.options)
        self.rules = {rule.code: rule for rule in every_rule()}
        self._scope: str | None = None

    def source_of(self, target: Target) -> tuple[Ref, Source]:
        """The source of a target; of a repository on the Hub one that shares what there is to share."""
        ref = parse_ref(target.ref)
        offline = target.cached or self.work.options.offline
        if ref.scheme != "hub" or offline:
            return source_of(ref, offline=offline)
        from ckptinspect.sources.hub import HubSource, is_offline

        if is_offline():
            return source_of(ref)
        revision = target.commit or ref.revision
        work = self.work
        hub = HubSource(ref.location, revision, timeout=work.timeout, retry=work.retry, connections=self.connections)
        if self.cache is None:
            return ref, hub
        return ref, KeptSource(hub, self.cache, self._scope_of(self.cache))

    def _scope_of(self, cache: HeaderCache) -> str:
        """The server that vouches for hashes and commits."""
        if self._scope is None:
            from ckptinspect.sources.hub_environment import endpoint

            self._scope = endpoint()
            self.connections.listings = ScopedListings(cache, self._scope)
        return self._scope


class _Row(NamedTuple):
    """One target's row, the subjects that it was made from, and the seconds that it took."""

    data: AuditedData
    subjects: Sequence[Subject]
    seconds: float


async def run_batch(batch: Batch, desk: Desk) -> BatchReport:
    """Audit a batch and write its rows: all of them, or none. What was written before is not done again.

    One checkpoint that fails is one row that says why. Raises UnreachableError where many in a row cannot be
    reached, AccessError where the rows cannot be written.
    """
    path = desk.work.run.part(batch.name)
    if (kept := rows_in(path, len(batch.targets))) is not None:
        return report_of(batch, kept)
    watch = _Outage()
    rows = await _each(partial(_audited, desk, watch), batch.targets)
    await asyncio.to_thread(_write, desk.work.run, batch, rows)
    return report_of(batch, [row.data for row in rows])


def rows_in(path: str, count: int) -> list[AuditedData] | None:
    """The rows of a part; None where it is not there, or damaged, and has to be made again."""
    if not os.path.exists(path):
        return None
    try:
        rows = [msgspec.json.decode(line, type=AuditedData) for line in lines_of(path)]
    except (OSError, msgspec.MsgspecError):
        return None
    return rows if len(rows) == count else None


async def _audited(desk: Desk, watch: "_Outage", target: Target) -> _Row:
    async with desk.turns:
        began = time.monotonic()
        look = await _looked_at(desk, target)
        watch.note(look.error)
        # What was seen is kept for as long as the tables want it, and no longer.
        subjects = look.subjects if desk.work.run.tables else ()
        return _Row(audited_data(look.result, desk.rules), subjects, time.monotonic() - began)


async def _looked_at(desk: Desk, target: Target) -> Look:
    try:
        ref, source = desk.source_of(target)
        free = source.concurrency == 1 or isinstance(source, KeptSource)
        if free and not ref.path and not desk.work.run.tables:
            return await desk.again.looked_at(source, ref)
        return await looked_at(source, ref, desk.work.options)
    except CkptInspectError as error:
        return Look(Skipped(target.ref, error.kind, str(error)), (), error)
    except PaceLostError as error:
        # This says nothing of the checkpoint: the batch is done again.
        hint = "run the same command again: it goes on"
        raise EngineError(f"the pace of the run is lost: {error}", hint=hint) from None
    except Exception as error:
        if desk.work.options.debug:
            raise
        return Look(bug(target.ref, error))


async def _each(action: Callable[[Target], Awaitable[_Row]], targets: Iterable[Target]) -> list[_Row]:
    """The rows in the targets' order; the first error by itself, after the others have been given up."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_awaited(action(target))) for target in targets]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


async def _awaited(row: Awaitable[_Row]) -> _Row:
    return await row


class _Outage:
    """Tells checkpoints that cannot be reached from a network that is gone."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def note(self, error: CkptInspectError | None) -> None:
        """Take in what became of a checkpoint. Raises where that makes too many in a row."""
        self._in_a_row = self._in_a_row + 1 if isinstance(error, UnreachableError) else 0
        if self._in_a_row >= _GIVE_UP_AFTER and error is not None:
            what = f"{self._in_a_row} checkpoints in a row cannot be reached, the last because {error.what}"
            raise UnreachableError(what, error.where, "when it can be again, run the same command: it goes on")


def _write(run: Run, batch: Batch, rows: list[_Row]) -> None:
    if run.tables:
        from ckptinspect.store.tables import write_tables

        write_tables(run, batch.name, rows)
    # Last: with this, the batch is done.
    write_lines(run.part(batch.name), (encoded(row.data) + b"\n" for row in rows), sync=run.tables)


def report_of(batch: Batch, rows: list[AuditedData], *, kept: bool = False) -> BatchReport:
    """What became of a batch with these rows."""
    return BatchReport(
        batch.number,
        batch.name,
        audited=sum(row.status == "audited" for row in rows),
        skipped=sum(row.status == "skipped" for row in rows),
        findings=sum(len(row.findings) for row in rows),
        requests=sum(row.requests for row in rows),
        kept=kept,
    )
