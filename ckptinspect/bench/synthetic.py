"""A checkpoint made to be measured: a real file of random bytes, which no file system can leave out or compress."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ckptinspect.errors import AccessError, RefError, SourceError
from ckptinspect.text import bytes_text

_BLOCK = 1 << 24
_SMALL = 1 << 30
_LEAST = 1 << 20
_SPARED = 1 << 30


def shapes(nbytes: int) -> dict[str, tuple[int, int]]:
    """Tensors of about ``nbytes`` in F16, in the proportions of a language model's layers.

    >>> sum(rows * columns * 2 for rows, columns in shapes(1 << 20).values())
    1048576
    """
    found: dict[str, tuple[int, int]] = {}
    width = 4096 if nbytes >= _SMALL else 512
    left, layer = nbytes // 2 // width, 0
    sizes = (("mlp.down_proj", 7 * width // 2), ("q_proj", width), ("k_proj", width // 4), ("input_layernorm", 1))
    while left:
        for name, most in sizes:
            if rows := min(most, left):
                found[f"model.layers.{layer}.{name}.weight"] = (rows, width)
                left -= rows
        layer += 1
    return found


def _header(tensors: dict[str, tuple[int, int]]) -> bytes:
    entries: dict[str, object] = {}
    position = 0
    for name, (rows, columns) in tensors.items():
        end = position + rows * columns * 2
        entries[name] = {"dtype": "F16", "shape": [rows, columns], "data_offsets": [position, end]}
        position = end
    raw = json.dumps(entries, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    return len(raw).to_bytes(8, "little") + raw


@contextmanager
def synthetic(nbytes: int, folder: str, seed: int) -> Iterator[str]:
    """The path of a new file of about ``nbytes``, written to the storage; gone at the end of the block."""
    if nbytes < _LEAST:
        raise RefError(f"{bytes_text(nbytes)} is too little to measure", "--synthetic", "ask for 1MiB or more")
    path = os.path.join(folder, f"ckptinspect-bench-{os.getpid()}-{seed}.safetensors")
    try:
        room = os.statvfs(folder)
        if nbytes + _SPARED > room.f_bavail * room.f_frsize:
            raise SourceError(
                f"{bytes_text(nbytes)} would leave less than {bytes_text(_SPARED)} free",
                folder,
                "choose a smaller size or another --dir",
            )
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise AccessError(f"no file can be made there: {error.strerror}", folder, "choose another --dir") from None
    try:
        _write(descriptor, nbytes, folder, seed)
        yield path
    finally:
        os.unlink(path)


def _write(descriptor: int, nbytes: int, folder: str, seed: int) -> None:
    import numpy as np

    random = np.random.default_rng(seed)
    tensors = shapes(nbytes)
    left = sum(rows * columns * 2 for rows, columns in tensors.values())
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        try:
            file.write(_header(tensors))
            while left:
                block = memoryview(random.bytes(min(_BLOCK, left)))
                left -= file.write(block) or 0
            os.fsync(file.fileno())
        except OSError as error:
            raise AccessError(f"it cannot be written: {error.strerror}", folder, "make room") from None
