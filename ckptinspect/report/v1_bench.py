"""The JSON contract, version 1: what ``bench`` answers. Within v1 fields are only ever added.

GB/s are 10**9 bytes of tensors a second, from the open of the first file to the last byte at its destination.
"""

import msgspec


class StorageData(msgspec.Struct, frozen=True):
    """What the files lie on; ``magic`` is the number of the file system, None where the kernel does not say."""

    file_system: str
    magic: int
    device: str | None
    read_ahead_kb: int | None


class HostData(msgspec.Struct, frozen=True):
    """The machine, without its name. ``free_page_reporting`` is the order of pages that a guest gives back."""

    kernel: str
    machine: str
    cpu: str | None
    cpus: int
    memory_bytes: int | None
    available_bytes: int | None
    virtualization: str | None
    transparent_hugepages: str | None
    free_page_reporting: int | None
    storage: tuple[StorageData, ...]


class GpuData(msgspec.Struct, frozen=True):
    """The device that was loaded to; the link as it was while something was copied over it."""

    device: str
    name: str
    driver: str
    memory_bytes: int
    free_bytes: int
    numa_node: int | None
    pcie_generation: int | None
    pcie_width: int | None
    limit_gbps: float | None


class LoadedFileData(msgspec.Struct, frozen=True):
    """One file that was loaded; ``hole_bytes`` of it are in no block of its file system."""

    path: str
    bytes: int
    header_bytes: int
    tensors: int
    hole_bytes: int


class SubjectData(msgspec.Struct, frozen=True):
    """All files of a load together."""

    files: tuple[LoadedFileData, ...]
    bytes: int
    tensor_bytes: int
    tensors: int
    median_tensor_bytes: int | None
    sparse: bool


class SpreadData(msgspec.Struct, frozen=True):
    """Some values in short: ``mad`` is the median distance from the median; ``low`` and ``high`` hold the median with
    at least 95% confidence, None with fewer than six values.
    """

    n: int
    median: float
    mad: float
    least: float
    most: float
    low: float | None
    high: float | None


class RoundData(msgspec.Struct, frozen=True):
    """A speed in one round; round 0 is the warm-up."""

    round: int
    gbps: float


class LimitData(msgspec.Struct, frozen=True):
    """A bound: ``storage``, ``memcpy``, ``h2d`` (host to device), ``pcie`` (theory), and how it was taken."""

    limit: str
    how: str
    rounds: tuple[RoundData, ...]
    speed: SpreadData | None


class ResidencyData(msgspec.Struct, frozen=True):
    """What of the files was in the page cache, in pages; None where that way of looking cannot be trusted.

    ``used`` is the share by the way that says more.
    """

    pages: int
    cachestat: int | None
    mincore: int | None
    dirty: int | None
    used: float | None


class ContentionData(msgspec.Struct, frozen=True):
    """What others took while a load ran, as shares; ``noisy`` where that was enough to be felt."""

    foreign: float | None
    steal: float | None
    cpu_pressure: float | None
    io_pressure: float | None
    noisy: bool


class TrialData(msgspec.Struct, frozen=True):
    """One load in a process of its own.

    ``round`` 0 is the warm-up, which no figure counts. ``cache`` is the state asked for, ``state`` the one proved:
    cold, warm, as-is, ``bypasses cache`` or unproven, with the reason in ``why``. ``seconds`` and ``gbps`` are None
    where the load failed or brought wrong bytes; the last ``late_seconds`` of them went by after the load had called
    itself done. ``bytes`` is ok, differ or unchecked.
    """

    round: int
    order: int
    method: str
    role: str
    cache: str
    state: str
    why: str | None
    device: str
    threads: int | None
    chunk_bytes: int | None
    destination: str
    error: str | None
    seconds: float | None
    late_seconds: float | None
    moved_bytes: int
    gbps: float | None
    setup_seconds: float | None
    phases: dict[str, float]
    overlap: float | None
    cpu_seconds: float | None
    minor_faults: int | None
    major_faults: int | None
    storage_read_bytes: int | None
    device_read_bytes: int | None
    residency_before: ResidencyData | None
    residency_after: ResidencyData | None
    bytes: str
    checked_bytes: int
    contention: ContentionData | None
    facts: dict[str, str]


class MethodData(msgspec.Struct, frozen=True):
    """One method in one state of the cache.

    ``verdict`` is measured, unproven, ``bypasses cache``, failed, ``wrong bytes: speed withheld``, ``IMPOSSIBLE: not a
    load`` or ``not finished: copies were under way``; ``speed`` (GB/s) is there where it was measured. ``of_limit`` and
    ``versus_baseline`` are ratios round by round; ``limit_comparison`` and ``comparison`` say what they show: faster,
    slower, ``no difference shown`` or ``too few rounds``.
    """

    method: str
    role: str
    cache: str
    verdict: str
    why: str | None
    rounds: int
    proved: int
    noisy: int
    above_limit: int
    speed: SpreadData | None
    limit: str | None
    of_limit: SpreadData | None
    limit_comparison: str | None
    baseline: str | None
    versus_baseline: SpreadData | None
    comparison: str | None
    cpu_seconds_per_gb: float | None
    microseconds_per_tensor: float | None
    threads: int | None
    destination: str
    bytes: str


class SkippedData(msgspec.Struct, frozen=True):
    """What was not measured: a method, a state of the cache or a file, with the kind of error where it is one."""

    method: str | None
    cache: str | None
    path: str | None
    reason: str
    kind: str | None


class BenchSettingsData(msgspec.Struct, frozen=True):
    """What was asked for; ``rounds`` None: seven, and more while the intervals are wide and the budget lasts."""

    device: str
    caches: tuple[str, ...]
    rounds: int | None
    budget_seconds: float
    threads: tuple[int, ...]
    chunk_bytes: int
    max_bytes: int
    verify: str
    evicts: bool
    numa: str


class BenchData(msgspec.Struct, frozen=True):
    """``bench``: how fast the files load, beside what bounds them, with every single load."""

    host: HostData
    gpu: GpuData | None
    file: SubjectData
    settings: BenchSettingsData
    limits: tuple[LimitData, ...]
    trials: tuple[TrialData, ...]
    summary: tuple[MethodData, ...]
    skipped: tuple[SkippedData, ...]
    warnings: tuple[str, ...]
    order_seed: int
    versions: dict[str, str]
