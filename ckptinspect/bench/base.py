"""What a load method is, and the values that a benchmark passes around.

A method moves every byte of every tensor of some files to a destination. The harness owns the rest: the cache,
the clock, the order, the checking. See docs/bench.md.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from time import perf_counter
from typing import ClassVar, Generic, NamedTuple, TypeVar

import msgspec

T = TypeVar("T")
Buffer = bytes | bytearray | memoryview
Watch = Callable[[int, int, memoryview], None]
"""Told of every stretch that lands: the file's number, its first byte in the file, the bytes where they landed."""


class Cache(StrEnum):
    """The state of the page cache that a round asks for."""

    COLD = "cold"
    WARM = "warm"
    AS_IS = "as-is"


class Destination(StrEnum):
    """Where a method leaves the bytes."""

    RING = "ring"
    FRESH = "fresh"
    DEVICE = "device"
    NONE = "none"


class Role(StrEnum):
    """What a method stands for in the report."""

    LIMIT = "limit"
    OURS = "ours"
    PEER = "peer"


class Identity(msgspec.Struct, frozen=True):
    """What makes a file the file that it was: device, inode, size in bytes, time of its last change."""

    device: int
    inode: int
    size: int
    mtime_ns: int


class Target(msgspec.Struct, frozen=True):
    """One file to load: ``header_bytes`` stand before the bytes of its tensors, ``hole_bytes`` of it are holes."""

    path: str
    identity: Identity
    header_bytes: int
    tensors: int
    hole_bytes: int = 0

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self.identity.size

    @property
    def tensor_bytes(self) -> int:
        """Bytes of its tensors."""
        return self.size - self.header_bytes


class Job(msgspec.Struct, frozen=True):
    """What one fresh process is to load, and how. ``method`` is ``module:Class``, ``threads`` and ``chunk`` are
    for the methods that have any, ``poison`` is the byte that stands at a destination before the bytes do.
    """

    method: str
    targets: tuple[Target, ...]
    device: str = "cpu"
    threads: int = 1
    chunk: int = 1 << 24
    cpus: tuple[int, ...] = ()
    poison: int = 0xA5

    @property
    def tensor_bytes(self) -> int:
        """What a load of it moves."""
        return sum(target.tensor_bytes for target in self.targets)


class Phases:
    """Seconds by phase, counted while a load runs: ``open header io h2d sync tensors``."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Count what is done inside as this phase."""
        begin = perf_counter()
        try:
            yield
        finally:
            self.add(name, perf_counter() - begin)

    def add(self, name: str, seconds: float) -> None:
        """Count some more."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


class Left(NamedTuple):
    """A stretch that still lies where a load put it: the file's number, its first byte in the file, the bytes."""

    file: int
    begin: int
    data: memoryview


class Loaded(ABC):
    """What a load left behind; ``nbytes`` are the bytes of tensors that it moved."""

    nbytes: int


class Streamed(Loaded):
    """Bytes that went through buffers used again and again: only the last stretches are still there.

    To check the others the same load is run again, watched.
    """

    def __init__(self, nbytes: int, left: Sequence[Left] = ()) -> None:
        self.nbytes = nbytes
        self.left = tuple(left)


class Kept(Loaded, Generic[T]):
    """Tensors by name, for each file, and how to read bytes ``begin`` to ``end`` of one of them back."""

    def __init__(self, nbytes: int, tensors: Sequence[Mapping[str, T]], read: Callable[[T, int, int], Buffer]) -> None:
        self.nbytes = nbytes
        self.tensors = tensors
        self._read = read

    def piece(self, file: int, name: str, begin: int, end: int) -> Buffer:
        """Some bytes of a tensor, from its destination. KeyError where it is not there."""
        return self._read(self.tensors[file][name], begin, end)


class Loading(ABC):
    """A load ready to start: imports, contexts and staging buffers are there, nothing of the files has been read.

    When it has ended none of its files may be mapped any more: what still lies in a map has not been loaded.
    """

    facts: Mapping[str, str] = {}
    """What is worth telling of the way that the bytes took."""

    @abstractmethod
    def load(self, phases: Phases, watch: Watch | None = None) -> Loaded:
        """Move every byte of every tensor: open, header, data, last byte at its destination.

        Only a load that streams is ever given a ``watch``.
        """

    def settle(self) -> None:  # noqa: B027 - a load on a CPU leaves nothing
        """Wait for what the load has left under way, if it can leave anything: the harness asks, inside the clock."""


class Method(ABC):
    """A way to load. ``bypasses_cache`` where it reads the storage whatever the page cache holds; ``threaded``
    where ``Job.threads`` matters; ``reads_files`` unless it is a limit that knows of none; ``copies`` is how often
    the checkpoint has to fit into memory.
    """

    name: ClassVar[str]
    role: ClassVar[Role] = Role.OURS
    destination: ClassVar[Destination]
    on_gpu: ClassVar[bool] = False
    on_cpu: ClassVar[bool] = True
    bypasses_cache: ClassVar[bool] = False
    threaded: ClassVar[bool] = False
    reads_files: ClassVar[bool] = True
    copies: ClassVar[float] = 0.0
    package: ClassVar[str | None] = None
    """The distribution that it needs, whose version is reported."""

    def unavailable(self) -> str | None:
        """Why it cannot run here, None where it can; answers without importing anything heavy."""
        return None

    @abstractmethod
    def prepare(self, job: Job) -> Loading:
        """All that the clock does not cover, in the process that is going to load."""

    @classmethod
    def place(cls) -> str:
        """Where a fresh process finds it."""
        return f"{cls.__module__}:{cls.__qualname__}"


def method_at(place: str) -> Method:
    """The method whose ``place()`` this is."""
    from importlib import import_module

    module, _, name = place.partition(":")
    found = getattr(import_module(module), name)()
    assert isinstance(found, Method)
    return found
