"""Verdicts on trials that were made up: the numbers are such that the right answer can be seen."""

from collections.abc import Sequence

import msgspec
import pytest

from ckptinspect.bench.base import Identity, Target
from ckptinspect.bench.bounds import bounds_of
from ckptinspect.bench.cache_state import Residency
from ckptinspect.bench.contention import Contention
from ckptinspect.bench.files import FileSystem
from ckptinspect.bench.gpu.base import DeviceFacts, Link
from ckptinspect.bench.plan import Gpu
from ckptinspect.bench.statistics import Comparison
from ckptinspect.bench.summary import Summary, Verdict, settled, summaries
from ckptinspect.bench.trial import Trial

GB = 1_000_000_000
NO_GPU = Gpu(None, None, None)
EMPTY, FULL = Residency(1000, 0, 0, 0), Residency(1000, 1000, 1000, 0)


class Subject:
    """One file of 1 GB on a disk."""

    def __init__(self, system: str = "ext4") -> None:
        self.targets = (Target("a", Identity(1, 1, GB, 0), 0, 1000),)
        self.file_systems = [FileSystem(system, 0, "vda", 128)]
        self.nbytes = GB


def trial(method: str, number: int, speed: float, cache: str = "cold", **changes: object) -> Trial:
    """A proved load of 1 GB at this speed."""
    limit = method.startswith("limit-")
    made = Trial(
        round=number,
        order=1,
        method=method,
        role="limit" if limit else "ours",
        cache=cache,
        device="cpu",
        threads=2,
        chunk=1,
        destination="none" if limit else "fresh",
        seconds=1 / speed,
        nbytes=GB,
        cpu_seconds=0.5,
        storage_read_bytes=GB if cache == "cold" else 0,
        before=EMPTY if cache == "cold" else FULL,
        state=cache,
        bytes="ok",
    )
    return msgspec.structs.replace(made, **changes)


def rounds(method: str, speeds: Sequence[float], cache: str = "cold", **changes: object) -> list[Trial]:
    return [trial(method, number, speed, cache, **changes) for number, speed in enumerate(speeds, start=1)]


def summary_of(trials: Sequence[Trial], method: str = "ours", subject: Subject | None = None) -> Summary:
    found = summaries(trials, subject or Subject(), NO_GPU)  # type: ignore[arg-type]
    return next(summary for summary in found if summary.method == method)


STORAGE = rounds("limit-storage:direct", [2.0, 1.0, 2.0, 4.0, 2.0, 2.0, 2.0])
MEMORY = rounds("limit-memcpy", [10.0] * 7, "warm")


def test_a_ratio_is_taken_round_by_round() -> None:
    found = summary_of([*STORAGE, *rounds("ours", [1.0, 0.5, 1.0, 2.0, 1.0, 1.0, 1.0])])

    assert found.verdict == Verdict.MEASURED
    assert found.of_limit is not None
    assert (found.limit, found.of_limit.median, found.of_limit.mad) == ("storage", 0.5, 0.0)
    assert found.limit_comparison == Comparison.SLOWER
    assert found.speed is not None
    assert found.speed.median == 1.0
    assert (found.rounds, found.proved) == (7, 7)
    assert found.cpu_seconds_per_gb == 0.5
    assert found.microseconds_per_tensor == 1000.0


def test_the_limit_of_a_round_is_the_better_way_to_read() -> None:
    buffered = rounds("limit-storage:buffered", [1.0, 3.0, 1.0, 1.0, 1.0, 1.0, 1.0])

    bounds = bounds_of([*STORAGE, *buffered], Subject(), NO_GPU)  # type: ignore[arg-type]

    assert list(bounds.limits["storage"].rounds.values()) == [2.0, 3.0, 2.0, 4.0, 2.0, 2.0, 2.0]
    assert bounds.limits["storage"].how == "direct reads, 2 threads"


def test_a_limit_that_did_not_read_the_storage_is_none() -> None:
    cached = rounds("limit-storage:buffered", [9.0] * 7, storage_read_bytes=0)

    bounds = bounds_of([*STORAGE, *cached], Subject(), NO_GPU)  # type: ignore[arg-type]

    assert bounds.limits["storage"].most == 4.0


def test_the_warm_up_counts_for_nothing_but_the_guard() -> None:
    found = summary_of([*STORAGE, trial("ours", 0, 100.0), *rounds("ours", [1.0] * 7)])

    assert found.speed is not None
    assert (found.speed.n, found.speed.most) == (7, 1.0)


def test_the_baseline_is_the_loader_that_most_programs_use() -> None:
    reference = rounds("safetensors-np", [0.5] * 7)

    found = summary_of([*STORAGE, *reference, *rounds("ours", [1.0] * 7)])

    assert found.baseline == "safetensors-np"
    assert found.versus is not None
    assert found.versus.median == 2.0
    assert found.comparison == Comparison.FASTER
    assert summary_of([*STORAGE, *reference], "safetensors-np").versus is None


def test_no_difference_is_an_answer() -> None:
    reference = rounds("safetensors-np", [1.0, 1.2, 0.9, 1.1, 1.0, 1.0, 1.3])

    found = summary_of([*STORAGE, *reference, *rounds("ours", [1.1, 1.1, 1.1, 1.0, 1.0, 1.1, 1.1])])

    assert found.comparison == Comparison.SAME


def test_a_baseline_that_failed_is_no_baseline() -> None:
    failed = rounds("peer:safetensors", [1.0] * 7, seconds=None, error="no")
    reference = rounds("safetensors-np", [0.5] * 7)

    assert summary_of([*failed, *reference, *rounds("ours", [1.0] * 7)]).baseline == "safetensors-np"


def test_faster_than_the_limit_without_a_read_is_no_load() -> None:
    lazy = rounds("ours", [50.0] * 7, storage_read_bytes=0, state="unproven")

    found = summary_of([*STORAGE, *lazy])

    assert found.verdict == Verdict.IMPOSSIBLE
    assert found.why == "50.00 GB/s, where storage gives 4.00 at most"
    assert found.speed is None


def test_faster_than_the_storage_with_every_byte_read_from_it_is_a_load() -> None:
    found = summary_of([*STORAGE, *rounds("ours", [4.3] * 7)])

    assert found.verdict == Verdict.MEASURED
    assert found.above_limit == 7


def test_one_round_of_luck_is_not_impossible() -> None:
    found = summary_of([*MEMORY, *rounds("ours", [11.0, *[9.0] * 6], "warm")])

    assert found.verdict == Verdict.MEASURED
    assert found.above_limit == 1


@pytest.mark.parametrize(("speed", "verdict"), [(10.4, Verdict.MEASURED), (10.6, Verdict.IMPOSSIBLE)])
def test_warm_loads_are_under_what_memory_can_carry(speed: float, verdict: Verdict) -> None:
    assert summary_of([*MEMORY, *rounds("ours", [speed] * 7, "warm")]).verdict == verdict


def test_on_another_machine_the_storage_is_no_guard() -> None:
    far = rounds("ours", [50.0] * 7, storage_read_bytes=0, state="unproven", why="nfs")

    assert summary_of([*STORAGE, *far], subject=Subject("nfs")).verdict == Verdict.UNPROVEN


def test_wrong_bytes_have_no_speed_whatever_the_other_rounds_say() -> None:
    wrong = rounds("ours", [1.0] * 6)
    wrong.append(trial("ours", 7, 1.0, seconds=None, bytes="differ", error="bytes 1 to 2 of file 1 differ"))

    found = summary_of([*STORAGE, *wrong])

    assert (found.verdict, found.why) == (Verdict.WRONG, "bytes 1 to 2 of file 1 differ")
    assert found.speed is None


def test_wrong_bytes_in_the_warm_up_count() -> None:
    wrong = trial("ours", 0, 1.0, seconds=None, bytes="differ", error="bytes 1 to 2 of file 1 differ")

    assert summary_of([wrong]).verdict == Verdict.WRONG


def test_an_unproved_state_is_told_with_its_speed_and_never_ranked() -> None:
    found = summary_of([*STORAGE, *rounds("ours", [1.5] * 7, before=FULL, state="unproven", why="mapped by process 1")])

    assert (found.verdict, found.speed) == (Verdict.UNPROVEN, None)
    assert found.why == "1.50 GB/s; mapped by process 1"


def test_a_load_that_reads_the_storage_is_no_warm_load() -> None:
    direct = rounds("ours", [1.5] * 7, "warm", state="bypasses cache", why="100% of the bytes were read")

    assert summary_of([*MEMORY, *direct]).verdict == Verdict.BYPASSES


def test_rounds_that_were_not_proved_are_left_out_and_counted() -> None:
    some = rounds("ours", [1.0] * 6)
    some.append(trial("ours", 7, 9.0, state="unproven", why="x", before=FULL))

    found = summary_of([*STORAGE, *some])

    assert (found.rounds, found.proved) == (7, 6)
    assert found.speed is not None
    assert found.speed.most == 1.0


def test_a_failure_is_a_row_with_its_reason() -> None:
    found = summary_of(rounds("ours", [1.0], seconds=None, error="ValueError: no", state="unproven"))

    assert (found.verdict, found.why) == (Verdict.FAILED, "ValueError: no")


def test_noisy_rounds_are_counted() -> None:
    noisy = Contention(foreign=0.5, steal=0.0, cpu_pressure=None, io_pressure=None)

    assert summary_of(rounds("ours", [1.0] * 7, contention=noisy)).noisy == 7


def test_the_fastest_stands_first() -> None:
    found = summaries([*rounds("slow", [1.0]), *rounds("fast", [2.0])], Subject(), NO_GPU)  # type: ignore[arg-type]

    assert [summary.method for summary in found] == ["fast", "slow"]


def test_more_rounds_are_wanted_until_the_ratios_are_known_to_5_percent() -> None:
    subject = Subject()
    close = [*rounds("limit-storage:direct", [2.0] * 7), *rounds("ours", [1.0, 1.05, 1.0, 1.02, 1.0, 1.0, 1.0])]
    wide = [*rounds("limit-storage:direct", [2.0] * 7), *rounds("ours", [1.0, 1.5, 1.0, 1.0, 1.0, 1.0, 1.0])]

    assert settled(close, subject, NO_GPU)  # type: ignore[arg-type]
    assert not settled(wide, subject, NO_GPU)  # type: ignore[arg-type]


GPU = Gpu("cuda:0", DeviceFacts("x", "0", GB, GB, link=Link(1, 16, 4, 16)), None)


def test_a_load_to_a_device_is_under_the_storage_and_under_the_link() -> None:
    link = rounds("limit-h2d", [1.5] * 7, "warm", device="cuda:0")
    ours = rounds("ours", [1.0] * 7, device="cuda:0", destination="device")

    (found,) = summaries([*STORAGE, *link, *ours], Subject(), GPU)  # type: ignore[arg-type]

    assert found.limit == "h2d"
    assert found.of_limit is not None
    assert found.of_limit.median == pytest.approx(1 / 1.5)


def test_faster_than_the_link_is_impossible_whatever_was_read() -> None:
    link = rounds("limit-h2d", [1.5] * 7, "warm", device="cuda:0")
    ours = rounds("ours", [1.6] * 7, device="cuda:0", destination="device")

    (found,) = summaries([*STORAGE, *link, *ours], Subject(), GPU)  # type: ignore[arg-type]

    assert (found.verdict, found.why) == (Verdict.IMPOSSIBLE, "1.60 GB/s, where h2d gives 1.50 at most")


def test_the_theory_of_the_link_is_that_of_its_speed_while_it_copied() -> None:
    facts = {"pcie_generation": "3", "pcie_width": "8"}
    link = rounds("limit-h2d", [1.5] * 7, "warm", device="cuda:0", facts=facts)

    during = bounds_of(link, Subject(), GPU)  # type: ignore[arg-type]
    at_most = bounds_of([], Subject(), GPU)  # type: ignore[arg-type]

    assert during.limits["pcie"].rounds == {0: 7.877}
    assert during.limits["pcie"].how == "theory of PCIe 3 x8"
    assert at_most.limits["pcie"].rounds == {0: 31.508}
