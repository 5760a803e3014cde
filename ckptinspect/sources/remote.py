"""A folder at any URL: over HTTP by the same careful requests as the Hub's, elsewhere by fsspec's drivers.

fsspec's own HTTP driver is not used: it takes any 206 for the bytes that it asked for and reads its body to the
end, and it reports every failure to learn a size, a refusal too, as a file that does not exist.
"""

from typing import Self

from ckptinspect.errors import NotFoundError, ShortReadError
from ckptinspect.sources.base import File, Source
from ckptinspect.sources.ranges import FIRST_READ
from ckptinspect.sources.remote_store import Store
from ckptinspect.sources.remote_url import WEB, scheme_of, split_url
from ckptinspect.sources.retry import PATIENT, Retry

__all__ = ["RemoteSource", "split_url"]


class RemoteSource(Source):
    """The files below a folder at a URL. Given the URL of a file, the root is the folder that the file lies in.

    Paths are relative to the folder. Over HTTP, which lists nothing, ``list`` gives the named file, the files
    that checkpoints are known to have, and the shards that an index among them names. A query (a signature)
    is sent with every request and never shown.
    """

    via = "ranges"
    concurrency = 8
    first_read = FIRST_READ

    def __init__(self, url: str, *, timeout: float = 20.0, retry: Retry = PATIENT) -> None:
        self.url = url
        self.timeout = timeout
        self.retry = retry
        self.requests = 0
        self.bytes_read = 0
        self._store: Store | None = None
        self._files: tuple[File, ...] | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (self.url, self.timeout, self.retry)

    async def __aenter__(self) -> Self:
        folder, name = split_url(self.url)
        scheme = scheme_of(folder)
        if scheme in WEB:
            from ckptinspect.sources.remote_http import HttpStore

            self._store = HttpStore(self, folder, name, self.timeout, self.retry)
        else:
            from ckptinspect.sources.remote_fsspec import FsspecStore

            self._store = FsspecStore(self, folder, scheme)
        return self

    async def __aexit__(self, *_: object) -> None:
        store, self._store = self._store, None
        if store is not None:
            await store.close()

    async def list(self) -> tuple[File, ...]:
        if self._files is None:
            self._files = tuple(sorted(await self._opened().files()))
        return self._files

    async def size(self, path: str) -> int:
        for file in self._files or ():
            if file.path == path:
                return file.size
        return await self._opened().size(_inside(path))

    async def read(self, path: str, begin: int, end: int) -> bytes:
        if begin == end:
            return b""
        data = await self._opened().read(_inside(path), begin, end)
        if len(data) != end - begin:
            what = f"the file ends at byte {begin + len(data)}, before byte {end}"
            raise ShortReadError(what, path, "fetch it again")
        return data

    def _opened(self) -> Store:
        if self._store is None:
            raise RuntimeError("a source is used inside `async with source`")
        return self._store


def _inside(path: str) -> str:
    """A path that stays below the root; anything else is no file of it."""
    if path.startswith("/") or "\\" in path or "://" in path or {"", ".", ".."} & set(path.split("/")):
        raise NotFoundError("no such file", path, "check the spelling")
    return path


def _restored(url: str, timeout: float, retry: Retry) -> RemoteSource:
    return RemoteSource(url, timeout=timeout, retry=retry)
