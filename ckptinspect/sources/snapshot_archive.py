"""The zip archive that a snapshot is, opened with care: what it says of itself is bounded before it is believed."""

import os
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import IO

from ckptinspect.errors import AccessError, FormatError, NotFoundError
from ckptinspect.text import quoted

MAX_MEMBERS = 65_535
"""What a zip archive holds without its 64-bit form."""
_MAX_DIRECTORY = 20_000_000
_MAX_MEMBER = 250_000_000
_MAX_WHOLE = 2_000_000_000
"""Bytes of the list of members, of one member, and of all of them, as the archive declares them: a snapshot of
2,500,000 tensors keeps within these, and the bytes that are read never exceed them.
"""
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1
_ENTRY = 46
"""Bytes of a member's entry in the directory, without its name."""
_AGAIN = "take it again"
_DAMAGE = (
    zipfile.BadZipFile,
    OSError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)


class Archive:
    """The members of a zip file by their names. Reads that go forward in a member unpack it once.

    Raises FormatError for a file that is damaged or holds what no snapshot holds, NotFoundError and AccessError
    for one that cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._current: tuple[str, IO[bytes]] | None = None
        self._zip = _opened(path)
        try:
            self._members = _checked(self._zip.infolist(), path)
        except FormatError:
            self._zip.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._leave()
        self._zip.close()

    def size(self, name: str) -> int:
        """The bytes of a member, unpacked; NotFoundError where there is none of this name."""
        return self._member(name).file_size

    def read(self, name: str, begin: int, end: int) -> bytes:
        """Exactly the bytes ``begin`` to ``end`` of a member, which must reach that far."""
        self._member(name)
        try:
            member = self._entered(name)
            member.seek(begin)
            data = member.read(end - begin)
        except _DAMAGE:
            self._leave()
            raise _damaged(self._path) from None
        if len(data) < end - begin:
            raise _damaged(self._path)
        return data

    def _member(self, name: str) -> zipfile.ZipInfo:
        if (info := self._members.get(name)) is None:
            raise NotFoundError("the snapshot does not hold this file", name, "take the checkpoint itself")
        return info

    def _entered(self, name: str) -> IO[bytes]:
        """The member as a file. The last one stays open, where its last read ended."""
        if self._current is None or self._current[0] != name:
            self._leave()
            self._current = name, self._zip.open(name)
        return self._current[1]

    def _leave(self) -> None:
        current, self._current = self._current, None
        if current is not None:
            current[1].close()


def leads_out(name: str) -> bool:
    """Whether a path is no path below a folder.

    >>> leads_out("unet/config.json"), leads_out("../config.json"), leads_out("/etc/passwd")
    (False, True, True)
    """
    return not name or name.startswith("/") or ".." in name.split("/")


def excess(sizes: Mapping[str, int]) -> str | None:
    """Why members of these names and sizes are more than an archive may hold that is to be read here."""
    counts = (
        (len(sizes), MAX_MEMBERS, "files"),
        (sum(_ENTRY + len(name.encode()) for name in sizes), _MAX_DIRECTORY, "bytes of their names"),
        (max(sizes.values(), default=0), _MAX_MEMBER, "bytes of one file"),
        (sum(sizes.values()), _MAX_WHOLE, "bytes"),
    )
    return next((f"{count} {what}, it holds {most}" for count, most, what in counts if count > most), None)


def _opened(path: str) -> zipfile.ZipFile:
    try:
        _check_end(path)
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise NotFoundError("no such file", path, "check the spelling") from None
    except PermissionError as error:
        raise AccessError(f"it cannot be opened: {error.strerror}", path, "check its permissions") from None
    except _DAMAGE:
        raise _damaged(path) from None


def _check_end(path: str) -> None:
    """The archive's last 22 bytes are the record that gives the size of its list of members, and it is bounded.

    Behind a comment or before a record of the 64-bit form, neither of which a snapshot has, another size could
    hide (APPNOTE.TXT of the zip format, 4.3.14 to 4.3.16).
    """
    with open(path, "rb") as file:
        file.seek(-min(42, os.fstat(file.fileno()).st_size), os.SEEK_END)
        last = file.read(42)
    before, end = last[:-22], last[-22:]
    if not end.startswith(b"PK\5\6") or not end.endswith(b"\0\0") or before.startswith(b"PK\6\7"):
        raise _damaged(path)
    if (size := int.from_bytes(end[12:16], "little")) > _MAX_DIRECTORY:
        raise FormatError(
            f"the snapshot's directory takes {size} bytes, over the limit of {_MAX_DIRECTORY}", path, _AGAIN
        )


def _checked(infos: Sequence[zipfile.ZipInfo], path: str) -> Mapping[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        if info.filename.endswith("/"):
            continue
        if (why := _objection(info)) is not None:
            raise FormatError(f"the snapshot's member {quoted(info.filename)} {why}", path, _AGAIN)
        if info.filename in members:
            raise FormatError(f"the snapshot holds {quoted(info.filename)} twice", path, _AGAIN)
        members[info.filename] = info
    if (whole := sum(info.file_size for info in infos)) > _MAX_WHOLE:
        raise FormatError(f"the snapshot unpacks to {whole} bytes, over the limit of {_MAX_WHOLE}", path, _AGAIN)
    return members


def _objection(info: zipfile.ZipInfo) -> str | None:
    """Why a member is none of a snapshot's."""
    if leads_out(info.filename):
        return "leads out of the folder"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in _METHODS:
        return "is neither stored nor deflated"
    if info.file_size > _MAX_MEMBER:
        return f"takes {info.file_size} bytes, over the limit of {_MAX_MEMBER}"
    return None


def _damaged(path: str) -> FormatError:
    return FormatError("the snapshot is damaged", path, _AGAIN)
