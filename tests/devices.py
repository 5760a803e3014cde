"""Devices that there are not: memory here, with everything that a real one may do to a careless loader."""

import time
from collections.abc import Iterable

from ckptinspect.bench.gpu.base import Device, DeviceFacts, Event, Link, Registration
from ckptinspect.errors import UnavailableError


class Copy:
    """A copy that was asked for: made only when somebody waits for it, or for one after it."""

    def __init__(self, address: int, memory: memoryview) -> None:
        self.address = address
        self.memory = memory


class LazyDevice(Device):
    """Copies as late as it may: what is changed before that arrives changed. ``gbps`` is the speed of its link.

    Its memory is never zeros to begin with; behind the first MiB each copy lacks its last ``missing`` bytes.
    """

    def __init__(
        self,
        *,
        memory: int = 1 << 40,
        gbps: float = 0.985,
        link: Link = Link(3, 1),  # noqa: B008 - it is frozen
        registers: bool = True,
        missing: int = 0,
    ) -> None:
        self.link = link
        self.missing = missing
        self.memory = memory
        self.gbps = gbps
        self.registers = registers
        self.blocks: dict[int, bytearray] = {}
        self.under_way: list[Copy] = []
        self.registered: list[memoryview] = []
        self.next = 1 << 32
        self.copied = 0

    def malloc(self, nbytes: int) -> int:
        if sum(map(len, self.blocks.values())) + nbytes > self.memory:
            raise UnavailableError("cuMemAlloc failed: CUDA_ERROR_OUT_OF_MEMORY", f"{nbytes} bytes")
        address, self.next = self.next, self.next + nbytes + 4096
        self.blocks[address] = bytearray(b"\xcd" * nbytes)
        return address

    def host_alloc(self, nbytes: int) -> memoryview:
        from ckptinspect.bench.reading import memory_of

        return memory_of(nbytes)

    def register(self, memory: memoryview) -> Registration:
        if not self.registers:
            raise UnavailableError("cuMemHostRegister failed: CUDA_ERROR_NOT_SUPPORTED", "memory mapped read-only")
        self.registered.append(memory)
        return Registered(self, memory)

    def h2d(self, address: int, memory: memoryview) -> Event:
        copy = Copy(address, memory)
        self.under_way.append(copy)
        return copy

    def wait(self, event: Event | None = None) -> None:
        last = len(self.under_way) - 1 if event is None else self.place_of(event)
        ended, self.under_way = self.under_way[: last + 1], self.under_way[last + 1 :]
        self.end(ended)

    def place_of(self, event: Event) -> int:
        return next((number for number, copy in enumerate(self.under_way) if copy is event), -1)

    def end(self, copies: Iterable[Copy]) -> None:
        for copy in copies:
            time.sleep(len(copy.memory) / self.gbps / 1e9)
            base, offset = self.block_at(copy.address)
            part = copy.memory[: len(copy.memory) - self.missing] if self.copied > 1 << 20 else copy.memory
            self.blocks[base][offset : offset + len(part)] = part
            self.copied += len(copy.memory)

    def block_at(self, address: int) -> tuple[int, int]:
        base = max(begin for begin in self.blocks if begin <= address)
        return base, address - base

    def d2h(self, address: int, nbytes: int) -> bytes:
        # After all copies in the stream, as the real one.
        self.wait()
        base, offset = self.block_at(address)
        return bytes(self.blocks[base][offset : offset + nbytes])

    def facts(self) -> DeviceFacts:
        return DeviceFacts("lazy device", "0", self.memory, self.memory, link=self.link)


class Registered:
    """Memory that a device was told of."""

    def __init__(self, device: LazyDevice, memory: memoryview) -> None:
        self.device = device
        self.memory = memory

    def close(self) -> None:
        """What is copied from it behind this is nothing."""
        self.device.registered.remove(self.memory)
        assert not any(copy.memory.obj is self.memory.obj for copy in self.device.under_way[:-1])


def lazy() -> Device:
    """A device with a link of 1 GB/s: PCIe of generation 3 with one lane gives 0.985."""
    return LazyDevice()


def slow() -> Device:
    """One that copies at 0.05 GB/s: below what memory gives on the busiest machine."""
    return LazyDevice(gbps=0.05, link=Link(1, 1))


def small() -> Device:
    """One with hardly any memory."""
    return LazyDevice(memory=1 << 16)


def short() -> Device:
    """One that drops the last byte of a copy."""
    return LazyDevice(missing=1)


def refusing() -> Device:
    """One that cannot page-lock what is mapped to be read only."""
    return LazyDevice(registers=False)
