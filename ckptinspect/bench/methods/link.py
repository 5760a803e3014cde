"""The link to the device: page-locked memory copied to it, with no file in the way."""

import time
from collections import deque

from ckptinspect.bench.base import Destination, Job, Loaded, Loading, Method, Phases, Role, Streamed, Watch
from ckptinspect.bench.gpu import cuda
from ckptinspect.bench.gpu.base import Event, opened_device
from ckptinspect.bench.gpu.link import throttling
from ckptinspect.bench.reading import filled

_SLOTS = 4
_LEAST_SECONDS = 0.2


class HostToDevice(Method):
    """Copies of page-locked memory, one after the other."""

    name = "limit-h2d"
    role = Role.LIMIT
    destination = Destination.NONE
    on_gpu = True
    on_cpu = False
    reads_files = False
    package = "cuda-bindings"

    def unavailable(self) -> str | None:
        return cuda.missing()

    def prepare(self, job: Job) -> Loading:
        return _Copies(job)


class _Copies(Loading):
    def __init__(self, job: Job) -> None:
        self.device = opened_device(job.device)
        self.slots = [filled(self.device.host_alloc(job.chunk), job.poison) for _ in range(_SLOTS)]
        self.addresses = [self.device.malloc(job.chunk) for _ in self.slots]
        self.facts = self._link()

    def _link(self) -> dict[str, str]:
        """The link while it copies: at rest it may be slower."""
        events = self._started()
        found = self.device.facts()
        facts = {"throttling": throttling(found.bus) or ""} if found.bus else {}
        for event in events:
            self.device.wait(event)
        if found.link is not None and found.link.gbps is not None:
            facts |= {"pcie_generation": str(found.link.generation), "pcie_width": str(found.link.width)}
        return facts

    def _started(self) -> list[Event]:
        return [self.device.h2d(address, slot) for address, slot in zip(self.addresses, self.slots, strict=True)]

    def load(self, phases: Phases, watch: Watch | None = None) -> Loaded:
        moved, begin = 0, time.perf_counter()
        flying = deque(self._started())
        with phases("h2d"):
            while time.perf_counter() - begin < _LEAST_SECONDS:
                for address, slot in zip(self.addresses, self.slots, strict=True):
                    self.device.wait(flying.popleft())
                    moved += slot.nbytes
                    flying.append(self.device.h2d(address, slot))
            self.device.wait()
        return Streamed(moved + sum(slot.nbytes for slot in self.slots))

    def settle(self) -> None:
        self.device.wait()
