"""Processes beside this one: for what waits for no network, where one event loop would keep one processor busy."""

import asyncio
import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from ckptinspect.engines.base import MAX_DEATHS, Engine, Terms, Work, died_too_often, first
from ckptinspect.sources.budget import Budget

B = TypeVar("B")
R = TypeVar("R")

_QUEUED = 2
"""Batches for each process: one to work at, one to go on with."""


class ProcessEngine(Engine):
    """As many processes as there are processors. Each keeps a pace of its own: there is none to keep on a disk."""

    name = "processes"

    def __init__(self, terms: Terms | None = None) -> None:
        super().__init__(terms)
        self._workers = self.terms.jobs or _processors()

    def map(self, work: Work[B, R], batches: Iterable[B]) -> Iterator[R]:
        remaining = iter(batches)
        others = multiprocessing.active_children()
        pool = _pool(work, self._workers)
        flying: dict[Future[R], B] = {}
        deaths = 0
        try:
            while True:
                for batch in first(remaining, self._workers * _QUEUED - len(flying)):
                    flying[pool.submit(_done, batch)] = batch
                if not flying:
                    break
                done, _ = wait(flying, return_when=FIRST_COMPLETED)
                results, lost = _sorted_out(done, flying)
                yield from results
                if lost:
                    # One death breaks the pool: whatever was in it is done again in another.
                    deaths = 1 if results else deaths + 1
                    if deaths > MAX_DEATHS:
                        raise died_too_often(deaths, lost[0])
                    pool.shutdown(wait=False, cancel_futures=True)
                    pool = _pool(work, self._workers)
                    flying = {pool.submit(_done, batch): batch for batch in (*lost, *flying.values())}
        finally:
            _end(pool, others)


def _end(pool: ProcessPoolExecutor, others: Sequence[Any]) -> None:
    """End the workers at once: what they are at, nobody wants any more, and it may be in a folder that goes."""
    for child in multiprocessing.active_children():
        if child not in others:
            child.kill()
    pool.shutdown(cancel_futures=True)


def _processors() -> int:
    """How many this process may use, where the platform tells; else how many there are."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _sorted_out(done: set[Future[R]], flying: dict[Future[R], B]) -> tuple[list[R], list[B]]:
    """The results of those that are done, and the batches of those that died; none of them flies on."""
    results: list[R] = []
    lost: list[B] = []
    for future in done:
        batch = flying.pop(future)
        try:
            results.append(future.result())
        except BrokenProcessPool:
            lost.append(batch)
    return results, lost


def _pool(work: Work[B, R], workers: int) -> ProcessPoolExecutor:
    """Forked where that is safe, which costs nothing; elsewhere started anew, each with its own imports."""
    forks = sys.platform == "linux" and threading.active_count() == 1
    context = multiprocessing.get_context("fork" if forks else "spawn")
    return ProcessPoolExecutor(workers, context, _Worker.begin, (work,))


class _Worker:
    """What a process has opened: once, for all of its batches."""

    loop: asyncio.AbstractEventLoop
    opened: Callable[[Any], Awaitable[Any]]

    @classmethod
    def begin(cls, work: Work[Any, Any]) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # What was there before is garbage for nobody, and its pages are shared as long as nobody looks at it.
        gc.freeze()
        threading.Thread(target=_end_with_the_parent, daemon=True).start()
        cls.loop = asyncio.new_event_loop()
        cls.opened = cls.loop.run_until_complete(work.opened(Budget()).__aenter__())


def _end_with_the_parent() -> None:
    """End the process when the one that wants its results is gone, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _done(batch: Any) -> Any:
    return _Worker.loop.run_until_complete(_Worker.opened(batch))
