"""Files on this machine: a folder, or one file of it."""

import os
import stat
from collections.abc import Iterator

from ckptinspect.errors import AccessError, NotFoundError, ShortReadError, SourceError
from ckptinspect.sources.base import File, Source, is_hidden

MAX_DEPTH = 4
MAX_FILES = 200_000
"""How far a folder is searched: a checkpoint lies within this, a home directory does not."""


class LocalSource(Source):
    """The files below ``root``, links followed (the Hub's cache is made of links into its blobs).

    Hidden ones are listed only if ``hidden`` says so: a folder that people work in holds thousands of them.
    """

    via = "local"

    def __init__(self, root: str, via: str = "local", *, hidden: bool = False) -> None:
        self.root = root
        self.via = via
        self.hidden = hidden
        self.requests = 0
        self.bytes_read = 0
        self._files: tuple[File, ...] | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (self.root, self.via, self.hidden)

    async def list(self) -> tuple[File, ...]:
        if self._files is None:
            self._files = tuple(sorted(_files(self.root, hidden=self.hidden)))
        return self._files

    async def size(self, path: str) -> int:
        descriptor = _opened(os.path.join(self.root, path), path)
        try:
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)

    async def read(self, path: str, begin: int, end: int) -> bytes:
        descriptor = _opened(os.path.join(self.root, path), path)
        wanted = end - begin
        try:
            data = b""
            while len(data) < wanted and (piece := os.pread(descriptor, wanted - len(data), begin + len(data))):
                data = data + piece if data else piece
        except OSError as error:
            raise SourceError(f"it cannot be read: {error.strerror}", path, "check the disk") from None
        finally:
            os.close(descriptor)
        self.bytes_read += len(data)
        if len(data) != wanted:
            what = f"the file ends at byte {begin + len(data)}, before byte {end}"
            raise ShortReadError(what, path, "fetch it again")
        return data


def _restored(root: str, via: str, hidden: bool) -> LocalSource:
    return LocalSource(root, via, hidden=hidden)


def _opened(full: str, path: str) -> int:
    """A descriptor of a regular file. Never blocks: a FIFO without a writer would, for ever."""
    try:
        descriptor = os.open(full, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        what = "a link to a file that is not there" if os.path.islink(full) else "no such file"
        raise NotFoundError(what, path, "check the spelling, or fetch it again") from None
    except (PermissionError, OSError) as error:
        raise AccessError(f"it cannot be opened: {error.strerror}", path, "check its permissions") from None
    if (kind := _irregular(os.fstat(descriptor).st_mode)) is not None:
        os.close(descriptor)
        raise SourceError(f"this is {kind}, not a file", path, "name a safetensors file, or a folder that holds one")
    return descriptor


def _irregular(mode: int) -> str | None:
    """What stands there instead of a regular file."""
    if stat.S_ISREG(mode):
        return None
    for test, kind in (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    ):
        if test(mode):
            return kind
    return "a special file"


def _files(root: str, *, hidden: bool) -> Iterator[File]:
    """Files below ``root``, each real folder once, no deeper than MAX_DEPTH."""
    folders = [(root, "", 0)]
    seen = {_identity(root)}
    count = 0
    while folders:
        folder, prefix, depth = folders.pop()
        for entry in _entries(folder, prefix):
            if is_hidden(entry.name) and not hidden:
                continue
            path = prefix + entry.name
            try:
                status = entry.stat()
            except OSError:
                # A dangling link: listed with no bytes, so that whoever asks for it is told what it is.
                yield File(path, 0)
                continue
            if stat.S_ISDIR(status.st_mode):
                if depth < MAX_DEPTH and (identity := (status.st_dev, status.st_ino)) not in seen:
                    seen.add(identity)
                    folders.append((entry.path, path + "/", depth + 1))
                continue
            count += 1
            if count > MAX_FILES:
                raise SourceError(f"more than {MAX_FILES} files below it", root, "name the checkpoint's own folder")
            yield File(path, status.st_size)


def _identity(folder: str) -> tuple[int, int] | None:
    """What tells one folder from another, whichever links lead to it."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _entries(folder: str, prefix: str) -> "list[os.DirEntry[str]]":
    """What lies in a folder, in an order of its own and not the disk's; a folder comes before links to it."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name))
    except OSError as error:
        if prefix:
            return []
        if isinstance(error, FileNotFoundError):
            raise NotFoundError("no such folder", folder, "check the spelling") from None
        raise AccessError(f"the folder cannot be read: {error.strerror}", folder, "check its permissions") from None
