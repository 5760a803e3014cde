"""Where a load to a GPU ends: memory on the device, allocated and poisoned before the clock runs."""

from typing import ClassVar, NamedTuple

from ckptinspect.bench.base import Buffer, Destination, Job, Kept, Loading, Method, Phases, Watch
from ckptinspect.bench.gpu import cuda
from ckptinspect.bench.gpu.base import Device, opened_device
from ckptinspect.bench.methods.read import Opened

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


class ToGpu(Loading):
    """A load to a device that is open, with memory on it. ``direct`` where the files are opened past the cache."""

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
        """Have every byte of every tensor copied to its place; how many they were."""
        raise NotImplementedError


class GpuMethod(Method):
    """A way to load to a GPU, by the driver's API; ``loading`` is what it prepares."""

    destination = Destination.DEVICE
    on_gpu = True
    on_cpu = False
    package = "cuda-bindings"
    loading: ClassVar[type[ToGpu]]

    def unavailable(self) -> str | None:
        return cuda.missing()

    def prepare(self, job: Job) -> Loading:
        return self.loading(job)
