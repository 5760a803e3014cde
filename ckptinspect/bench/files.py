"""Files opened to be read and nothing else, and what is known of them without reading."""

import ctypes
import errno
import os
import stat
from typing import NamedTuple

from ckptinspect.bench.base import Identity
from ckptinspect.errors import AccessError, NotFoundError, SourceError

ALIGNMENT = 4096
"""What offsets, lengths and addresses of direct reads are multiples of."""

_MAX_EXTENTS = 100_000
# include/uapi/linux/magic.h
_FILE_SYSTEMS = {
    0x01021994: "tmpfs",
    0x858458F6: "ramfs",
    0x958458F6: "hugetlbfs",
    0x794C7630: "overlay",
    0xEF53: "ext4",
    0x58465342: "xfs",
    0x9123683E: "btrfs",
    0x2FC12FC1: "zfs",
    0xF2F52010: "f2fs",
    0x6969: "nfs",
    0xFF534D42: "cifs",
    0xFE534D42: "smb2",
    0x65735546: "fuse",
    0x01021997: "9p",
    0x0BD00BD0: "lustre",
    0x00C36400: "ceph",
    0x47504653: "gpfs",
    0x19830326: "beegfs",
    0x73717368: "squashfs",
}
MEMORY = frozenset({"tmpfs", "ramfs", "hugetlbfs"})
REMOTE = frozenset({"nfs", "cifs", "smb2", "fuse", "9p", "lustre", "ceph", "gpfs", "beegfs"})


def opened(path: str, *, direct: bool = False) -> int:
    """A descriptor of a regular file: read-only, without a trace in its access time where that is allowed."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_DIRECT if direct else 0)
    try:
        descriptor = _without_atime(path, flags)
    except FileNotFoundError:
        raise NotFoundError("no such file", path, "check the spelling") from None
    except OSError as error:
        if direct and error.errno == errno.EINVAL:
            raise SourceError("its file system has no direct reads (O_DIRECT)", path) from None
        raise AccessError(f"it cannot be opened: {error.strerror}", path, "check its permissions") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceError("this is no regular file", path, "name a safetensors file, or a folder that holds one")
    return descriptor


def _without_atime(path: str, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_NOATIME)
    except PermissionError:
        # Only the owner may ask for it.
        return os.open(path, flags)


def identity_of(status: os.stat_result) -> Identity:
    """What a file is, to be compared later."""
    return Identity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def same_file(path: str, known: Identity) -> bool:
    """Whether the path still leads to the same, unchanged file."""
    try:
        return identity_of(os.stat(path)) == known
    except OSError:
        return False


def hole_bytes(descriptor: int) -> int:
    """The bytes of a file that are in no block: they read as zeros, without a disk."""
    size, position, missing = os.fstat(descriptor).st_size, 0, 0
    for _ in range(_MAX_EXTENTS):
        if position >= size:
            break
        try:
            data = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError as error:
            # ENXIO: nothing but a hole up to the end. Anything else: this file system does not tell.
            return missing + (size - position if error.errno == errno.ENXIO else 0)
        missing += min(data, size) - position
        position = os.lseek(descriptor, data, os.SEEK_HOLE)
    return missing


class FileSystem(NamedTuple):
    """What a file lies on. ``name`` is that of its magic number, or the number itself."""

    name: str
    magic: int
    device: str | None
    read_ahead_kb: int | None


def file_system_of(descriptor: int) -> FileSystem:
    """The file system, block device and read-ahead behind a descriptor."""
    magic = _magic(descriptor)
    number = os.fstat(descriptor).st_dev
    numbers = f"{os.major(number)}:{os.minor(number)}"
    device = os.path.realpath(f"/sys/dev/block/{numbers}")
    read_ahead = number_in(f"/sys/class/bdi/{numbers}/read_ahead_kb")
    if read_ahead is None and os.path.exists(device):
        # A partition has no such file of its own: its disk has.
        folders = (device, os.path.dirname(device))
        read_ahead = next((n for folder in folders if (n := number_in(f"{folder}/queue/read_ahead_kb"))), None)
    name = _FILE_SYSTEMS.get(magic, hex(magic))
    return FileSystem(name, magic, os.path.basename(device) if os.path.exists(device) else None, read_ahead)


def _magic(descriptor: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    answer = ctypes.create_string_buffer(256)
    if libc.fstatfs(descriptor, answer) != 0:
        return 0
    return int.from_bytes(answer.raw[: ctypes.sizeof(ctypes.c_long)], "little") & 0xFFFFFFFF


def sectors_read(device: str | None) -> int | None:
    """Bytes that a block device has read since it was there (512-byte sectors, whoever asked for them)."""
    if device is None:
        return None
    fields = text_in(f"/sys/class/block/{device}/stat").split()
    return int(fields[2]) * 512 if len(fields) > 2 else None


def text_in(path: str) -> str:
    """What a small file of the kernel says; empty where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def number_in(path: str) -> int | None:
    """The number that a small file of the kernel holds."""
    text = text_in(path)
    return int(text) if text.lstrip("-").isdigit() else None
