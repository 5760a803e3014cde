"""What a load to a device needs of it: six calls. ``cuda`` answers them with a real one; tests have others."""

from abc import ABC, abstractmethod
from typing import Protocol

import msgspec

from ckptinspect.errors import UnavailableError


class Link(msgspec.Struct, frozen=True):
    """The PCIe link of a device: generation and lanes, as they are now and at most."""

    generation: int | None
    width: int | None
    most_generation: int | None = None
    most_width: int | None = None

    @property
    def gbps(self) -> float | None:
        """What the link carries in each direction by its theory, in units of 10**9 bytes a second.

        >>> Link(4, 16).gbps, Link(5, 8).gbps
        (31.508, 31.508)
        """
        # GT/s a lane; 8b/10b up to generation 2, 128b/130b up to 5, 242 of 256 bytes of a flit from 6 on.
        rates = {1: 2.0, 2: 4.0, 3: 8 * 128 / 130, 4: 16 * 128 / 130, 5: 32 * 128 / 130, 6: 64 * 242 / 256}
        if self.generation not in rates or self.width is None:
            return None
        return round(rates[self.generation] * self.width / 8, 3)


class DeviceFacts(msgspec.Struct, frozen=True):
    """What there is to know of a device before anything is loaded to it; memory in bytes."""

    name: str
    driver: str
    memory: int
    free: int
    bus: str | None = None
    numa: int | None = None
    link: Link | None = None


class Event(Protocol):
    """A copy that was asked for."""


class Registration(Protocol):
    """Memory that the device may read by itself until ``close`` is called."""

    def close(self) -> None:
        """Let go of it."""


class Device(ABC):
    """One device with one stream of copies to it, used from one thread. Addresses are the device's own.

    Every call raises UnavailableError with the device's own words where it refuses.
    """

    @abstractmethod
    def malloc(self, nbytes: int) -> int:
        """Memory on the device: its address."""

    @abstractmethod
    def host_alloc(self, nbytes: int) -> memoryview:
        """Page-locked memory here, which the device reads by itself."""

    @abstractmethod
    def register(self, memory: memoryview) -> Registration:
        """Page-lock memory that is there already and is only read, such as a map; page-aligned at its begin."""

    @abstractmethod
    def h2d(self, address: int, memory: memoryview) -> Event:
        """Start a copy to the device. Page-locked memory must stay as it is until the copy was waited for."""

    @abstractmethod
    def wait(self, event: Event | None = None) -> None:
        """Return when this copy has ended; without one, when all have."""

    @abstractmethod
    def d2h(self, address: int, nbytes: int) -> bytes:
        """Bytes read back from the device, after all copies to it."""

    @abstractmethod
    def facts(self) -> DeviceFacts:
        """What it is."""


def opened_device(spec: str) -> Device:
    """The device ``cuda:N``; or what ``module:function`` makes. Raises UnavailableError where there is none."""
    kind, _, rest = spec.partition(":")
    if kind == "cuda":
        from ckptinspect.bench.gpu.cuda import CudaDevice

        return CudaDevice(int(rest or 0))
    from importlib import import_module

    made = getattr(import_module(kind), rest)()
    if not isinstance(made, Device):
        raise UnavailableError("that is no device", spec)
    return made
