"""Real files for loads, and one load of them, without a process around it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from ckptinspect.bench.base import Job, Method, Phases
from ckptinspect.bench.files import MEMORY, file_system_of
from ckptinspect.bench.plan import Settings
from ckptinspect.bench.run import Outcome, bench
from ckptinspect.bench.subject import Found, found_at
from ckptinspect.bench.verify import Check, Finding, compared, digests, spans_of, windows
from tests.folders import Shapes, data_bytes, header_json

ODD: Shapes = {
    "zero": ("F32", (0, 7)),
    "scalar": ("F16", ()),
    "odd": ("U8", (4097,)),
    "name \u202e with [markup]": ("F16", (3, 5)),
    "large": ("F32", (1200, 513)),
    "last": ("I8", (1,)),
}
"""Tensors that begin and end everywhere but where it is convenient."""


DROPPED = ("setpriv", "--bounding-set=-fowner,-dac_override,-dac_read_search")
"""Runs a command as root without what makes root the owner of every file."""


def write_random(path: Path, tensors: Shapes, seed: int = 0) -> Path:
    """A safetensors file of random bytes, on the storage."""
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    raw = header_json(tensors)
    with path.open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        file.write(np.random.default_rng(seed).bytes(data_bytes(tensors)))
        file.flush()
        os.fsync(file.fileno())
    return path


def sized(nbytes: int, parts: int = 4) -> Shapes:
    """Tensors of one size that take about ``nbytes`` together."""
    return {f"layers.{number}.weight": ("F16", (nbytes // parts // 2,)) for number in range(parts)}


def on_disk(folder: Path) -> Path:
    """The folder, where it lies on a disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if (name := file_system_of(descriptor).name) in {*MEMORY, "overlay"}:
            pytest.skip(f"the temporary folder lies on {name}")
    finally:
        os.close(descriptor)
    return folder


def loaded_by(method: Method, paths: Sequence[Path], **options: object) -> Finding:
    """What a full check finds after a load in this process; the bytes that it moved must be the tensors'."""
    found: Found = found_at([str(path) for path in paths], 1 << 40)
    assert not found.skipped, found.skipped
    known: Mapping[str, object] = {"threads": 3, "chunk": 1 << 16, "poison": 0x5A} | options
    job = Job(method.place(), found.targets, **known)  # type: ignore[arg-type]
    loading = method.prepare(job)
    loaded = loading.load(Phases())
    assert loaded.nbytes == job.tensor_bytes
    wanted = windows(found.headers, Check.FULL, seed=1)
    taken = digests(loading, loaded, wanted, found.headers)
    descriptors = [os.open(path, os.O_RDONLY) for path in paths]
    try:
        return compared(descriptors, spans_of(wanted, found.headers), taken)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


class Silent:
    """Nobody watches."""

    watched = False

    def begin(self, step: object) -> None:
        """Nobody is told."""

    def tick(self, process: int) -> None:
        """Nobody is told."""


def ran(
    paths: Sequence[Path] | Found, methods: Sequence[Method], limits: Sequence[Method] = (), **settings: object
) -> Outcome:
    """A run of these methods on these files, on a CPU unless another device is named."""
    known: Mapping[str, object] = {
        "device": "cpu",
        "rounds": 1,
        "threads": (2,),
        "chunk": 1 << 16,
        "seed": 5,
    } | settings
    found = paths if isinstance(paths, Found) else found_at([str(path) for path in paths], 1 << 40)
    return bench(found, Settings(**known), Silent(), methods, limits)  # type: ignore[arg-type]
