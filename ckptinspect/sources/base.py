"""Where bytes come from. A source lists files, knows their sizes, and reads exact ranges of them."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from itertools import takewhile
from typing import Self, TypeVar

import msgspec

from ckptinspect.errors import NotFoundError, UnreachableError

T = TypeVar("T")
R = TypeVar("R")


class File(msgspec.Struct, frozen=True, gc=False, order=True):
    """A file below a source's root: its path with ``/`` between its parts, its size in bytes, and, where the
    source knows one, a hash of its content (``sha256:…`` or ``git:…``).
    """

    path: str
    size: int
    digest: str | None = None


def is_hidden(path: str, named: str = "") -> bool:
    """Whether a file is hidden: it, or a folder that it lies in, has a name that begins with a dot.

    The one rule, whatever the source: hidden files (``.git``, ``.cache``, ``.ipynb_checkpoints``) are no part of
    a checkpoint. Those that lie on the way to what the user ``named`` are not hidden from that user.

    >>> is_hidden(".cache/model.safetensors"), is_hidden(".cache/model.safetensors", named=".cache")
    (True, False)
    """
    if "/." not in path and not path.startswith("."):
        return False
    parts = path.split("/")
    known = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(parts, named.split("/"), strict=False)))
    return any(part.startswith(".") for part in parts[known:])


class Source(ABC):
    """Bytes of files below one root.

    Picklable, so that an engine can ship it; credentials come from the environment and are never part of it.
    Opened with ``async with``. ``via`` names the way the bytes take in reports; ``concurrency`` says how many
    reads are worth having in flight, and where it is 1 nothing here ever waits on an event loop, so that a
    local file is read without one. ``first_read`` is how many bytes are worth asking for before the length of
    a header is known: 8 where another read costs nothing, more where it costs a round trip.
    """

    via: str = "local"
    concurrency: int = 1
    first_read: int = 8
    requests: int = 0
    bytes_read: int = 0

    @abstractmethod
    async def list(self) -> tuple[File, ...]:
        """Every file below the root, sorted by path; a source that walks folders may leave out hidden ones.

        Raises NotFoundError where the root does not exist, AccessError where it may not be read.
        """

    @abstractmethod
    async def read(self, path: str, begin: int, end: int) -> bytes:
        """Exactly the bytes ``begin`` to ``end`` of a file, or a SourceError: never fewer, never others."""

    async def size(self, path: str) -> int:
        """The size of a file in bytes; NotFoundError where there is no such file."""
        for file in await self.list():
            if file.path == path:
                return file.size
        raise NotFoundError("no such file", path)

    async def sharded_headers(self, index: str) -> bytes:
        """Every shard's header in one answer, by the path of the index (see ``endpoint.py``).

        Raises UnreachableError where the source has no such thing.
        """
        raise UnreachableError("there is no one-request endpoint here", index, "read it with --via ranges")

    async def commit(self) -> str | None:
        """The commit that every read is pinned to; None where the source has no revisions."""
        return None

    async def claimed_parameters(self) -> int | None:
        """What the place itself says that the parameters are; None where it says nothing."""
        return None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


async def each(source: Source, action: Callable[[T], Awaitable[R]], items: Iterable[T]) -> "list[R]":
    """``action`` of every item, in order of the items, as many at once as the source is worth."""
    if source.concurrency == 1:
        return [await action(item) for item in items]
    import asyncio

    gate = asyncio.Semaphore(source.concurrency)

    async def gated(item: T) -> R:
        async with gate:
            return await action(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(gated(item)) for item in items]
    except BaseExceptionGroup as failed:
        # What a sequential source would have raised: the first error by itself.
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


def run(source: Source, work: Coroutine[object, None, R]) -> R:
    """The result of ``work`` on a source, for callers without an event loop, or inside one (a notebook)."""
    if source.concurrency == 1:
        return _without_loop(work)
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def _without_loop(work: Coroutine[object, None, R]) -> R:
    """Step through a coroutine that never waits: starting an event loop costs more than reading a header."""
    try:
        work.send(None)
    except StopIteration as stop:
        result: R = stop.value
        return result
    work.close()
    raise RuntimeError("a source with concurrency 1 has waited for an event loop")
