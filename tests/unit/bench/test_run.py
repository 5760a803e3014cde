"""Whole runs, each load in its process: loaders with one thing wrong, files that change, devices that refuse."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ckptinspect.bench import cache_state
from ckptinspect.bench.base import Cache, Method
from ckptinspect.bench.files import file_system_of
from ckptinspect.bench.methods.gpu import MmapGpu, MmapRegisteredGpu
from ckptinspect.bench.methods.limits import Memcpy, StorageBuffered, StorageDirect
from ckptinspect.bench.methods.link import HostToDevice
from ckptinspect.bench.methods.mapped import MmapCopy
from ckptinspect.bench.methods.read import DirectFull, DirectRing, ReadFull, ReadRing
from ckptinspect.bench.run import Outcome
from ckptinspect.bench.subject import found_at
from ckptinspect.bench.summary import Summary, Verdict
from ckptinspect.bench.verify import Check
from ckptinspect.errors import UnavailableError
from tests import loaders
from tests.e2e.command import ROOT
from tests.loads import on_disk, ran, sized, write_random

SIZE = 2_000_000
WARM = (Cache.WARM,)
LIMITS: Sequence[Method] = (StorageDirect(), StorageBuffered(), Memcpy())


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of trials find the loaders of the tests."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_random(on_disk(tmp_path) / "a.safetensors", sized(SIZE))


def only(outcome: Outcome) -> Summary:
    (found,) = outcome.summaries
    return found


def test_a_run_proves_every_state_and_checks_every_load(path: Path) -> None:
    outcome = ran([path], [ReadRing(), ReadFull(), DirectRing(), DirectFull(), MmapCopy()], LIMITS)

    assert {(trial.cache, trial.state) for trial in outcome.trials} == {("cold", "cold"), ("warm", "warm")}
    for trial in outcome.trials:
        assert trial.error is None
        assert trial.bytes == ("unchecked" if trial.role == "limit" else "ok")
        assert trial.before is not None
        assert trial.before.used == (0.0 if trial.cache == "cold" else 1.0)
        if trial.method != "limit-memcpy":
            assert trial.storage_read_bytes is not None
            assert (trial.storage_read_bytes >= path.stat().st_size) == (trial.cache == "cold")
    assert {limit.limit for limit in outcome.limits} == {"storage", "memcpy"}
    assert all(summary.verdict == Verdict.MEASURED for summary in outcome.summaries)
    assert all(summary.of_limit is not None for summary in outcome.summaries)
    assert not [s for s in outcome.summaries if s.cache == "warm" and s.method.startswith("direct")]


def test_every_round_has_its_own_order_and_a_seed_brings_it_back(path: Path) -> None:
    def order(outcome: Outcome) -> list[list[str]]:
        return [[t.method for t in outcome.trials if t.round == number] for number in (1, 2, 3)]

    methods = [ReadRing(), ReadFull(), DirectRing()]
    first, again = (order(ran([path], methods, rounds=3, caches=(Cache.COLD,))) for _ in range(2))

    assert first == again
    assert len({tuple(names) for names in first}) > 1


def test_what_was_warm_is_warm_again_and_what_was_cold_is_left(path: Path, tmp_path: Path) -> None:
    other = write_random(tmp_path / "b.safetensors", sized(SIZE))
    with readable(path) as warm, readable(other) as bystander:
        cache_state.warm(warm)
        cache_state.warm(bystander)
        seen: list[float | None] = []

        outcome = ran([path], [ReadRing()], caches=(Cache.COLD,))
        seen = [cache_state.residency_of([fd], [file_system_of(fd)]).used for fd in (warm, bystander)]

    assert {trial.state for trial in outcome.trials} == {"cold"}
    assert seen == [1.0, 1.0]


def test_an_interrupt_gives_the_warmth_back_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Impatient:
        watched = True

        def begin(self, step: object) -> None:
            """Nothing yet."""

        def tick(self, process: int) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr("tests.loads.Silent", Impatient)
    with readable(path) as descriptor:
        cache_state.warm(descriptor)

        with pytest.raises(KeyboardInterrupt):
            ran([path], [loaders.Waits()], caches=(Cache.COLD,))

        assert cache_state.residency_of([descriptor], [file_system_of(descriptor)]).used == 1.0


class readable:  # noqa: N801 - reads as a function
    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> int:
        self.descriptor = os.open(self.path, os.O_RDONLY)
        return self.descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)


def test_nothing_is_evicted_where_that_was_not_wanted(path: Path) -> None:
    outcome = ran([path], [ReadRing()], evicts=False)

    assert {trial.cache for trial in outcome.trials} == {"warm"}
    assert [(item.cache, item.reason) for item in outcome.skipped] == [("cold", "nothing is evicted (--no-evict)")]


def test_as_it_is_leaves_the_cache_alone(path: Path) -> None:
    with readable(path) as descriptor:
        cache_state.evict([descriptor], [file_system_of(descriptor)])
        outcome = ran([path], [DirectFull()], caches=(Cache.AS_IS,))

    assert {trial.state for trial in outcome.trials} == {"as-is"}
    assert only(outcome).verdict == Verdict.MEASURED
    assert only(outcome).of_limit is None


def test_the_files_are_as_they_were(path: Path) -> None:
    content = path.read_bytes()
    found = found_at([str(path)], 1 << 40)
    # With an access as old as that, whoever reads it next leaves a trace (relatime).
    os.utime(path, ns=(1, path.stat().st_mtime_ns))
    before = path.stat()

    ran(found, [ReadRing(), DirectFull(), MmapCopy()], LIMITS)

    after = path.stat()
    assert (after.st_atime_ns, after.st_mtime_ns, after.st_ino, after.st_mode, after.st_ctime_ns) == (
        before.st_atime_ns, before.st_mtime_ns, before.st_ino, before.st_mode, before.st_ctime_ns
    )  # fmt: skip
    assert path.read_bytes() == content
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    ("method", "verdict", "why"),
    [
        (loaders.SkipsOne(), Verdict.WRONG, "differ"),
        (loaders.Miscounts(), Verdict.WRONG, "it moved "),
        (loaders.Permutes(), Verdict.WRONG, "differ"),
        (loaders.PermutedRing(), Verdict.WRONG, "differ"),
        (loaders.Dies(), Verdict.FAILED, "it was killed; the machine may have run out of memory (SIGKILL)"),
        (loaders.Raises(), Verdict.FAILED, "ValueError: no \\x1b[31mgood"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_loader_with_one_thing_wrong_is_found_out(method: Method, verdict: Verdict, why: str, path: Path) -> None:
    outcome = ran([path], [method, ReadFull()], [Memcpy()], caches=WARM)
    found = next(summary for summary in outcome.summaries if summary.method == method.name)

    assert found.verdict == verdict
    assert found.why is not None
    assert why in found.why
    assert found.speed is None
    assert all(trial.gbps is None for trial in outcome.trials if trial.method == method.name)
    other = next(summary for summary in outcome.summaries if summary.method == "read-full")
    assert other.verdict == Verdict.MEASURED


def test_a_full_check_finds_what_a_sample_finds(path: Path) -> None:
    outcome = ran([path], [loaders.Permutes()], check=Check.FULL, caches=WARM)

    assert only(outcome).verdict == Verdict.WRONG


def test_a_map_that_nobody_touches_is_no_load(tmp_path: Path) -> None:
    path = write_random(on_disk(tmp_path) / "a.safetensors", sized(64_000_000))

    outcome = ran([path], [loaders.Lazy()], LIMITS, chunk=1 << 20)

    cold, warm = outcome.summaries
    assert (cold.cache, cold.verdict, cold.speed) == ("cold", Verdict.IMPOSSIBLE, None)
    # Where others slow it down below what memory can carry, the map that it leaves still tells.
    assert warm.verdict in {Verdict.IMPOSSIBLE, Verdict.UNPROVEN}
    assert warm.speed is None


def test_a_map_that_nobody_touches_is_no_load_however_slow_it_is(path: Path) -> None:
    outcome = ran([path], [loaders.SlowLazy()], LIMITS, caches=(Cache.COLD, Cache.WARM, Cache.AS_IS))

    assert {(summary.verdict, summary.speed) for summary in outcome.summaries} == {(Verdict.UNPROVEN, None)}
    why = "it leaves a file mapped: its tensors may lie in the map, where no byte has moved"
    assert {trial.why for trial in outcome.trials if trial.role == "ours"} == {why}


def test_a_load_that_reads_the_storage_with_all_of_it_cached_is_no_warm_load(path: Path) -> None:
    outcome = ran([path], [loaders.HiddenDirect()], caches=WARM)

    assert only(outcome).verdict == Verdict.BYPASSES
    assert {(trial.state, trial.before.used if trial.before else None) for trial in outcome.trials} == {
        ("bypasses cache", 1.0)
    }


def test_pages_of_a_ring_are_there_before_the_clock_and_those_of_new_memory_are_not(tmp_path: Path) -> None:
    path = write_random(on_disk(tmp_path) / "a.safetensors", sized(32_000_000))
    outcome = ran([path], [ReadRing(), ReadFull()], caches=WARM, chunk=1 << 20)
    faults = {trial.method: trial.minor_faults for trial in outcome.trials if trial.round}

    # 7,813 pages; fewer faults where the kernel hands out large ones, but never as few as none.
    assert faults["read-ring"] is not None
    assert faults["read-full"] is not None
    assert faults["read-ring"] < 400
    assert faults["read-full"] > faults["read-ring"]
    assert {trial.destination for trial in outcome.trials} == {"ring", "fresh"}


def test_wrong_bytes_in_one_state_take_the_speed_of_the_other(path: Path) -> None:
    outcome = ran([path], [loaders.WrongWhenWarm()])

    assert [(summary.cache, summary.verdict) for summary in outcome.summaries] == [
        ("cold", Verdict.WRONG),
        ("warm", Verdict.WRONG),
    ]


def test_a_limit_that_cannot_be_taken_is_a_row(path: Path) -> None:
    outcome = ran([path], [ReadFull()], [loaders.NoLimit(), Memcpy()], caches=WARM)

    assert [(item.method, item.reason) for item in outcome.skipped] == [("limit-none", "ValueError: no")]
    assert only(outcome).verdict == Verdict.MEASURED


@pytest.mark.parametrize("device", ["tests.devices:lazy", "tests.devices:short"])
def test_a_buffer_filled_while_it_is_copied_is_found_by_its_bytes(device: str, path: Path) -> None:
    bad = ran([path], [loaders.ReusesSlots()], device=device, caches=WARM)
    good = ran([path], [loaders.Pinned()], device=device, caches=WARM)

    assert only(bad).verdict == Verdict.WRONG
    assert only(good).verdict == (Verdict.WRONG if device.endswith("short") else Verdict.MEASURED)


def test_the_last_copies_that_nobody_waited_for_are_waited_for_and_told(tmp_path: Path) -> None:
    path = write_random(on_disk(tmp_path) / "a.safetensors", sized(40_000_000))
    methods = [loaders.ForgetsTheLast(), loaders.Pinned()]

    outcome = ran([path], methods, device="tests.devices:lazy", caches=WARM, chunk=1 << 20)
    found = {summary.method: summary for summary in outcome.summaries}

    # Four buffers of 1 MiB at 0.985 GB/s are 4.3 ms, of 41 for all.
    assert found["forgets-the-last"].verdict == Verdict.UNFINISHED
    assert found["forgets-the-last"].speed is None
    assert re.search(
        r"GB/s; it called itself done \d+\.\d ms before they had ended$", found["forgets-the-last"].why or ""
    )
    assert found["pinned"].verdict == Verdict.MEASURED
    assert all((trial.gbps or 0.0) <= 0.985 for trial in outcome.trials)


def test_a_last_wait_left_out_is_found_by_the_link(tmp_path: Path) -> None:
    path = write_random(on_disk(tmp_path) / "a.safetensors", sized(20_000_000))
    methods = [loaders.NeverSyncs(), loaders.Pinned()]

    outcome = ran([path], methods, [HostToDevice()], device="tests.devices:slow", caches=WARM, chunk=1 << 20)
    found = {summary.method: summary for summary in outcome.summaries}

    assert found["never-syncs"].verdict == Verdict.IMPOSSIBLE
    assert found["never-syncs"].bytes == "ok"
    assert found["pinned"].verdict == Verdict.MEASURED
    assert found["pinned"].of_limit is not None
    assert found["pinned"].of_limit.median < 1.05


def test_a_device_without_room_is_a_reason(path: Path) -> None:
    outcome = ran([path], [loaders.Pinned()], device="tests.devices:small", caches=WARM)

    assert [item.reason for item in outcome.skipped] == ["the device has 65.54 kB free, and 2.00 MB are to be loaded"]
    assert outcome.trials == ()


def test_a_device_that_registers_nothing_is_a_reason(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (MmapGpu, MmapRegisteredGpu):
        monkeypatch.setattr(kind, "unavailable", lambda _: None)

    outcome = ran([path], [MmapGpu(), MmapRegisteredGpu()], device="tests.devices:refusing", caches=WARM)
    found = {summary.method: summary for summary in outcome.summaries}

    assert found["mmap-gpu"].verdict == Verdict.MEASURED
    assert found["mmap-reg-gpu"].verdict == Verdict.FAILED
    assert found["mmap-reg-gpu"].why == ("memory mapped read-only: cuMemHostRegister failed: CUDA_ERROR_NOT_SUPPORTED")


def test_a_device_that_was_asked_for_and_is_not_there_is_an_error(path: Path) -> None:
    with pytest.raises(UnavailableError):
        ran([path], [ReadRing()], device="cuda:9")


def test_a_file_that_shrinks_under_its_map_ends_a_process_and_not_the_run(path: Path) -> None:
    outcome = ran([path], [loaders.Shrinks()], caches=WARM)

    assert [(item.path, item.reason) for item in outcome.skipped] == [
        (str(path), "the file was replaced or written to while it was measured")
    ]
    assert outcome.warnings == (
        "stopped: what comes after the change of a file cannot be compared with what came before",
    )


def test_a_bus_error_has_a_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # With the look at the file left out, what is left is what the process said by its end.
    monkeypatch.setattr("ckptinspect.bench.trial.Subject.check_unchanged", lambda _: None)

    outcome = ran([path], [loaders.Shrinks()], caches=WARM)

    assert only(outcome).verdict == Verdict.FAILED
    assert only(outcome).why == "the file shrank under the map (SIGBUS)"


def test_a_file_that_another_takes_the_place_of_stops_the_run(path: Path) -> None:
    outcome = ran([path], [loaders.Replaces()], caches=WARM)

    assert [item.path for item in outcome.skipped] == [str(path)]
    assert outcome.summaries == ()


def test_a_file_that_is_written_to_stops_the_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Writer(list[int]):
        watched = False

        def begin(self, step: object) -> None:
            self.append(1)
            if len(self) == 3:
                with path.open("r+b") as file:
                    file.seek(-1, os.SEEK_END)
                    file.write(b"x")

        def tick(self, process: int) -> None:
            pass

    monkeypatch.setattr("tests.loads.Silent", Writer)

    outcome = ran([path], [ReadRing(), ReadFull()], caches=WARM, rounds=5)

    assert len(outcome.trials) == 2
    assert [item.path for item in outcome.skipped] == [str(path)]


def test_the_budget_ends_a_run_between_rounds(path: Path) -> None:
    outcome = ran([path], [ReadRing()], caches=WARM, rounds=50, budget=0.5)

    done = max(trial.round for trial in outcome.trials)
    assert 1 <= done < 50
    (told,) = outcome.warnings
    assert re.fullmatch(
        rf"stopped after {done} of 50 rounds: the budget of 0 s ended; all of them take about --budget [1-9]\d?m", told
    )


def test_memory_that_would_not_do_is_a_reason(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ckptinspect.bench.plan.available", lambda: SIZE)

    outcome = ran([path], [ReadFull(), ReadRing()], caches=(Cache.COLD, Cache.WARM))

    assert [(item.method, item.cache, item.reason) for item in outcome.skipped] == [
        ("read-full", None, "it takes 2.00 MB of memory with 10% to spare, and 2.00 MB are available"),
        (None, "warm", "it takes 2.00 MB of memory with 10% to spare, and 2.00 MB are available"),
    ]
    assert {(trial.method, trial.cache) for trial in outcome.trials} == {("read-ring", "cold")}


def test_on_tmpfs_there_are_warm_rounds_only(path: Path) -> None:
    with in_memory(path) as copy:
        outcome = ran([copy], [ReadRing(), DirectFull()], [StorageDirect(), Memcpy()])

    assert [(item.cache, item.reason) for item in outcome.skipped] == [
        ("cold", "tmpfs has no backing device: warm only")
    ]
    assert {(trial.method, trial.state) for trial in outcome.trials} == {
        ("read-ring", "warm"),
        ("limit-memcpy", "warm"),
    }


class in_memory:  # noqa: N801 - reads as a function
    def __init__(self, path: Path) -> None:
        if not os.path.isdir("/dev/shm"):
            pytest.skip("there is no /dev/shm")
        self.copy = Path(f"/dev/shm/ckptinspect-run-{os.getpid()}.safetensors")
        shutil.copy(path, self.copy)

    def __enter__(self) -> Path:
        return self.copy

    def __exit__(self, *_: object) -> None:
        self.copy.unlink()


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """No process of a trial outlives its run."""
    yield
    mine = str(os.getpid())
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                command = Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                continue
            assert not (stat[1] == mine and b"ckptinspect.bench.worker" in command)
