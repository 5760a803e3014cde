"""Snapshots: a checkpoint's headers, config and index in one small file, which every verb takes as a REF.

The file is a zip archive. Its first member, ``ckptinspect.json``, names the schema, where it was taken from,
and the size of every file; each other member is a file's beginning: a whole small file, or of a safetensors
file the 8 bytes of its length and the raw bytes of its header. Members stand in the order of their names and
carry no clock, so that the same checkpoint gives the same bytes.
"""

import zipfile
import zlib

import msgspec

from ckptinspect.errors import FormatError, NotFoundError, ShortReadError
from ckptinspect.sources.base import File, Source

SCHEMA = "ckptinspect/snapshot/v1"
MANIFEST = "ckptinspect.json"
_MAXMANIFEST = 50_000_000
_MAX_MEMBER = 250_000_000


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
        self._manifest: Manifest | None = None

    def __reduce__(self) -> tuple[type["SnapshotSource"], tuple[str]]:
        return type(self), (self.path,)

    @property
    def manifest(self) -> Manifest:
        """What the snapshot says of itself. Raises FormatError where it is none."""
        if self._manifest is None:
            self._manifest = _parsed(_member(self.path, MANIFEST, _MAXMANIFEST), self.path)
        return self._manifest

    async def list(self) -> tuple[File, ...]:
        return self.manifest.files

    async def commit(self) -> str | None:
        return self.manifest.commit

    async def read(self, path: str, begin: int, end: int) -> bytes:
        size = await self.size(path)
        if end > size:
            raise ShortReadError(f"the file ends at byte {size}, before byte {end}", path, "fetch it again")
        data = _member(self.path, path, _MAX_MEMBER)
        self.bytes_read += max(0, min(end, len(data)) - begin)
        if len(data) < end:
            raise ShortReadError(f"the snapshot keeps {len(data)} bytes of it", path, "take the checkpoint itself")
        return data[begin:end]


def _parsed(raw: bytes, path: str) -> Manifest:
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise FormatError("the snapshot's list of files is damaged", path, "take it again") from None
    if manifest.schema != SCHEMA:
        raise FormatError("the snapshot is of a newer version", path, "update ckptinspect, or take it again")
    if any(file.size < 0 for file in manifest.files):
        raise FormatError("the snapshot's list of files is damaged", path, "take it again")
    return msgspec.structs.replace(manifest, files=tuple(sorted(manifest.files)))


def _member(path: str, name: str, limit: int) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(name).file_size > limit:
                raise FormatError(f"the snapshot holds more than {limit} bytes of one file", name, "take it again")
            with archive.open(name) as member:
                return member.read(limit)
    except FileNotFoundError:
        raise NotFoundError("no such file", path, "check the spelling") from None
    except KeyError:
        raise NotFoundError("the snapshot does not hold this file", name, "take the checkpoint itself") from None
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error):
        raise FormatError("the snapshot is damaged", path, "take it again") from None
