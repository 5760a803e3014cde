"""Loads to a GPU without buffers of ours between: out of a memory map, or by the device itself."""

import mmap
from collections import deque
from typing import ClassVar, NamedTuple

from ckptinspect.bench.base import Job, Phases
from ckptinspect.bench.gpu import cuda, cufile
from ckptinspect.bench.gpu.base import Event, Registration
from ckptinspect.bench.methods.landing import GpuMethod, ToGpu
from ckptinspect.bench.methods.mapped import mapped
from ckptinspect.bench.methods.read import Opened
from ckptinspect.bench.reading import in_threads, shared, stretches

_REGISTERED = 1 << 26


class _OutOfMap(ToGpu):
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


class _OutOfRegisteredMap(ToGpu):
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


class _ByTheDevice(ToGpu):
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


class MmapGpu(GpuMethod):
    """Memory-map the file, copy each tensor from the map: what most programs do."""

    name = "mmap-gpu"
    loading = _OutOfMap


class MmapRegisteredGpu(GpuMethod):
    """Memory-map the file, page-lock windows of the map, copy them without a buffer between."""

    name = "mmap-reg-gpu"
    loading = _OutOfRegisteredMap


class Gds(GpuMethod):
    """GPUDirect Storage: the storage writes to the device's memory, where the system can."""

    name = "gds"
    threaded = True
    bypasses_cache = True
    loading = _ByTheDevice

    def unavailable(self) -> str | None:
        return cufile.missing()
