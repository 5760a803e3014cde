"""The files of a source as a checkpoint needs them: sizes, the small files beside the weights, and what reading
them leaves to be said.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from ckptinspect.errors import CkptInspectError, FormatError, IndexMismatchError, NotFoundError, SourceError
from ckptinspect.index import MAX_BYTES, Index, parse_index
from ckptinspect.model import Note
from ckptinspect.sources.base import File, Source

T = TypeVar("T")

MAX_SMALL_FILE = 10_000_000


class Folder:
    """A source with its files' sizes, once somebody has listed them, and the notes that reading leaves."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.sizes: dict[str, int] | None = None
        self.notes: list[Note] = []
        self._unreadable: set[str] = set()

    def listed(self, files: Iterable[File]) -> None:
        """Take the sizes from a listing."""
        self.sizes = {file.path: file.size for file in files}

    def note(self, code: str, message: str) -> None:
        """Add something to be said about the answer."""
        self.notes.append(Note(code, message))

    async def size(self, path: str) -> int:
        """Bytes of a file: from the listing where asking again costs a request."""
        if self.sizes is not None and self.source.concurrency > 1:
            return self.sizes[path]
        return await self.source.size(path)

    async def present(self, paths: Iterable[str]) -> dict[str, int]:
        """Those of some files that are there, with their sizes; of all files where the source was listed."""
        if self.sizes is not None:
            return self.sizes
        found = {}
        for path in paths:
            try:
                found[path] = await self.source.size(path)
            except NotFoundError:
                continue
            except SourceError:
                found[path] = 0
        return found

    async def parsed(self, path: str, parse: Callable[[bytes, str], T]) -> T | None:
        """What a small file says; a broken or hostile one costs a note, not the run."""
        if self.sizes is not None and path not in self.sizes:
            return None
        try:
            size = await self.size(path)
            if size > MAX_SMALL_FILE:
                raise FormatError(f"it takes {size} bytes, over the limit of {MAX_SMALL_FILE}", path)
            return parse(await self.source.read(path, 0, size), path)
        except NotFoundError:
            return None
        except CkptInspectError as error:
            if path not in self._unreadable:
                self.note("config-unreadable", f"{path} was left out: {error.what}")
            self._unreadable.add(path)
            return None

    async def index(self, path: str) -> Index:
        """The index at ``path``. Raises IndexMismatchError where it is none, or too large to be read."""
        size = await self.size(path)
        if size > MAX_BYTES:
            what = f"the index takes {size} bytes, over the limit of {MAX_BYTES}"
            raise IndexMismatchError(what, path, "fetch it again, or name the shards' folder without it")
        return parse_index(await self.source.read(path, 0, size), path)
