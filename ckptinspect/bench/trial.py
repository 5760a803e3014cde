"""One load in a process of its own: the state of the cache set and looked up, the clock, the proof, the bytes."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple, Self

import msgspec

from ckptinspect.bench import cache_state, contention
from ckptinspect.bench.base import Cache, Job, Method, Role, Target
from ckptinspect.bench.cache_state import Evidence, Residency, Verdict
from ckptinspect.bench.contention import Contention
from ckptinspect.bench.files import FileSystem, file_system_of, identity_of, opened, same_file, sectors_read
from ckptinspect.bench.messages import Go, Look, Looked, Prepare, Ready, Timed
from ckptinspect.bench.process import FailedError, Process, Tick
from ckptinspect.bench.verify import Check, Window, compared, spans_of, windows
from ckptinspect.errors import CkptInspectError
from ckptinspect.model import Header

_SETUP_SECONDS = 300.0
_SLOWEST = 20e6
_WARM_ENOUGH = 0.999
_LATE, _LATE_SHARE = 1e-3, 0.01
"""How long a device may still be busy after a load, in seconds and as a share of the load."""


class FileChangedError(CkptInspectError):
    """A file is no longer the one that the run began with."""

    kind = "source"


class Trial(msgspec.Struct, frozen=True):
    """One load and all that is known of it.

    ``round`` 0 is the warm-up, which no figure counts; ``order`` is its place among the loads of its round. ``state``
    is what was proved: cold, warm, as-is, ``bypasses cache`` or unproven, with the reason in ``why``. ``seconds`` is
    None where the load failed (``error``) or its bytes were wrong: a speed for the wrong bytes is none.
    The last ``late_seconds`` of them went by after the load had called itself done. ``bytes`` says ok, differ or
    unchecked.
    """

    round: int
    order: int
    method: str
    role: str
    cache: str
    device: str
    threads: int | None
    chunk: int | None
    destination: str
    error: str | None = None
    seconds: float | None = None
    late_seconds: float | None = None
    nbytes: int = 0
    setup_seconds: float | None = None
    phases: dict[str, float] = {}
    cpu_seconds: float | None = None
    minor_faults: int | None = None
    major_faults: int | None = None
    storage_read_bytes: int | None = None
    device_read_bytes: int | None = None
    before: Residency | None = None
    after: Residency | None = None
    state: str = "unproven"
    why: str | None = None
    bytes: str = "unchecked"
    checked_bytes: int = 0
    contention: Contention | None = None
    facts: dict[str, str] = {}

    @property
    def gbps(self) -> float | None:
        """Bytes of tensors a second, in units of 10**9."""
        return self.nbytes / self.seconds / 1e9 if self.seconds else None

    @property
    def late(self) -> bool:
        """Whether it called itself done while copies were under way, by more than a wait for nothing can take."""
        return bool(self.seconds and self.late_seconds and self.late_seconds > max(_LATE, _LATE_SHARE * self.seconds))

    @property
    def on_gpu(self) -> bool:
        """Whether it loaded to a device."""
        return self.device != "cpu"

    @property
    def overlap(self) -> float | None:
        """How much reading and copying to the device went on at once: 0 for in turn, 0.5 for always both."""
        io, h2d = self.phases.get("io"), self.phases.get("h2d")
        if not io or not h2d or not self.seconds:
            return None
        return max(0.0, 1 - self.seconds / (io + h2d))


class Subject:
    """The files under test: open for as long as the run lasts, known by what they were when it began."""

    def __init__(self, targets: Sequence[Target], headers: Sequence[Header]) -> None:
        self.targets = tuple(targets)
        self.headers = tuple(headers)
        self.descriptors: list[int] = []
        with ExitStack() as closing:
            for target in targets:
                self.descriptors.append(opened(target.path))
                closing.callback(os.close, self.descriptors[-1])
            self._closing = closing.pop_all()
        self.file_systems: list[FileSystem] = [file_system_of(descriptor) for descriptor in self.descriptors]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    @property
    def nbytes(self) -> int:
        """Bytes of the files."""
        return sum(target.size for target in self.targets)

    @property
    def tensor_bytes(self) -> int:
        """Bytes of their tensors: what a load moves."""
        return sum(target.tensor_bytes for target in self.targets)

    @property
    def devices(self) -> list[str]:
        """The block devices under them."""
        return sorted({system.device for system in self.file_systems if system.device is not None})

    def residency(self) -> Residency:
        """What of them is in the page cache."""
        return cache_state.residency_of(self.descriptors, self.file_systems)

    def device_reads(self) -> int | None:
        """Bytes that their devices have read so far, for whomever; None where a device is not known."""
        counts = [sectors_read(system.device) for system in self.file_systems]
        return None if None in counts else sum(sectors_read(device) or 0 for device in self.devices)

    def check_unchanged(self) -> None:
        """Raise FileChangedError where a path leads to another file now, or the file was written to."""
        for target, descriptor in zip(self.targets, self.descriptors, strict=True):
            if identity_of(os.fstat(descriptor)) != target.identity or not same_file(target.path, target.identity):
                raise FileChangedError("the file was replaced or written to while it was measured", target.path)


class Request(NamedTuple):
    """What one trial is to be."""

    round: int
    order: int
    method: Method
    job: Job
    cache: Cache
    check: Check
    seed: int


def measure(request: Request, subject: Subject, tick: Tick | None = None) -> Trial:
    """Run one trial. A load that fails is a trial with an ``error``; raises FileChangedError for a changed file."""
    blank = _blank(request)
    subject.check_unchanged()
    try:
        with Process() as process:
            trial = _measured(request, subject, process, blank, tick)
    except FailedError as failure:
        subject.check_unchanged()
        return msgspec.structs.replace(blank, error=str(failure))
    subject.check_unchanged()
    return trial


def _blank(request: Request) -> Trial:
    method = request.method
    return Trial(
        round=request.round,
        order=request.order,
        method=method.name,
        role=method.role,
        cache=request.cache,
        device=request.job.device,
        threads=request.job.threads if method.threaded else None,
        chunk=request.job.chunk if method.threaded else None,
        destination=method.destination,
    )


def _measured(request: Request, subject: Subject, process: Process, blank: Trial, tick: Tick | None) -> Trial:
    ready = process.ask(Prepare(request.job), Ready, _SETUP_SECONDS)
    before = prepared(request.cache, subject)
    device, counters = subject.device_reads(), contention.reading()
    done = process.ask(Go(), Timed, max(_SETUP_SECONDS, subject.nbytes / _SLOWEST), tick)
    others = contention.between(counters, contention.reading(), done.cpu_seconds)
    device_after, after = subject.device_reads(), subject.residency()
    verdict = _verdict(request, subject, before, done)
    trial = msgspec.structs.replace(
        blank,
        seconds=done.seconds,
        late_seconds=done.late_seconds,
        nbytes=done.nbytes,
        setup_seconds=ready.seconds,
        phases=done.phases,
        cpu_seconds=done.cpu_seconds,
        minor_faults=done.minor_faults,
        major_faults=done.major_faults,
        storage_read_bytes=done.storage_read_bytes,
        device_read_bytes=None if device is None or device_after is None else device_after - device,
        before=before,
        after=after,
        state=verdict.state,
        why=verdict.why,
        contention=others,
        facts=done.facts,
    )
    return _checked(trial, request, subject, process) if request.method.role is not Role.LIMIT else trial


def prepared(cache: Cache, subject: Subject) -> Residency:
    """Bring the page cache into the state asked for; what it is then."""
    if cache is Cache.COLD:
        return cache_state.evict(subject.descriptors, subject.file_systems)
    found = subject.residency()
    if cache is Cache.WARM and (found.used is None or found.used < _WARM_ENOUGH):
        for descriptor in subject.descriptors:
            cache_state.warm(descriptor)
        found = subject.residency()
    return found


def _verdict(request: Request, subject: Subject, before: Residency, done: Timed) -> Verdict:
    if not request.method.reads_files:
        return Verdict(request.cache)
    if done.mapped:
        return Verdict("unproven", "it leaves a file mapped: its tensors may lie in the map, where no byte has moved")
    stuck = request.cache is Cache.COLD and before.used is not None and before.used > cache_state.COLD
    mappers = cache_state.mappers_of(subject.descriptors) if stuck else ()
    evidence = Evidence(before, done.storage_read_bytes, subject.nbytes)
    return cache_state.verdict(request.cache, evidence, subject.file_systems, mappers)


def _checked(trial: Trial, request: Request, subject: Subject, process: Process) -> Trial:
    """The trial with its bytes looked at; without its speed where they are wrong."""
    if trial.nbytes != subject.tensor_bytes:
        return _withheld(trial, f"it moved {trial.nbytes} of {subject.tensor_bytes} bytes")
    wanted = windows(subject.headers, request.check, request.seed)
    if not wanted:
        return trial
    try:
        found = process.ask(Look(tuple(wanted)), Looked, max(_SETUP_SECONDS, subject.nbytes / _SLOWEST))
    except FailedError as failure:
        unseen = _withheld(trial, f"its bytes could not be looked at: {failure}")
        return msgspec.structs.replace(unseen, bytes="unchecked")
    return _compared(trial, subject, wanted, found)


def _compared(trial: Trial, subject: Subject, wanted: Sequence[Window], found: Looked) -> Trial:
    finding = compared(subject.descriptors, spans_of(wanted, subject.headers), found.digests)
    if finding.wrong is not None:
        subject.check_unchanged()
        return _withheld(trial, finding.wrong)
    return msgspec.structs.replace(trial, bytes="ok", checked_bytes=finding.checked)


def _withheld(trial: Trial, what: str) -> Trial:
    timeless = msgspec.structs.replace(trial, seconds=None, late_seconds=None, cpu_seconds=None, phases={})
    return msgspec.structs.replace(timeless, bytes="differ", error=what)
