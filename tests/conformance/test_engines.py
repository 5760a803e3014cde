"""What every engine promises. To join, subclass EngineContract and say how one is made."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from ckptinspect.engines.base import Engine, Terms
from ckptinspect.engines.dask import DaskEngine
from ckptinspect.engines.local import LocalEngine
from ckptinspect.engines.processes import ProcessEngine
from ckptinspect.engines.ray import RayEngine
from ckptinspect.engines.registry import ENGINES, engine_of
from ckptinspect.errors import AccessError, EngineError, RefError, UnavailableError
from ckptinspect.sources.budget import Lease, Pace, Quota
from tests.e2e.command import ROOT


class Numbers(msgspec.Struct, frozen=True):
    """A batch."""

    number: int

    @property
    def name(self) -> str:
        return f"batch-{self.number}"


class Doubled(msgspec.Struct, frozen=True):
    """Work that doubles a number, slower for every third."""

    @asynccontextmanager
    async def opened(self, pace: Pace) -> AsyncIterator[Callable[[Numbers], Awaitable[int]]]:
        yield self.one

    async def one(self, batch: Numbers) -> int:
        await asyncio.sleep(0.05 * (batch.number % 3 == 0))
        return 2 * batch.number


class Deadly(Doubled, frozen=True):
    """Work whose process dies of some batches: of the first attempt at them, or always."""

    folder: str
    batches: frozenset[int]
    always: bool = False

    async def one(self, batch: Numbers) -> int:
        if batch.number in self.batches:
            self.die(Path(self.folder, str(batch.number)))
        return await super().one(batch)

    def die(self, mark: Path) -> None:
        if self.always or not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class Failing(Doubled, frozen=True):
    """Work that fails with an error of ours, or with another."""

    ours: bool

    async def one(self, batch: Numbers) -> int:
        if batch.number == 3:
            raise AccessError("no room", "the disk", "make some") if self.ours else ZeroDivisionError("oh")
        return await super().one(batch)


class Paced(msgspec.Struct, frozen=True):
    """Work that tells the pace what an answer said, or asks it for requests."""

    @asynccontextmanager
    async def opened(self, pace: Pace) -> AsyncIterator[Callable[[Numbers], Awaitable[Lease]]]:
        async def one(batch: Numbers) -> Lease:
            if batch.number == 0:
                await pace.observe("api", Quota(3, 60, 3, 60))
            leases = await asyncio.gather(*(pace.lease("api") for _ in range(2)))
            await asyncio.sleep(0.1)
            return Lease(sum(lease.granted for lease in leases), max(lease.wait for lease in leases))

        yield one


class Hurried(msgspec.Struct, frozen=True):
    """Work that sends requests as fast as it may, and says when."""

    @asynccontextmanager
    async def opened(self, pace: Pace) -> AsyncIterator[Callable[[Numbers], Awaitable[list[float]]]]:
        async def one(_: Numbers) -> list[float]:
            sent = []
            for _turn in range(4):
                lease = await pace.lease("storage")
                await asyncio.sleep(lease.wait)
                sent.append(time.time())
                await pace.observe("storage", None)
            return sent

        yield one


def numbers(count: int) -> Iterator[Numbers]:
    return map(Numbers, range(count))


class EngineContract:
    """Inherited by every engine's tests; ``make`` gives an engine on these terms."""

    in_flight = 2

    @pytest.fixture
    def make(self) -> Callable[[Terms], Engine]:
        raise NotImplementedError

    @pytest.fixture
    def engine(self, make: Callable[[Terms], Engine]) -> Engine:
        return make(Terms(jobs=2))

    def test_every_batch_is_done_once(self, engine: Engine) -> None:
        assert sorted(engine.map(Doubled(), numbers(20))) == [2 * number for number in range(20)]

    def test_an_engine_is_used_again_and_nothing_to_do_is_no_error(self, engine: Engine) -> None:
        assert list(engine.map(Doubled(), iter(()))) == []
        assert list(engine.map(Doubled(), numbers(1))) == [0]

    def test_batches_are_taken_as_there_is_room_for_them(self, engine: Engine) -> None:
        taken = []

        def endless() -> Iterator[Numbers]:
            for number in itertools.count():
                taken.append(number)
                yield Numbers(number)

        results = engine.map(Doubled(), endless())
        first = [next(results) for _ in range(5)]
        results.close()  # type: ignore[attr-defined]

        assert len(set(first)) == 5
        assert len(taken) <= 5 + self.in_flight + 1

    def test_an_error_of_ours_comes_out_as_it_is(self, engine: Engine) -> None:
        with pytest.raises(AccessError) as caught:
            list(engine.map(Failing(ours=True), numbers(8)))

        assert str(caught.value) == "the disk: no room; make some"

    def test_one_pace_is_kept_by_all(self, make: Callable[[Terms], Engine]) -> None:
        leases = list(make(Terms(jobs=1)).map(Paced(), numbers(3)))

        assert [lease.granted for lease in leases] == [2, 1, 0]
        assert 50 < leases[-1].wait <= 62

    def test_the_rate_of_all_requests_is_bounded(self, make: Callable[[Terms], Engine]) -> None:
        sent = sorted(at for times in make(Terms(jobs=2, max_rps=20)).map(Hurried(), numbers(3)) for at in times)

        assert len(sent) == 12
        assert sent[-1] - sent[0] >= 11 / 20 * 0.9


class ClusterContract(EngineContract):
    """Inherited by the tests of engines that have workers."""

    def test_what_a_killed_worker_had_is_done_again(self, engine: Engine, tmp_path: Path) -> None:
        deadly = Deadly(os.fspath(tmp_path), frozenset({1, 7}))

        assert sorted(engine.map(deadly, numbers(12))) == [2 * number for number in range(12)]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "7"]

    def test_a_batch_that_every_worker_dies_of_is_an_engine_error(self, engine: Engine, tmp_path: Path) -> None:
        deadly = Deadly(os.fspath(tmp_path), frozenset({2}), always=True)

        with pytest.raises(EngineError) as caught:
            list(engine.map(deadly, numbers(6)))

        assert caught.value.what == "its workers died 4 times"
        assert caught.value.hint is not None
        assert caught.value.hint.endswith("run the same command again: it goes on")


class ForeignErrors:
    def test_another_error_of_a_task_is_an_engine_error(self, engine: Engine) -> None:
        with pytest.raises(EngineError) as caught:
            list(engine.map(Failing(ours=False), numbers(8)))

        assert caught.value.what.startswith("a task failed with ZeroDivisionError: oh")


class TestLocal(EngineContract):
    @pytest.fixture
    def make(self) -> Callable[[Terms], Engine]:
        return LocalEngine


class Patient(Doubled, frozen=True):
    """Work that writes down who does it, and takes its time."""

    folder: str

    async def one(self, batch: Numbers) -> int:
        self.sign()
        await asyncio.sleep(30)
        return 0

    def sign(self) -> None:
        Path(self.folder, str(os.getpid())).touch()


class TestProcesses(ClusterContract):
    in_flight = 4

    def test_its_workers_end_with_it_however_it_ends(self, tmp_path: Path) -> None:
        code = (
            "from tests.conformance.test_engines import *; import sys;"
            "list(ProcessEngine(Terms(jobs=2)).map(Patient(sys.argv[1]), numbers(4)))"
        )
        running = subprocess.Popen([sys.executable, "-c", code, tmp_path], cwd=ROOT)
        ends = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 2:
            assert time.monotonic() < ends
            time.sleep(0.05)
        running.kill()
        running.wait()
        while any(Path("/proc", worker.name).exists() for worker in tmp_path.iterdir()):
            assert time.monotonic() < ends
            time.sleep(0.05)

    @pytest.fixture
    def make(self) -> Callable[[Terms], Engine]:
        return ProcessEngine

    test_one_pace_is_kept_by_all = None  # type: ignore[assignment] # each process has its own
    test_the_rate_of_all_requests_is_bounded = None  # type: ignore[assignment]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
class TestRay(ClusterContract, ForeignErrors):
    @pytest.fixture(scope="class", autouse=True)
    def cluster(self) -> Iterator[None]:
        ray = pytest.importorskip("ray")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
        yield
        ray.shutdown()

    @pytest.fixture
    def make(self) -> Callable[[Terms], Engine]:
        return RayEngine


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Dask's own
class TestDask(ClusterContract, ForeignErrors):
    @pytest.fixture
    def make(self) -> Callable[[Terms], Engine]:
        pytest.importorskip("distributed")
        return DaskEngine


@pytest.mark.parametrize(("name", "package"), [("ray", "ray"), ("dask", "distributed")])
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(UnavailableError) as caught:
        list(engine_of(name).map(Doubled(), numbers(1)))

    assert str(caught.value) == (
        f"the engine {name} takes a package that is not installed; pip install 'ckptinspect[{name}]'"
    )


@pytest.mark.slow
@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "[::1]:99999"])
def test_a_cluster_of_ray_that_is_not_there_is_a_sentence_at_once(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", address)
    began = time.monotonic()

    with pytest.raises(EngineError) as caught:
        list(RayEngine().map(Doubled(), numbers(1)))

    assert caught.value.what.startswith(f"no cluster: {address} does not answer (")
    assert caught.value.hint == "check RAY_ADDRESS and RAY_AUTH_MODE, or unset them to run on this machine"
    assert time.monotonic() - began < 30


def test_every_engine_is_had_by_its_name() -> None:
    assert {name: engine_of(name).name for name in ENGINES} == {name: name for name in ENGINES}
    with pytest.raises(RefError) as caught:
        engine_of("spark")

    assert str(caught.value) == "--engine: 'spark' is no engine; choose one of local, ray, dask"
