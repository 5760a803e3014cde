"""The six calls on an NVIDIA device, by the driver's API through cuda-bindings."""

import ctypes
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ckptinspect.bench.gpu.base import Device, DeviceFacts, Event, Registration
from ckptinspect.bench.gpu.link import driver_version, link_of, numa_of
from ckptinspect.errors import UnavailableError

# Registering memory that is mapped to be read only (cuda.h).
_REGISTER_READ_ONLY = 8
_EXTRA = "pip install 'ckptinspect[cuda]'"


def missing() -> str | None:
    """Why there can be no CUDA device here, as far as that shows without loading anything."""
    if find_spec("cuda") is None or find_spec("cuda.bindings") is None:
        return f"cuda-bindings is not installed: {_EXTRA}"
    return None


class CudaDevice(Device):
    """Device ``index``, in its primary context, on a stream of its own."""

    def __init__(self, index: int) -> None:
        if (why := missing()) is not None:
            raise UnavailableError(why)
        self._driver: Any = import_module("cuda.bindings.driver")
        driver = self._driver
        try:
            _asked(driver.cuInit(0), "cuInit")
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - see below
            # cuda-bindings has kinds of its own for a driver library that is not there.
            words = " ".join(str(error).split())[:150]
            absent = "NotFound" in type(error).__name__
            raise UnavailableError(
                "no NVIDIA driver is installed" if absent else f"the NVIDIA driver does not answer: {words}"
            ) from None
        self._device = _asked(driver.cuDeviceGet(index), "cuDeviceGet", f"cuda:{index}")
        self._context = _asked(driver.cuDevicePrimaryCtxRetain(self._device), "cuDevicePrimaryCtxRetain")
        self.make_current()
        self._stream = _asked(driver.cuStreamCreate(1), "cuStreamCreate")

    def make_current(self) -> None:
        """Let the calling thread use the device too."""
        _asked(self._driver.cuCtxSetCurrent(self._context), "cuCtxSetCurrent")

    def malloc(self, nbytes: int) -> int:
        return int(_asked(self._driver.cuMemAlloc(max(nbytes, 1)), "cuMemAlloc", f"{nbytes} bytes"))

    def host_alloc(self, nbytes: int) -> memoryview:
        pointer = int(_asked(self._driver.cuMemHostAlloc(nbytes, 0), "cuMemHostAlloc", f"{nbytes} bytes"))
        return memoryview((ctypes.c_char * nbytes).from_address(pointer)).cast("B")

    def register(self, memory: memoryview) -> Registration:
        address = address_of(memory)
        _asked(
            self._driver.cuMemHostRegister(address, memory.nbytes, _REGISTER_READ_ONLY),
            "cuMemHostRegister",
            "memory mapped read-only",
        )
        return _Registered(partial(self._driver.cuMemHostUnregister, address))

    def h2d(self, address: int, memory: memoryview) -> Event:
        source = address_of(memory)
        _asked(self._driver.cuMemcpyHtoDAsync(address, source, memory.nbytes, self._stream), "cuMemcpyHtoDAsync")
        event: Event = _asked(self._driver.cuEventCreate(2), "cuEventCreate")
        _asked(self._driver.cuEventRecord(event, self._stream), "cuEventRecord")
        return event

    def wait(self, event: Event | None = None) -> None:
        if event is None:
            _asked(self._driver.cuStreamSynchronize(self._stream), "cuStreamSynchronize")
            return
        _asked(self._driver.cuEventSynchronize(event), "cuEventSynchronize")
        _asked(self._driver.cuEventDestroy(event), "cuEventDestroy")

    def d2h(self, address: int, nbytes: int) -> bytes:
        self.wait()
        memory = bytearray(nbytes)
        target = address_of(memoryview(memory))
        _asked(self._driver.cuMemcpyDtoH(target, address, nbytes), "cuMemcpyDtoH")
        return bytes(memory)

    def facts(self) -> DeviceFacts:
        driver, device = self._driver, self._device
        name = _asked(driver.cuDeviceGetName(128, device), "cuDeviceGetName")
        version = int(_asked(driver.cuDriverGetVersion(), "cuDriverGetVersion"))
        free, total = _asked(driver.cuMemGetInfo(), "cuMemGetInfo")
        bus = _text(_asked(driver.cuDeviceGetPCIBusId(16, device), "cuDeviceGetPCIBusId")).lower()
        return DeviceFacts(
            name=_text(name),
            driver=f"{driver_version() or 'unknown'} (CUDA {version // 1000}.{version % 1000 // 10})",
            memory=int(total),
            free=int(free),
            bus=bus,
            numa=numa_of(bus),
            link=link_of(bus),
        )


class _Registered:
    """Registered memory. Letting go of it may fail only with the device, which the next call tells."""

    def __init__(self, release: "partial[object]") -> None:
        self._release = release

    def close(self) -> None:
        self._release()


def _asked(answer: tuple[Any, ...], call: str, what: str | None = None) -> Any:
    """The value of a driver call; UnavailableError in the driver's words where it has failed."""
    status, *values = answer
    if int(status) != 0:
        raise UnavailableError(f"{call} failed: {getattr(status, 'name', status)}", what)
    return values[0] if len(values) == 1 else values


def _text(value: bytes) -> str:
    """The text in a buffer that the driver has filled: what follows its end was there before."""
    return value.partition(b"\0")[0].decode(errors="replace").strip()


def address_of(memory: memoryview) -> int:
    """Where memory lies, writable or not."""
    import numpy as np

    return int(np.frombuffer(memory, np.uint8).ctypes.data)
