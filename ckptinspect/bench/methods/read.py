"""``pread`` by several threads: through buffers used again and again, or to memory that is new and kept.

Through the page cache (``read-…``) or past it (``direct-…``, O_DIRECT).
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import ClassVar, Self

from ckptinspect.bench.base import Buffer, Destination, Job, Kept, Left, Loading, Method, Phases, Streamed, Watch
from ckptinspect.bench.files import opened
from ckptinspect.bench.reading import (
    Stretch,
    aligned_down,
    aligned_up,
    filled,
    in_threads,
    memory_of,
    read_header,
    read_into,
    shared,
    stretches,
)
from ckptinspect.model import Header


class Opened:
    """The files of a job, open and with their headers read, while a load runs."""

    def __init__(self, job: Job, phases: Phases, *, direct: bool, names: bool) -> None:
        self.direct = direct
        self.descriptors: list[int] = []
        with ExitStack() as closing:
            with phases("open"):
                for target in job.targets:
                    self.descriptors.append(opened(target.path, direct=direct))
                    closing.callback(os.close, self.descriptors[-1])
            with phases("header"):
                self.headers: Sequence[Header] = [read_header(fd, names=names) for fd in self.descriptors]
            self._closing = closing.pop_all()
        self.data = [header.nbytes for header in self.headers]
        self.sizes = [os.fstat(descriptor).st_size for descriptor in self.descriptors]
        self.begins = [aligned_down(begin) if direct else begin for begin in self.data]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def stretches(self, chunk: int) -> list[Stretch]:
        """All that is to be read."""
        regions = zip(range(len(self.sizes)), self.begins, self.sizes, strict=True)
        return stretches(regions, chunk)

    def read(self, stretch: Stretch, memory: memoryview) -> int:
        """Read one stretch to the begin of ``memory``; the bytes of tensors among them."""
        file, begin, end = stretch
        needed = end - begin
        read_into(self.descriptors[file], memory[: aligned_up(needed) if self.direct else needed], begin, needed)
        return end - max(begin, self.data[file])

    def left(self, stretch: Stretch, memory: memoryview) -> Left:
        """The bytes of tensors of a stretch that lies at the begin of ``memory``."""
        file, begin, end = stretch
        data = max(begin, self.data[file])
        return Left(file, data, memory[data - begin : end - begin])


class Ring(Loading):
    """One buffer a thread, filled again and again: what a copy to a device would start from."""

    def __init__(self, job: Job, *, direct: bool) -> None:
        self.job = job
        self.direct = direct
        self.slots = [filled(memory_of(job.chunk), job.poison) for _ in range(job.threads)]

    def load(self, phases: Phases, watch: Watch | None = None) -> Streamed:
        with Opened(self.job, phases, direct=self.direct, names=False) as files, phases("io"):
            return self._stream(files, watch)

    def _stream(self, files: Opened, watch: Watch | None) -> Streamed:
        parts = shared(files.stretches(self.job.chunk))
        moved = [0] * len(self.slots)
        last: list[Left | None] = [None] * len(self.slots)

        def fill(index: int) -> None:
            slot = self.slots[index]
            for stretch in parts:
                moved[index] += files.read(stretch, slot)
                last[index] = files.left(stretch, slot)
                if watch is not None:
                    watch(*files.left(stretch, slot))

        in_threads(len(self.slots), fill)
        return Streamed(sum(moved), [left for left in last if left is not None])


class Full(Loading):
    """New memory as large as the tensors, read into by all threads; what comes out is tensors by name."""

    def __init__(self, job: Job, *, direct: bool) -> None:
        self.job = job
        self.direct = direct

    def load(self, phases: Phases, watch: Watch | None = None) -> Kept[memoryview]:
        with Opened(self.job, phases, direct=self.direct, names=True) as files:
            with phases("io"):
                memories = [
                    memory_of(aligned_up(size - begin)) for size, begin in zip(files.sizes, files.begins, strict=True)
                ]
                moved = self._read(files, memories)
            with phases("tensors"):
                return Kept(moved, named(files, memories), slice_of)

    def _read(self, files: Opened, memories: Sequence[memoryview]) -> int:
        parts = shared(files.stretches(self.job.chunk))
        moved = [0] * self.job.threads

        def fill(index: int) -> None:
            for stretch in parts:
                offset = stretch.begin - files.begins[stretch.file]
                moved[index] += files.read(stretch, memories[stretch.file][offset:])

        in_threads(self.job.threads, fill)
        return sum(moved)


def named(files: Opened, memories: Sequence[memoryview]) -> list[dict[str, memoryview]]:
    """The tensors of each file, where they lie in its memory."""
    found = []
    for header, memory, data, begin in zip(files.headers, memories, files.data, files.begins, strict=True):
        skipped = data - begin
        found.append({t.name: memory[skipped + t.begin : skipped + t.end] for t in header.tensors})
    return found


def slice_of(tensor: memoryview, begin: int, end: int) -> Buffer:
    """Bytes of a tensor that is plain memory."""
    return tensor[begin:end]


class ReadRing(Method):
    """Buffered reads into buffers used again and again."""

    name = "read-ring"
    destination = Destination.RING
    threaded = True

    def prepare(self, job: Job) -> Loading:
        return Ring(job, direct=self.bypasses_cache)


class DirectRing(ReadRing):
    """Direct reads into buffers used again and again."""

    name = "direct-ring"
    bypasses_cache: ClassVar[bool] = True


class ReadFull(Method):
    """Buffered reads into new memory."""

    name = "read-full"
    destination = Destination.FRESH
    threaded = True
    copies = 1.0

    def prepare(self, job: Job) -> Loading:
        return Full(job, direct=self.bypasses_cache)


class DirectFull(ReadFull):
    """Direct reads into new memory."""

    name = "direct-full"
    bypasses_cache: ClassVar[bool] = True
