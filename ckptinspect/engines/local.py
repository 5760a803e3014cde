"""The engine that is always there: one event loop, in which batches wait for the network together."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AsyncExitStack, contextmanager
from typing import TypeVar

from ckptinspect.engines.base import DEFAULT_JOBS, Engine, Work, first
from ckptinspect.sources.budget import Budget

B = TypeVar("B")
R = TypeVar("R")

_GRACE = 5.0


class LocalEngine(Engine):
    """An event loop in a thread of its own, so that whoever asks for results may block, or be interrupted."""

    name = "local"
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop

    def map(self, work: Work[B, R], batches: Iterable[B]) -> Iterator[R]:
        remaining = iter(batches)
        with self._loop() as loop:
            pace = Budget(loop.time, self.terms.max_rps)
            shared = AsyncExitStack()
            opened = asyncio.run_coroutine_threadsafe(shared.enter_async_context(work.opened(pace)), loop).result()
            flying: set[Future[R]] = set()

            async def one(batch: B) -> R:
                return await opened(batch)

            try:
                while True:
                    for batch in first(remaining, (self.terms.jobs or DEFAULT_JOBS) - len(flying)):
                        flying.add(asyncio.run_coroutine_threadsafe(one(batch), loop))
                    if not flying:
                        break
                    done, flying = wait(flying, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            finally:
                asyncio.run_coroutine_threadsafe(_ended(shared), loop).result(2 * _GRACE)

    @contextmanager
    def _loop(self) -> Iterator[asyncio.AbstractEventLoop]:
        loop = type(self).loop_factory()
        thread = threading.Thread(target=loop.run_forever, name="ckptinspect", daemon=True)
        thread.start()
        try:
            yield loop
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_GRACE)
            loop.close()


async def _ended(shared: AsyncExitStack) -> None:
    """Let every task come to its end, then close what they shared."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_GRACE)
    await shared.aclose()
