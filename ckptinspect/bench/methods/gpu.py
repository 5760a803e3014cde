"""Loads to a GPU: out of a memory map, through a ring of page-locked buffers, or by the device itself.

The memory on the device is allocated, and filled with a byte that means nothing, before the clock runs.
"""

import mmap
from collections import deque
from collections.abc import Iterator
from queue import SimpleQueue
from time import perf_counter
from typing import ClassVar, NamedTuple

from ckptinspect.bench.base import Buffer, Destination, Job, Kept, Loading, Method, Phases, Watch
from ckptinspect.bench.gpu import cuda, cufile
from ckptinspect.bench.gpu.base import Device, Event, Registration, opened_device
from ckptinspect.bench.methods.mapped import mapped
from ckptinspect.bench.methods.read import Opened
from ckptinspect.bench.reading import Stretch, filled, in_threads, shared, stretches

_REGISTERED = 1 << 26
_POISONED = 1 << 26


class Place(NamedTuple):
    """A tensor on the device."""

    address: int
    nbytes: int


class Landing:
    """Memory on the device for the tensors of some files, poisoned, and how to read it back."""

    def __init__(self, device: Device, job: Job) -> None:
        self.device = device
        self.addresses = [device.malloc(target.tensor_bytes) for target in job.targets]
        poison = memoryview(bytes([job.poison]) * min(_POISONED, job.tensor_bytes))
        for address, target in zip(self.addresses, job.targets, strict=True):
            for begin in range(0, target.tensor_bytes, _POISONED):
                device.wait(device.h2d(address + begin, poison[: target.tensor_bytes - begin]))

    def kept(self, moved: int, files: Opened) -> Kept[Place]:
        """The tensors by name, where they lie."""
        tensors = [
            {t.name: Place(address + t.begin, t.nbytes) for t in header.tensors}
            for address, header in zip(self.addresses, files.headers, strict=True)
        ]
        return Kept(moved, tensors, self._read)

    def _read(self, place: Place, begin: int, end: int) -> Buffer:
        return self.device.d2h(place.address + begin, min(end, place.nbytes) - begin)


class _ToGpu(Loading):
    """A load to a device that is open, with memory on it."""

    direct: ClassVar[bool] = False

    def __init__(self, job: Job) -> None:
        self.job = job
        self.device = opened_device(job.device)
        self.landing = Landing(self.device, job)

    def load(self, phases: Phases, watch: Watch | None = None) -> Kept[Place]:
        with Opened(self.job, phases, direct=self.direct, names=True) as files:
            moved = self._move(files, phases)
            with phases("tensors"):
                return self.landing.kept(moved, files)

    def settle(self) -> None:
        self.device.wait()

    def _move(self, files: Opened, phases: Phases) -> int:
        raise NotImplementedError


class _OutOfMap(_ToGpu):
    """Each tensor copied out of a map, one after the other."""

    def _move(self, files: Opened, phases: Phases) -> int:
        moved = 0
        with phases("h2d"):
            for file, header in enumerate(files.headers):
                data = mapped(files.descriptors[file], files.sizes[file])[files.data[file] :]
                for tensor in header.tensors:
                    part = data[tensor.begin : tensor.end]
                    if part.nbytes:
                        self.device.wait(self.device.h2d(self.landing.addresses[file] + tensor.begin, part))
                    moved += part.nbytes
        with phases("sync"):
            self.device.wait()
        return moved


class _Window(NamedTuple):
    """A window under way: its map lasts as long as ``data`` does, and must until the copy has ended."""

    event: Event
    registration: Registration
    data: memoryview


class _OutOfRegisteredMap(_ToGpu):
    """Windows of a map, page-locked in turn, each copied while the next is locked."""

    def _move(self, files: Opened, phases: Phases) -> int:
        moved = 0
        flying: deque[_Window] = deque()
        with phases("h2d"):
            for file, (size, data) in enumerate(zip(files.sizes, files.data, strict=True)):
                whole = mapped(files.descriptors[file], size)
                step = max(self.job.chunk, _REGISTERED) // mmap.PAGESIZE * mmap.PAGESIZE
                first = data // mmap.PAGESIZE * mmap.PAGESIZE
                for _, begin, end in stretches([(file, first, size)], step):
                    registration = self.device.register(whole[begin:end])
                    part = whole[max(begin, data) : end]
                    event = self.device.h2d(self.landing.addresses[file] + max(begin, data) - data, part)
                    flying.append(_Window(event, registration, part))
                    moved += part.nbytes
                    if len(flying) > 1:
                        self._land(flying)
            while flying:
                self._land(flying)
        with phases("sync"):
            self.device.wait()
        return moved

    def _land(self, flying: "deque[_Window]") -> None:
        window = flying.popleft()
        self.device.wait(window.event)
        window.registration.close()


class PinnedRing(_ToGpu):
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
        from threading import Thread

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


class _ByTheDevice(_ToGpu):
    """Reads from the file straight to the device's memory, by cuFile."""

    direct: ClassVar[bool] = True

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.cufile = cufile.CuFile()

    def _move(self, files: Opened, phases: Phases) -> int:
        before = self.cufile.moved_by_the_device()
        handles = [self.cufile.registered(descriptor) for descriptor in files.descriptors]
        regions = zip(range(len(files.sizes)), files.data, files.sizes, strict=True)
        parts = shared(stretches(regions, self.job.chunk))
        moved = [0] * self.job.threads

        def read(index: int) -> None:
            if isinstance(self.device, cuda.CudaDevice):
                self.device.make_current()
            for file, begin, end in parts:
                handles[file].read(self.landing.addresses[file] + begin - files.data[file], end - begin, begin)
                moved[index] += end - begin

        with phases("io"):
            in_threads(self.job.threads, read)
        with phases("sync"):
            self.device.wait()
        for handle in handles:
            handle.close()
        self.facts = {"gds": _way(before, self.cufile.moved_by_the_device())}
        return sum(moved)


def _way(before: int | None, after: int | None) -> str:
    """Whether reads went past the host's memory, as far as the kernel's module counted them."""
    if before is None or after is None:
        return "compatibility mode, or PCI peer-to-peer without nvidia-fs: not told apart"
    return "peer-to-peer by nvidia-fs" if after > before else "compatibility mode: nvidia-fs served no read"


class _GpuMethod(Method):
    destination = Destination.DEVICE
    on_gpu = True
    on_cpu = False
    package = "cuda-bindings"
    loading: ClassVar[type[_ToGpu]]

    def unavailable(self) -> str | None:
        return cuda.missing()

    def prepare(self, job: Job) -> Loading:
        return self.loading(job)


class MmapGpu(_GpuMethod):
    """Memory-map the file, copy each tensor from the map: what most programs do."""

    name = "mmap-gpu"
    loading = _OutOfMap


class MmapRegisteredGpu(_GpuMethod):
    """Memory-map the file, page-lock windows of the map, copy them without a buffer between."""

    name = "mmap-reg-gpu"
    loading = _OutOfRegisteredMap


class ReadPinnedGpu(_GpuMethod):
    """Buffered reads into a ring of page-locked buffers, copied while others are filled."""

    name = "read-pinned-gpu"
    threaded = True
    loading = PinnedRing


class DirectPinnedGpu(_GpuMethod):
    """Direct reads into a ring of page-locked buffers, copied while others are filled."""

    name = "direct-pinned-gpu"
    threaded = True
    bypasses_cache = True
    loading = _DirectRing


class Gds(_GpuMethod):
    """GPUDirect Storage: the storage writes to the device's memory, where the system can."""

    name = "gds"
    threaded = True
    bypasses_cache = True
    loading = _ByTheDevice

    def unavailable(self) -> str | None:
        return cufile.missing()
