"""What bounds a load on this machine: the storage read raw, memory copied, the link to the device."""

import os
import time
from itertools import cycle
from typing import ClassVar

from ckptinspect.bench.base import Destination, Job, Loaded, Loading, Method, Phases, Role, Streamed, Watch
from ckptinspect.bench.files import ALIGNMENT, opened
from ckptinspect.bench.reading import (
    aligned_up,
    filled,
    in_threads,
    memory_of,
    read_into,
    shared,
    stretches,
)

_MEMORY = 1 << 30
_BLOCK = 1 << 20
_LEAST_SECONDS = 0.2


class _Limit(Method):
    role = Role.LIMIT
    destination = Destination.NONE
    threaded = True


class StorageDirect(_Limit):
    """The files read whole past the page cache, as bytes without a meaning."""

    name = "limit-storage:direct"
    bypasses_cache: ClassVar[bool] = True

    def prepare(self, job: Job) -> Loading:
        return _Raw(job, direct=self.bypasses_cache)


class StorageBuffered(StorageDirect):
    """The files read whole through an empty page cache: read-ahead may beat what direct reads ask for at once."""

    name = "limit-storage:buffered"
    bypasses_cache: ClassVar[bool] = False


class _Raw(Loading):
    def __init__(self, job: Job, *, direct: bool) -> None:
        self.job = job
        self.direct = direct
        self.slots = [filled(memory_of(job.chunk), job.poison) for _ in range(job.threads)]

    def load(self, phases: Phases, watch: Watch | None = None) -> Loaded:
        descriptors = [opened(target.path, direct=self.direct) for target in self.job.targets]
        try:
            sizes = [os.fstat(descriptor).st_size for descriptor in descriptors]
            parts = shared(stretches([(n, 0, size) for n, size in enumerate(sizes)], self.job.chunk))

            def read(index: int) -> None:
                slot = self.slots[index]
                for file, begin, end in parts:
                    needed = end - begin
                    room = aligned_up(needed) if self.direct else needed
                    read_into(descriptors[file], slot[:room], begin, needed)

            with phases("io"):
                in_threads(len(self.slots), read)
            return Streamed(sum(sizes))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)


class Memcpy(_Limit):
    """Memory as large as the files, up to 1 GiB, copied into small buffers: what a load from a full page cache does."""

    name = "limit-memcpy"
    reads_files = False

    def prepare(self, job: Job) -> Loading:
        return _Copies(job)


class _Copies(Loading):
    def __init__(self, job: Job) -> None:
        import numpy as np

        from ckptinspect.bench.memory import available

        # A small file may stay in the processor's cache, so the source is no larger than the files are; and a
        # destination that stays there is the fastest that there is.
        size = max(ALIGNMENT, min(_MEMORY, (available() or _MEMORY) // 8, job.tensor_bytes))
        self.block = min(job.chunk, _BLOCK, size)
        self.source = np.frombuffer(filled(memory_of(size), job.poison), np.uint8)
        self.slots = [np.frombuffer(filled(memory_of(self.block), 0), np.uint8) for _ in range(job.threads)]

    def load(self, phases: Phases, watch: Watch | None = None) -> Loaded:
        import numpy as np

        until = time.perf_counter() + _LEAST_SECONDS
        # One iterator for all threads, which start once: a small source is copied many times over.
        parts = cycle(range(0, self.source.nbytes, self.block))
        moved = [0] * len(self.slots)

        def copy(index: int) -> None:
            slot = self.slots[index]
            while time.perf_counter() < until:
                part = self.source[(begin := next(parts)) : begin + self.block]
                np.copyto(slot[: part.nbytes], part)
                moved[index] += part.nbytes

        with phases("io"):
            in_threads(len(self.slots), copy)
        return Streamed(sum(moved))
