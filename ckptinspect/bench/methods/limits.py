"""What bounds a load on this machine: the storage read raw, memory copied, the link to the device."""

import os
import time
from typing import ClassVar

from ckptinspect.bench.base import Destination, Job, Loaded, Loading, Method, Phases, Role, Streamed, Watch
from ckptinspect.bench.files import opened
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

        self.threads = job.threads
        # A destination that stays in the processor's cache is the fastest that there is.
        self.block = min(job.chunk, 1 << 20)
        # A small file may stay in that cache as well, so the source is no larger than the files are.
        most = min(_MEMORY, (available() or _MEMORY) // 8, job.tensor_bytes)
        source = filled(memory_of(max(self.block, most // self.block * self.block)), job.poison)
        self.source = np.frombuffer(source, np.uint8)
        self.slots = [np.frombuffer(filled(memory_of(self.block), 0), np.uint8) for _ in range(job.threads)]

    def load(self, phases: Phases, watch: Watch | None = None) -> Loaded:
        begin = time.perf_counter()
        moved = 0
        with phases("io"):
            while time.perf_counter() - begin < _LEAST_SECONDS:
                moved += self._once()
        return Streamed(moved)

    def _once(self) -> int:
        import numpy as np

        parts = shared(stretches([(0, 0, self.source.nbytes)], self.block))

        def copy(index: int) -> None:
            for _, begin, end in parts:
                np.copyto(self.slots[index][: end - begin], self.source[begin:end])

        in_threads(self.threads, copy)
        return self.source.nbytes
