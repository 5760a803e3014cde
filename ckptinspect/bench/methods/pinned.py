"""Loads to a GPU through a ring of page-locked buffers, filled by threads and copied while others are filled."""

from collections import deque
from collections.abc import Iterator
from queue import SimpleQueue
from threading import Thread
from time import perf_counter
from typing import ClassVar, NamedTuple

from ckptinspect.bench.base import Job, Phases
from ckptinspect.bench.gpu.base import Event
from ckptinspect.bench.methods.landing import GpuMethod, ToGpu
from ckptinspect.bench.methods.read import Opened
from ckptinspect.bench.reading import Stretch, filled, shared


class PinnedRing(ToGpu):
    """Threads read into page-locked buffers; this thread starts a copy of each that is full, and waits for a copy
    before its buffer is filled again.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.slots = [filled(self.device.host_alloc(job.chunk), job.poison) for _ in range(2 * job.threads + 2)]

    def _move(self, files: Opened, phases: Phases) -> int:
        run = _Run(self, files)
        try:
            moved = run.moved()
            with phases("sync"):
                self.finish(run.flying)
        finally:
            run.stop()
        now = perf_counter()
        phases.add("io", max(run.read_until, default=now) - min(run.read_from, default=now))
        phases.add("h2d", now - run.copied_from if run.copied_from else 0.0)
        return moved

    def reclaim(self, flying: "deque[Flight]") -> int:
        """A buffer that may be filled again: that of the oldest copy, once it has ended."""
        flight = flying.popleft()
        self.device.wait(flight.event)
        return flight.slot

    def finish(self, flying: "deque[Flight]") -> None:
        """Return when every byte is where it belongs."""
        self.device.wait()


class _DirectRing(PinnedRing):
    """The same past the page cache."""

    direct: ClassVar[bool] = True


class Flight(NamedTuple):
    """A copy that was started, and the buffer that it reads."""

    event: Event
    slot: int


class _Filled(NamedTuple):
    slot: int
    stretch: Stretch


class _Run:
    """One pass of the ring: readers fill buffers, the caller's thread has them copied."""

    def __init__(self, ring: PinnedRing, files: Opened) -> None:
        self.ring = ring
        self.files = files
        self.flying: deque[Flight] = deque()
        self.free: SimpleQueue[int | None] = SimpleQueue()
        self.full: SimpleQueue[_Filled | BaseException | None] = SimpleQueue()
        self.read_from: list[float] = []
        self.read_until: list[float] = []
        self.copied_from = 0.0
        self.readers = ring.job.threads
        for slot in range(len(ring.slots)):
            self.free.put(slot)

    def moved(self) -> int:
        """Have everything read and every copy started; the bytes of tensors among them."""
        parts = shared(self.files.stretches(self.ring.job.chunk))
        for _ in range(self.readers):
            Thread(target=self._read, args=(parts,), daemon=True).start()
        moved, running = 0, self.readers
        while running:
            item = self.full.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                running -= 1
                continue
            moved += self._copy(item)
            if len(self.flying) > len(self.ring.slots) - self.readers:
                self.free.put(self.ring.reclaim(self.flying))
        return moved

    def stop(self) -> None:
        """Let readers go that still wait for a buffer."""
        for _ in range(self.readers):
            self.free.put(None)

    def _copy(self, item: _Filled) -> int:
        file, begin, data = self.files.left(item.stretch, self.ring.slots[item.slot])
        self.copied_from = self.copied_from or perf_counter()
        address = self.ring.landing.addresses[file] + begin - self.files.data[file]
        if data.nbytes:
            self.flying.append(Flight(self.ring.device.h2d(address, data), item.slot))
        else:
            self.free.put(item.slot)
        return data.nbytes

    def _read(self, parts: Iterator[Stretch]) -> None:
        try:
            self.read_from.append(perf_counter())
            while (slot := self.free.get()) is not None:
                stretch = next(parts, None)
                if stretch is None:
                    break
                self.files.read(stretch, self.ring.slots[slot])
                self.full.put(_Filled(slot, stretch))
            self.read_until.append(perf_counter())
            self.full.put(None)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self.full.put(error)


class ReadPinnedGpu(GpuMethod):
    """Buffered reads into a ring of page-locked buffers, copied while others are filled."""

    name = "read-pinned-gpu"
    threaded = True
    loading = PinnedRing


class DirectPinnedGpu(GpuMethod):
    """Direct reads into a ring of page-locked buffers, copied while others are filled."""

    name = "direct-pinned-gpu"
    threaded = True
    bypasses_cache = True
    loading = _DirectRing
