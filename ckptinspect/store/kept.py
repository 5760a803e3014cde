"""A source that reads a file's beginning once, whatever repository it stands in: by way of the header cache."""

from typing import Self

from ckptinspect.sources.base import File, Source
from ckptinspect.sources.ranges import FIRST_READ
from ckptinspect.store.headers import HeaderCache

_SUFFIX = ".safetensors"
_ENOUGH_TO_RECOGNISE = 512
_SMALL = 1_000_000


class KeptSource(Source):
    """The files of another source. Those whose content has a hash are looked up first, and kept when they were read.

    Of a safetensors file its header is kept, of one that only claims to be one enough to tell what it is, of any
    other file all that was read from its beginning. ``scope`` is the server that vouches for the hashes.
    """

    first_read = 8

    def __init__(self, inner: Source, cache: HeaderCache, scope: str) -> None:
        self.via = inner.via
        self.concurrency = inner.concurrency
        self._inner = inner
        self._cache = cache
        self._scope = scope
        self._files: dict[str, File] | None = None
        self._begun: dict[str, bytes] = {}
        self._copied = False

    def __reduce__(self) -> tuple[object, ...]:
        return _copy, (self._inner, self._cache, self._scope)

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._begun.clear()
        if self._copied:
            # The cache came along with the copy, and is nobody else's.
            self._cache.close()
        await self._inner.__aexit__(*failure)

    async def list(self) -> tuple[File, ...]:
        try:
            files = await self._inner.list()
        finally:
            self._count()
        self._files = {file.path: file for file in files}
        return files

    async def commit(self) -> str | None:
        return await self._inner.commit()

    async def claimed_parameters(self) -> int | None:
        return await self._inner.claimed_parameters()

    async def size(self, path: str) -> int:
        return await self._inner.size(path)

    async def read(self, path: str, begin: int, end: int) -> bytes:
        try:
            if self._files is None:
                await self.list()
            file = (self._files or {}).get(path)
            if file is None or end > file.size:
                return await self._inner.read(path, begin, end)
            return await self._read(file, begin, end)
        finally:
            self._count()

    async def _read(self, file: File, begin: int, end: int) -> bytes:
        known = self._begun.get(file.path)
        if known is None:
            known = self._kept(file)
        if begin > len(known):
            return await self._inner.read(file.path, begin, end)
        if end > len(known):
            # A first read costs a round trip, so it brings as much as is likely to be needed.
            wanted = end if known else max(end, min(file.size, FIRST_READ))
            known += await self._inner.read(file.path, len(known), wanted)
            self._keep(file, known[: _extent(file, known, end)])
        self._begun[file.path] = known
        if len(known) > _SMALL and end >= len(known):
            # Whoever wants so much of it has it now.
            del self._begun[file.path]
        return known[begin:end]

    def _kept(self, file: File) -> bytes:
        return b"" if file.digest is None else self._cache.beginning(self._scope, file.digest) or b""

    def _keep(self, file: File, beginning: bytes) -> None:
        if file.digest is not None and beginning:
            self._cache.keep_beginning(self._scope, file.digest, beginning)

    def _count(self) -> None:
        self.requests, self.bytes_read = self._inner.requests, self._inner.bytes_read


def _copy(inner: Source, cache: HeaderCache, scope: str) -> KeptSource:
    source = KeptSource(inner, cache, scope)
    source._copied = True  # noqa: SLF001 - another way to make one
    return source


def _extent(file: File, known: bytes, end: int) -> int:
    """How much of what was read is worth keeping; 0 for half a header."""
    if not file.path.endswith(_SUFFIX):
        return end
    header = 8 + int.from_bytes(known[:8], "little")
    if len(known) < 8 or header > file.size:
        return min(len(known), _ENOUGH_TO_RECOGNISE)
    return header if len(known) >= header else 0
