"""Copies out of a memory map to new memory."""

import mmap
from typing import ClassVar

from ckptinspect.bench.base import Destination, Job, Kept, Loading, Method, Phases, Watch
from ckptinspect.bench.methods.read import Opened, named, slice_of
from ckptinspect.bench.reading import in_threads, memory_of, shared
from ckptinspect.errors import ShortReadError


def mapped(descriptor: int, size: int, *, populate: bool = False) -> memoryview:
    """The whole file, mapped to be read. Touching what the file has lost since ends the process (SIGBUS)."""
    flags = mmap.MAP_SHARED | (mmap.MAP_POPULATE if populate else 0)
    try:
        return memoryview(mmap.mmap(descriptor, size, flags=flags, prot=mmap.PROT_READ))
    except ValueError:
        raise ShortReadError(f"the file ends before byte {size}") from None


class MapCopy(Loading):
    """A map of each file, copied by all threads; what comes out is tensors by name."""

    def __init__(self, job: Job, *, populate: bool) -> None:
        import numpy  # noqa: ICN001, F401 - imported here, so that the clock does not see it

        self.job = job
        self.populate = populate

    def load(self, phases: Phases, watch: Watch | None = None) -> Kept[memoryview]:
        with Opened(self.job, phases, direct=False, names=True) as files:
            with phases("open"):
                maps = [
                    mapped(fd, size, populate=self.populate)
                    for fd, size in zip(files.descriptors, files.sizes, strict=True)
                ]
            with phases("io"):
                memories = [memory_of(size - data) for size, data in zip(files.sizes, files.data, strict=True)]
                moved = self._copy(files, maps, memories)
            with phases("tensors"):
                return Kept(moved, named(files, memories), slice_of)

    def _copy(self, files: Opened, maps: list[memoryview], memories: list[memoryview]) -> int:
        import numpy as np

        parts = shared(files.stretches(self.job.chunk))
        moved = [0] * self.job.threads

        def copy(index: int) -> None:
            for file, begin, end in parts:
                data = files.data[file]
                # numpy lets go of the interpreter's lock while it copies; a memoryview does not.
                np.copyto(np.frombuffer(memories[file], np.uint8)[begin - data : end - data],
                          np.frombuffer(maps[file], np.uint8)[begin:end])  # fmt: skip
                moved[index] += end - begin

        in_threads(self.job.threads, copy)
        return sum(moved)


class MmapCopy(Method):
    """Map, and copy to new memory: every page is faulted in as the copy comes to it."""

    name = "mmap-copy"
    destination = Destination.FRESH
    threaded = True
    copies = 1.0
    populate: ClassVar[bool] = False

    def prepare(self, job: Job) -> Loading:
        return MapCopy(job, populate=self.populate)


class MmapPopulateCopy(MmapCopy):
    """Map with MAP_POPULATE, which faults every page in ahead, and copy to new memory."""

    name = "mmap-populate-copy"
    populate: ClassVar[bool] = True
