"""Dask: a task a batch, and a plugin of the scheduler that keeps the pace. https://distributed.dask.org

The pace is kept by the scheduler and not by an actor: an actor dies with its worker.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import uuid4

import msgspec

from ckptinspect.engines.base import MAX_DEATHS, Engine, Terms, Work, died_too_often, first
from ckptinspect.engines.pace import Relay, Said, exchanged
from ckptinspect.errors import CkptInspectError, EngineError, UnavailableError
from ckptinspect.sources.budget import Budget, Lease, Quota

B = TypeVar("B")
R = TypeVar("R")

_QUEUED = 2
"""Batches for each thread of the cluster: one to work at, one to go on with."""
_EXTRA = "pip install 'ckptinspect[dask]'"


class DaskEngine(Engine):
    """Tasks on the cluster that DASK_SCHEDULER_ADDRESS names, or in processes of this machine."""

    name = "dask"

    def map(self, work: Work[B, R], batches: Iterable[B]) -> Iterator[R]:
        distributed = _distributed()
        with _client(distributed, self.terms) as client:
            yield from self._mapped(distributed, client, work, iter(batches))

    def _mapped(self, distributed: Any, client: Any, work: Work[B, R], batches: Iterator[B]) -> Iterator[R]:
        run = f"ckptinspect-{uuid4().hex[:12]}"
        client.register_plugin(_keeper(distributed, run, self.terms.max_rps), name=run)
        flying: dict[Any, B] = {}
        done = distributed.as_completed(loop=client.loop)
        try:
            while True:
                most = self.terms.jobs or _QUEUED * max(1, sum(client.nthreads().values()))
                for batch in first(batches, most - len(flying)):
                    limited = self.terms.max_rps is not None
                    future = client.submit(_done, work, batch, run, limited, key=f"{run}-{_name(batch)}", pure=False)
                    flying[future] = batch
                    done.add(future)
                if not flying:
                    break
                future = next(done)
                yield _result(distributed, future, flying.pop(future))
        finally:
            client.cancel(list(flying))
            client.unregister_scheduler_plugin(run)
            client.run_on_scheduler(_forget, run=run)


def _keeper(distributed: Any, run: str, max_rps: float | None) -> Any:
    """A plugin by whose help the scheduler answers what the workers of this run ask of the pace."""

    class PaceKeeper(distributed.SchedulerPlugin):  # type: ignore[misc] # the class is there at run time alone
        name = run

        async def start(self, scheduler: Any) -> None:
            budget = Budget(max_rps=max_rps)

            async def exchange(said: Any, wanted: Any) -> Any:
                leases = await exchanged(budget, msgspec.convert(said, list[tuple[str, Quota | None]]), wanted)
                return msgspec.to_builtins(leases)

            scheduler.handlers[run] = exchange

    return PaceKeeper()


def _forget(run: str, dask_scheduler: Any) -> None:
    dask_scheduler.handlers.pop(run, None)


def _done(work: Work[B, R], batch: B, run: str, limited: bool) -> R:
    """What a task does, in a thread of its worker; the worker's own loop talks to the scheduler."""
    from distributed import get_worker

    worker = get_worker()

    async def exchange(said: Said, wanted: Mapping[str, int]) -> Mapping[str, Lease]:
        call = getattr(worker.scheduler, run)(said=msgspec.to_builtins(said), wanted=dict(wanted))
        asked = asyncio.run_coroutine_threadsafe(call, worker.loop.asyncio_loop)
        return msgspec.convert(await asyncio.wrap_future(asked), dict[str, Lease])

    async def one() -> R:
        async with work.opened(Relay(exchange, limited=limited)) as opened:
            return await opened(batch)

    return asyncio.run(one())


def _result(distributed: Any, future: Any, batch: object) -> Any:
    try:
        return future.result()
    except CkptInspectError:
        raise
    except distributed.scheduler.KilledWorker:
        raise died_too_often(MAX_DEATHS + 1, batch) from None
    except Exception as error:  # noqa: BLE001 - whatever the work raised in its worker
        what = f"a task failed with {type(error).__name__}: {error}"
        raise EngineError(what, _name(batch), "run the same command again: it goes on") from None
    finally:
        future.release()


def _name(batch: object) -> str:
    return str(getattr(batch, "name", None) or uuid4().hex)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise UnavailableError("the engine dask takes a package that is not installed", None, _EXTRA) from None
    return distributed


@contextmanager
def _client(distributed: Any, terms: Terms) -> Iterator[Any]:
    """A client of the cluster that the environment names, or of one on this machine."""
    import dask

    address = dask.config.get("scheduler-address", None)
    try:
        if address is not None:
            client = distributed.Client(address, set_as_default=False)
        else:
            cluster = distributed.LocalCluster(
                n_workers=terms.jobs, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
            )
            client = distributed.Client(cluster, set_as_default=False)
    except (OSError, ValueError) as error:
        what = f"no cluster: {type(error).__name__}: {error}"
        hint = "check DASK_SCHEDULER_ADDRESS, or unset it to run on this machine"
        raise EngineError(what, "dask", hint) from None
    try:
        yield client
    finally:
        client.close()
        if address is None:
            client.cluster.close()
