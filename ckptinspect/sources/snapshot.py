"""Snapshots: a checkpoint's headers, config and index in one small file, which every verb takes as a REF.

The file is a zip archive. Its first member, ``ckptinspect.json``, names the schema, where it was taken from,
and the size of every file; each other member is a file's beginning: a whole small file, or of a safetensors
file the 8 bytes of its length and the raw bytes of its header. Members stand in the order of their names and
carry no clock, so that the same checkpoint gives the same bytes.
"""

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from functools import cached_property

import msgspec

from ckptinspect.errors import FormatError, NotFoundError, ShortReadError
from ckptinspect.sources.base import File, Source
from ckptinspect.sources.snapshot_archive import Archive, leads_out
from ckptinspect.text import quoted

SCHEMA = "ckptinspect/snapshot/v1"
MANIFEST = "ckptinspect.json"
MAX_MANIFEST = 100_000_000


class Manifest(msgspec.Struct, frozen=True):
    """What a snapshot says of itself: where it was taken, and every file with its full size in bytes."""

    schema: str
    origin: str
    commit: str | None
    path: str
    files: tuple[File, ...]


class SnapshotSource(Source):
    """The files that a snapshot has the beginnings of; what lies beyond them is a ShortReadError."""

    via = "snapshot"

    def __init__(self, path: str) -> None:
        self.path = path
        self.requests = 0
        self.bytes_read = 0
        self._archive: Archive | None = None

    def __reduce__(self) -> tuple[type["SnapshotSource"], tuple[str]]:
        return type(self), (self.path,)

    async def __aexit__(self, *_: object) -> None:
        archive, self._archive = self._archive, None
        if archive is not None:
            archive.close()

    @cached_property
    def manifest(self) -> Manifest:
        """What the snapshot says of itself. Raises FormatError where it is none."""
        # By an archive of its own: it is asked for before the source is opened too.
        with closing(Archive(self.path)) as archive:
            return _parsed(_listing(archive, self.path), self.path)

    @cached_property
    def _sizes(self) -> Mapping[str, int]:
        return {file.path: file.size for file in self.manifest.files}

    async def list(self) -> tuple[File, ...]:
        return self.manifest.files

    async def commit(self) -> str | None:
        return self.manifest.commit

    async def size(self, path: str) -> int:
        if path not in self._sizes:
            raise NotFoundError("no such file", path, "it is not in the snapshot")
        return self._sizes[path]

    async def read(self, path: str, begin: int, end: int) -> bytes:
        size = await self.size(path)
        if end > size:
            raise ShortReadError(f"the file ends at byte {size}, before byte {end}", path, "fetch it again")
        kept = self._opened().size(path)
        if kept < end:
            raise ShortReadError(f"the snapshot keeps {kept} bytes of it", path, "take the checkpoint itself")
        data = self._opened().read(path, begin, end)
        self.bytes_read += len(data)
        return data

    def _opened(self) -> Archive:
        if self._archive is None:
            self._archive = Archive(self.path)
        return self._archive


def _listing(archive: Archive, path: str) -> bytes:
    if (size := archive.size(MANIFEST)) > MAX_MANIFEST:
        what = f"the snapshot's list of files takes {size} bytes, over the limit of {MAX_MANIFEST}"
        raise FormatError(what, path, "take it again")
    return archive.read(MANIFEST, 0, size)


def _parsed(raw: bytes, path: str) -> Manifest:
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise FormatError("the snapshot's list of files is damaged", path, "take it again") from None
    if manifest.schema != SCHEMA:
        raise FormatError("the snapshot is of a newer version", path, "update ckptinspect, or take it again")
    if (why := _objection(manifest.files)) is not None:
        raise FormatError(f"the snapshot's list of files {why}", path, "take it again")
    return msgspec.structs.replace(manifest, files=tuple(sorted(manifest.files)))


def _objection(files: tuple[File, ...]) -> str | None:
    """Why these cannot be the files of one folder."""
    for file in files:
        if file.size < 0:
            return f"gives {quoted(file.path)} a negative size"
        if leads_out(file.path):
            return f"names {quoted(file.path)}, which leads out of the folder"
    twice = next((path for path, count in Counter(file.path for file in files).items() if count > 1), None)
    return None if twice is None else f"names {quoted(twice)} twice"
