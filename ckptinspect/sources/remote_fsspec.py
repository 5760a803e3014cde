"""A folder of any storage that fsspec has a driver for: s3, gs, az, sftp, memory and what else is installed."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from ckptinspect.errors import (
    AccessError,
    CkptInspectError,
    NotFoundError,
    RefError,
    SourceError,
    UnavailableError,
    UnreachableError,
)
from ckptinspect.sources.base import File, Source
from ckptinspect.sources.local import MAX_DEPTH, MAX_FILES
from ckptinspect.sources.remote_store import Store
from ckptinspect.sources.remote_url import shown
from ckptinspect.text import quoted

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

T = TypeVar("T")
_EXTRA = "pip install 'ckptinspect[remote]'"


class FsspecStore(Store):
    """A folder, by the driver of its scheme. Drivers block, so each call runs in a thread."""

    def __init__(self, source: Source, folder: str, scheme: str) -> None:
        self._source = source
        self._url = folder
        self._scheme = scheme
        self._driver: tuple[AbstractFileSystem, str] | None = None
        self._threads = ThreadPoolExecutor(source.concurrency, thread_name_prefix="ckptinspect")

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def files(self) -> Iterable[File]:
        return await self._call(self._walk, shown(self._url))

    async def size(self, path: str) -> int:
        return await self._call(lambda: self._size(path), path)

    async def read(self, path: str, begin: int, end: int) -> bytes:
        data = await self._call(lambda: self._read(path, begin, end), path)
        self._source.bytes_read += len(data)
        return data

    async def _call(self, work: Callable[[], T], where: str) -> T:
        """What ``work`` gives in a thread; whatever a driver raises is one of our errors."""
        self._source.requests += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, work)
        except CkptInspectError:
            raise
        except Exception as error:  # noqa: BLE001 - every driver has its own exceptions
            raise failure(error, where) from None

    def _opened(self) -> "tuple[AbstractFileSystem, str]":
        """The driver and the folder as it spells it, looked up in a thread since that may import a lot."""
        if self._driver is None:
            self._driver = driver_of(self._url, self._scheme)
        return self._driver

    def _walk(self) -> list[File]:
        """Every file, folder by folder, so that a bucket of millions is noticed before it is listed."""
        filesystem, root = self._opened()
        found: list[File] = []
        for folder, _, files in filesystem.walk(root, maxdepth=MAX_DEPTH + 1, detail=True, on_error="raise"):
            found += _files(root, folder, files)
            if len(found) > MAX_FILES:
                raise SourceError(
                    f"more than {MAX_FILES} files below it", self._url, "name the checkpoint's own folder"
                )
        if not found and not filesystem.isdir(root):
            raise NotFoundError("no such folder", shown(self._url), "check the spelling")
        return found

    def _size(self, path: str) -> int:
        filesystem, root = self._opened()
        status = filesystem.info(f"{root}/{path}")
        if status["type"] == "directory":
            raise NotFoundError("this is a folder, not a file", path, "name a file")
        return _known(status["size"], path)

    def _read(self, path: str, begin: int, end: int) -> bytes:
        """Drivers of object stores read ranges; the others through a file without read-ahead."""
        filesystem, root = self._opened()
        if getattr(filesystem, "async_impl", False):
            return bytes(filesystem.cat_file(f"{root}/{path}", start=begin, end=end))
        with filesystem.open(f"{root}/{path}", "rb", cache_type="none") as file:
            file.seek(begin)
            return bytes(file.read(end - begin))


def driver_of(url: str, scheme: str) -> "tuple[AbstractFileSystem, str]":
    """The driver for a URL, and the folder as the driver spells it."""
    try:
        from fsspec.core import url_to_fs
        from fsspec.registry import get_filesystem_class

        get_filesystem_class(scheme)
    except ImportError:
        raise UnavailableError(f"reading {scheme}:// takes a driver that is not installed", None, _EXTRA) from None
    except ValueError:
        raise RefError("no storage of this scheme is known", quoted(f"{scheme}://"), "write s3:// or gs://") from None
    try:
        filesystem, root = url_to_fs(url)
    except ValueError:
        raise RefError("this is no valid URL", quoted(shown(url)), "write scheme://bucket/folder") from None
    return filesystem, str(root).rstrip("/")


def _files(root: str, folder: str, files: dict[str, dict[str, object]]) -> Iterator[File]:
    below = folder.rstrip("/").removeprefix(root).lstrip("/")
    for name, status in files.items():
        if name:
            path = f"{below}/{name}" if below else name
            yield File(path, _known(status["size"], path))


def _known(size: object, path: str) -> int:
    if not isinstance(size, int):
        raise SourceError("the storage does not tell the file's size", path, "fetch the file and name the copy")
    return size


def failure(error: Exception, where: str) -> SourceError:
    """An error of ours for one of a driver's. Its own text may hold signatures, so only its name is shown."""
    status = getattr(error, "status", None) or getattr(error, "code", None)
    if isinstance(error, FileNotFoundError) or status == 404:
        return NotFoundError("no such file or folder", where, "check the spelling")
    if isinstance(error, PermissionError) or status in {401, 403} or "Credential" in type(error).__name__:
        return AccessError("the storage refuses access", where, "check the credentials in the environment")
    if isinstance(error, (ConnectionError, TimeoutError)) or "Connect" in type(error).__name__:
        return UnreachableError("the storage cannot be reached", where, "check the network and the endpoint")
    reason = getattr(error, "strerror", None) or type(error).__name__
    return SourceError(f"the storage's driver failed: {reason}", where, "try again")
