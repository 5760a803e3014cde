"""A pace that is kept elsewhere: what a worker's sources ask is put together and sent in one call."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from ckptinspect.sources.budget import Budget, Lease, PaceLostError, Quota

Said = Sequence[tuple[str, Quota | None]]
Exchange = Callable[[Said, Mapping[str, int]], Awaitable[Mapping[str, Lease]]]
_UNPACED = "storage"


async def exchanged(budget: Budget, said: Said, wanted: Mapping[str, int]) -> dict[str, Lease]:
    """What a worker's relay asks of the budget: to take in answers, and to lease requests of some buckets."""
    for bucket, quota in said:
        await budget.observe(bucket, quota)
    return {bucket: await budget.lease(bucket, count) for bucket, count in wanted.items()}


class Relay:
    """Stands for a budget that is kept elsewhere.

    One call is under way at a time; what is asked for meanwhile goes with the next one. ``limited`` says that the
    rate of all requests together is bounded, so that those without a quota have to be asked for too.
    """

    def __init__(self, exchange: Exchange, *, limited: bool) -> None:
        self._exchange = exchange
        self._limited = limited
        self._said: list[tuple[str, Quota | None]] = []
        self._waiting: dict[str, list[asyncio.Future[Lease]]] = {}
        self._pump: asyncio.Task[None] | None = None
        self._lost: PaceLostError | None = None

    async def lease(self, bucket: str, count: int = 1) -> Lease:
        """One request of a bucket, whatever ``count`` is."""
        if bucket == _UNPACED and not self._limited:
            return Lease(count, 0.0)
        if self._lost is not None:
            raise self._lost
        granted: asyncio.Future[Lease] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(bucket, []).append(granted)
        self._go()
        return await granted

    async def observe(self, bucket: str, quota: Quota | None) -> None:
        """Tell of an answer with the next call."""
        if self._lost is None and (bucket != _UNPACED or self._limited):
            self._said.append((bucket, quota))
            self._go()

    def _fail(self, waiting: dict[str, list[asyncio.Future[Lease]]], error: Exception) -> None:
        """Let everybody know who waits, and whoever asks later."""
        self._lost = PaceLostError(f"{type(error).__name__}: {error}")
        for future in (future for futures in (*waiting.values(), *self._waiting.values()) for future in futures):
            if not future.done():
                future.set_exception(self._lost)
        self._waiting.clear()

    def _go(self) -> None:
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._pumped())

    async def _pumped(self) -> None:
        # What is asked for in the same moment goes together.
        await asyncio.sleep(0)
        while self._said or self._waiting:
            said, self._said = self._said, []
            waiting, self._waiting = self._waiting, {}
            try:
                leases = await self._exchange(said, {bucket: len(futures) for bucket, futures in waiting.items()})
            except Exception as error:  # noqa: BLE001 - whatever the engine raises where its other side is gone
                self._fail(waiting, error)
                return
            for bucket, futures in waiting.items():
                _share_out(leases[bucket], futures)


def _share_out(lease: Lease, futures: list[asyncio.Future[Lease]]) -> None:
    """As many get a request as were granted. One that nobody waits for any more is lost until the window ends."""
    for number, future in enumerate(futures):
        if not future.done():
            granted = number < lease.granted
            future.set_result(msgspec.structs.replace(lease, granted=int(granted)))
