"""Methods with one thing wrong each: what the checks of a benchmark are there for."""

import os
import signal
import time
from collections import deque
from typing import ClassVar

from ckptinspect.bench.base import Destination, Job, Kept, Loaded, Loading, Method, Phases, Role, Streamed, Watch
from ckptinspect.bench.methods.pinned import Flight, PinnedRing, ReadPinnedGpu
from ckptinspect.bench.methods.read import Full, Opened, ReadFull, ReadRing, Ring
from ckptinspect.bench.reading import Stretch
from ckptinspect.bench.worker import storage_reads


class SkipsOne(ReadFull):
    """Leaves one tensor out, and counts it all the same."""

    name = "skips-one"

    def prepare(self, job: Job) -> Loading:
        return _Skipping(job, direct=False)


class _Skipping(Full):
    def load(self, phases: Phases, watch: Watch | None = None) -> Kept[memoryview]:
        loaded = super().load(phases, watch)
        tensors = loaded.tensors[0]
        name = sorted(tensors)[len(tensors) // 2]
        tensors[name][:] = bytes(len(tensors[name]))
        return loaded


class Miscounts(SkipsOne):
    """Leaves one tensor out and says so in its count."""

    name = "miscounts"

    def prepare(self, job: Job) -> Loading:
        return _Miscounting(job, direct=False)


class _Miscounting(Full):
    def load(self, phases: Phases, watch: Watch | None = None) -> Kept[memoryview]:
        loaded = super().load(phases, watch)
        loaded.nbytes -= 1
        return loaded


class Permutes(ReadFull):
    """Every byte arrives, two stretches of each large tensor in each other's place."""

    name = "permutes"

    def prepare(self, job: Job) -> Loading:
        return _Permuting(job, direct=False)


class _Permuting(Full):
    def load(self, phases: Phases, watch: Watch | None = None) -> Kept[memoryview]:
        loaded = super().load(phases, watch)
        for tensor in loaded.tensors[0].values():
            half = len(tensor) // 2
            first, second = bytes(tensor[:half]), bytes(tensor[half : 2 * half])
            tensor[:half], tensor[half : 2 * half] = second, first
        return loaded


class PermutedRing(ReadRing):
    """The same in a ring: each slot holds the bytes of its stretch, turned round."""

    name = "permuted-ring"

    def prepare(self, job: Job) -> Loading:
        return _TurningRing(job, direct=False)


class _TurningRing(Ring):
    def _stream(self, files: Opened, watch: Watch | None) -> Streamed:
        read = files.read

        def turned(stretch: Stretch, memory: memoryview) -> int:
            moved = read(stretch, memory)
            memory[: stretch.end - stretch.begin] = bytes(memory[: stretch.end - stretch.begin])[::-1]
            return moved

        files.read = turned  # type: ignore[method-assign]
        return super()._stream(files, watch)


class Lazy(ReadFull):
    """Maps and touches nothing, which takes no time at all: the bytes come when they are looked at."""

    name = "lazy"
    destination = Destination.FRESH

    def prepare(self, job: Job) -> Loading:
        return _Lazy(job)


class _Lazy(Loading):
    def __init__(self, job: Job) -> None:
        self.job = job

    def load(self, phases: Phases, watch: Watch | None = None) -> Loaded:
        from ckptinspect.bench.methods.mapped import mapped
        from ckptinspect.bench.methods.read import named, slice_of

        with Opened(self.job, phases, direct=False, names=True) as files:
            maps = [mapped(fd, size) for fd, size in zip(files.descriptors, files.sizes, strict=True)]
            data = [whole[begin:] for whole, begin in zip(maps, files.data, strict=True)]
            return Kept(self.job.tensor_bytes, named(files, data), slice_of)


class SlowLazy(Lazy):
    """The same, and slow about it, as over many small tensors: no speed gives it away."""

    name = "slow-lazy"

    def prepare(self, job: Job) -> Loading:
        return _SlowLazy(job)


class _SlowLazy(_Lazy):
    def load(self, phases: Phases, watch: Watch | None = None) -> Loaded:
        time.sleep(0.05)
        return super().load(phases, watch)


class HiddenDirect(ReadFull):
    """Reads past the page cache and does not say so, as some peers do."""

    name = "hidden-direct"

    def prepare(self, job: Job) -> Loading:
        return Full(job, direct=True)


class ReusesSlots(ReadPinnedGpu):
    """Fills a buffer again while it is still being copied."""

    name = "reuses-slots"

    def unavailable(self) -> str | None:
        return None

    def prepare(self, job: Job) -> Loading:
        return _Reusing(job)


class _Reusing(PinnedRing):
    def reclaim(self, flying: "deque[Flight]") -> int:
        return flying.popleft().slot


class ForgetsTheLast(ReadPinnedGpu):
    """Does not wait for the last copies: those of as many buffers as the ring has."""

    name = "forgets-the-last"

    def unavailable(self) -> str | None:
        return None

    def prepare(self, job: Job) -> Loading:
        return _Forgetting(job)


class _Forgetting(PinnedRing):
    def finish(self, flying: "deque[Flight]") -> None:
        pass


class NeverSyncs(ReadPinnedGpu):
    """Waits for no copy at all, with buffers enough for that, and keeps its device from being asked."""

    name = "never-syncs"

    def unavailable(self) -> str | None:
        return None

    def prepare(self, job: Job) -> Loading:
        return _NotSyncing(job)


class _NotSyncing(PinnedRing):
    def __init__(self, job: Job) -> None:
        super().__init__(job)
        from ckptinspect.bench.reading import filled

        enough = job.tensor_bytes // job.chunk + 2 * job.threads + 2
        self.slots = [filled(self.device.host_alloc(job.chunk), job.poison) for _ in range(enough)]

    def finish(self, flying: "deque[Flight]") -> None:
        pass

    def settle(self) -> None:
        pass


class Pinned(ReadPinnedGpu):
    """The right one, on any device."""

    name = "pinned"

    def unavailable(self) -> str | None:
        return None


class Shrinks(ReadFull):
    """A file that loses its end while a map of it is copied."""

    name = "shrinks"
    populate: ClassVar[bool] = False

    def prepare(self, job: Job) -> Loading:
        return _Shrinking(job)


class _Shrinking(Loading):
    def __init__(self, job: Job) -> None:
        self.job = job

    def load(self, phases: Phases, watch: Watch | None = None) -> Loaded:
        from ckptinspect.bench.methods.mapped import mapped

        path = self.job.targets[0].path
        with Opened(self.job, phases, direct=False, names=True) as files:
            whole = mapped(files.descriptors[0], files.sizes[0])
            os.truncate(path, 4096)
            return Streamed(len(bytes(whole)))


class Replaces(ReadRing):
    """A file that another takes the place of while it is read."""

    name = "replaces"

    def prepare(self, job: Job) -> Loading:
        return _Replacing(job, direct=False)


class _Replacing(Ring):
    def load(self, phases: Phases, watch: Watch | None = None) -> Streamed:
        path = self.job.targets[0].path
        with open(path, "rb") as file:
            content = file.read()
        with open(f"{path}.new", "wb") as file:
            file.write(content)
        os.replace(f"{path}.new", path)
        return super().load(phases, watch)


class Dies(Method):
    """Ends as a process does that the kernel kills for its memory."""

    name = "dies"
    destination = Destination.FRESH

    def prepare(self, job: Job) -> Loading:
        return _Dying()


class _Dying(Loading):
    def load(self, phases: Phases, watch: Watch | None = None) -> Loaded:
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)
        return Streamed(0)


class Raises(Dies):
    """Fails with words of its own, over several lines and with an escape in them."""

    name = "raises"

    def prepare(self, job: Job) -> Loading:
        raise ValueError("no\n\x1b[31mgood")


class WrongWhenWarm(ReadRing):
    """Right as long as the file has to come from the storage."""

    name = "wrong-when-warm"

    def prepare(self, job: Job) -> Loading:
        return _WrongWhenWarm(job, direct=False)


class _WrongWhenWarm(Ring):
    def load(self, phases: Phases, watch: Watch | None = None) -> Streamed:
        before = storage_reads("self")
        loaded = super().load(phases, watch)
        if storage_reads("self") == before and watch is None:
            loaded.nbytes -= 1
        return loaded


class NoLimit(Dies):
    """A limit that cannot be taken."""

    name = "limit-none"
    role = Role.LIMIT
    reads_files = False

    def prepare(self, job: Job) -> Loading:
        raise ValueError("no")


class Waits(Dies):
    """Takes its time before anything is read."""

    name = "waits"

    def prepare(self, job: Job) -> Loading:
        return _Waiting()


class _Waiting(Loading):
    def load(self, phases: Phases, watch: Watch | None = None) -> Loaded:
        time.sleep(60)
        return Streamed(0)
