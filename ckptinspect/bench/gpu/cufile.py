"""GPUDirect Storage: reads from a file to device memory, by cuFile through cuda-bindings."""

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ckptinspect.bench.files import text_in
from ckptinspect.errors import ShortReadError, UnavailableError

_STATISTICS = "/proc/driver/nvidia-fs/stats"
_OPAQUE_DESCRIPTOR = 1  # CU_FILE_HANDLE_TYPE_OPAQUE_FD


def missing() -> str | None:
    """Why there can be no cuFile here, as far as that shows without loading anything."""
    if find_spec("cuda") is None or find_spec("cuda.bindings") is None:
        return "cuda-bindings is not installed: pip install 'ckptinspect[cuda]'"
    if find_spec("cuda.bindings.cufile") is None:
        return "this cuda-bindings has no cuFile"
    return None


class CuFile:
    """The library, opened once a process."""

    def __init__(self) -> None:
        self._cufile: Any = import_module("cuda.bindings.cufile")
        try:
            self._cufile.driver_open()
        except Exception as error:  # noqa: BLE001 - see below
            # It has kinds of errors of its own, and one more where the library is not found.
            words = " ".join(str(error).split())
            raise UnavailableError(
                f"cuFile does not open: {words[:150]}", hint="install nvidia-cufile, or the toolkit"
            ) from None

    def registered(self, descriptor: int) -> "CuFileHandle":
        """A file for reads to the device."""
        described = self._cufile.Descr()
        described.type = _OPAQUE_DESCRIPTOR
        described.handle.fd = descriptor
        described.fs_ops = 0
        return CuFileHandle(self._cufile, self._cufile.handle_register(described.ptr), described)

    @staticmethod
    def moved_by_the_device() -> int | None:
        """Reads that the kernel's own module (nvidia-fs) has served so far, past the host's memory; None without it."""
        for line in text_in(_STATISTICS).splitlines():
            name, _, values = line.partition(":")
            if name.strip() == "Reads":
                numbers = [field.partition("=")[2] for field in values.split() if field.startswith("ok=")]
                return int(numbers[0]) if numbers and numbers[0].isdigit() else 0
        return None if not os.path.exists(_STATISTICS) else 0


class CuFileHandle:
    """One registered file."""

    def __init__(self, cufile: Any, handle: int, described: object) -> None:
        self._cufile = cufile
        self._handle = handle
        self._described = described

    def read(self, address: int, nbytes: int, begin: int) -> None:
        """Exactly these bytes of the file, to device memory; returns when they are there."""
        done = 0
        while done < nbytes:
            got = int(self._cufile.read(self._handle, address, nbytes - done, begin + done, done))
            if got < 0:
                raise UnavailableError(f"cuFileRead failed with {got}")
            if got == 0:
                raise ShortReadError(f"the file ends at byte {begin + done}, before byte {begin + nbytes}")
            done += got

    def close(self) -> None:
        """Let go of it."""
        self._cufile.handle_deregister(self._handle)
