"""Ray: a task a batch, and one actor that keeps the pace. https://docs.ray.io/en/latest/ray-core/walkthrough.html"""

import asyncio
import os
import socket
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from typing import IO, Any, TypeVar, cast

from ckptinspect.engines.base import MAX_DEATHS, Engine, Work, died_too_often, first
from ckptinspect.engines.pace import Relay, Said, exchanged
from ckptinspect.errors import CkptInspectError, EngineError, UnavailableError
from ckptinspect.sources.budget import Budget, Lease

B = TypeVar("B")
R = TypeVar("R")

_QUEUED = 2
"""Batches for each processor of the cluster: one to work at, one to go on with."""
_EXTRA = "pip install 'ckptinspect[ray]'"
_CHECK = "check RAY_ADDRESS and RAY_AUTH_MODE, or unset them to run on this machine"
_PATIENCE = 10.0


class RayEngine(Engine):
    """Tasks on the cluster that RAY_ADDRESS names, or on this machine."""

    name = "ray"

    def map(self, work: Work[B, R], batches: Iterable[B]) -> Iterator[R]:
        ray = _ray()
        ours = not ray.is_initialized()
        with redirect_stdout(cast("IO[str]", _Aside(sys.stdout))):
            if ours:
                _started(ray)
            try:
                yield from self._mapped(ray, work, iter(batches))
            finally:
                if ours:
                    ray.shutdown()

    def _mapped(self, ray: Any, work: Work[B, R], batches: Iterator[B]) -> Iterator[R]:
        keeper = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(PaceKeeper).remote(self.terms.max_rps)
        task = ray.remote(max_retries=MAX_DEATHS)(_done)
        shipped = ray.put(work)
        most = self.terms.jobs or _QUEUED * max(1, int(ray.cluster_resources().get("CPU", 1)))
        flying: dict[Any, B] = {}
        try:
            while True:
                for batch in first(batches, most - len(flying)):
                    limited = self.terms.max_rps is not None
                    flying[task.options(name=_name(batch)).remote(shipped, batch, keeper, limited)] = batch
                if not flying:
                    break
                done, _ = ray.wait(list(flying), num_returns=1)
                for result in done:
                    yield _result(ray, result, flying.pop(result))
        finally:
            for result in flying:
                ray.cancel(result, force=False)


class _Aside:
    """Standard output, of which only the thread that opened this is taken for it.

    Ray tells of workers that died by a thread that prints there, among whatever is printed.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._owner = threading.get_ident()

    def write(self, text: str) -> int:
        """Write to where it belongs."""
        return (self._stream if threading.get_ident() == self._owner else sys.stderr).write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class PaceKeeper:
    """The actor that keeps the pace of all workers."""

    def __init__(self, max_rps: float | None) -> None:
        self._budget = Budget(max_rps=max_rps)

    async def exchange(self, said: Said, wanted: Mapping[str, int]) -> dict[str, Lease]:
        """As ``exchanged``."""
        return await exchanged(self._budget, said, wanted)


def _done(work: Work[B, R], batch: B, keeper: Any, limited: bool) -> R:
    """What a task does."""

    async def exchange(said: Said, wanted: Mapping[str, int]) -> Mapping[str, Lease]:
        leases: Mapping[str, Lease] = await keeper.exchange.remote(said, wanted)
        return leases

    async def one() -> R:
        async with work.opened(Relay(exchange, limited=limited)) as opened:
            return await opened(batch)

    return asyncio.run(one())


def _result(ray: Any, result: Any, batch: object) -> Any:
    from ray import exceptions

    try:
        return ray.get(result)
    except exceptions.RayTaskError as error:
        if isinstance(error.cause, CkptInspectError):
            raise error.cause from None
        what = f"a task failed with {type(error.cause).__name__}: {error.cause}"
        raise EngineError(what, _name(batch), "run the same command again: it goes on") from None
    except (exceptions.WorkerCrashedError, exceptions.OutOfMemoryError, exceptions.NodeDiedError):
        raise died_too_often(MAX_DEATHS + 1, batch) from None
    except exceptions.RayError as error:
        what = f"Ray has lost the work ({type(error).__name__})"
        raise EngineError(what, _name(batch), "run the same command again: it goes on") from None


def _name(batch: object) -> str:
    return str(getattr(batch, "name", "batch"))


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UnavailableError("the engine ray takes a package that is not installed", None, _EXTRA) from None
    return ray


def _started(ray: Any) -> None:
    _knock(os.environ.get("RAY_ADDRESS", ""))
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
    except Exception as error:  # noqa: BLE001 - Ray raises whatever its parts do
        raise EngineError(f"no cluster: {type(error).__name__}: {error}", "ray", _CHECK) from None


def _knock(address: str) -> None:
    """See whether anybody is there where RAY_ADDRESS is a host and a port: Ray would try for a quarter of an hour."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise EngineError(f"no cluster: {address} does not answer ({error})", "ray", _CHECK) from None
