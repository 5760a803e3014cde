"""What of a file lies in the page cache: looked up, dropped, brought back, and why a state cannot be proved.

Each way to look lies somewhere: cachestat says 0 on overlayfs while all is cached; mincore says all for whoever
neither owns the file nor may write to it; DONTNEED does nothing on tmpfs, to dirty pages, and to pages that
another process has mapped. So two ways are asked, and what the storage was read for is counted besides.
"""

import ctypes
import errno
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec

from ckptinspect.bench.base import Cache
from ckptinspect.bench.files import MEMORY, REMOTE, FileSystem, text_in

PAGE = os.sysconf("SC_PAGE_SIZE")
COLD, WARM = 0.01, 0.99
"""Up to which share of the pages a file counts as cold, and from which on as warm."""

_OWN, _OWN_SHARE = 1 << 20, 0.5
"""What a process may read for itself during a warm load (pages of libraries), in bytes and of what the files have."""
_CACHESTAT = 451
_STRETCH = 1 << 32
_ATTEMPTS = 4
_PAUSE = 0.05
_BLOCK = 1 << 22
_PROT_READ, _MAP_SHARED = 1, 1
_MAP_FAILED = ctypes.c_void_p(-1).value


class _Range(ctypes.Structure):
    _fields_ = (("begin", ctypes.c_uint64), ("length", ctypes.c_uint64))


class _Stat(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("cached", "dirty", "writeback", "evicted", "recent"))


class Residency(msgspec.Struct, frozen=True):
    """Pages of some files, and how many of them are cached by what each way says; None where it is not to be trusted.

    ``dirty`` are those not yet written to the storage, or on their way to it.
    """

    pages: int
    cachestat: int | None
    mincore: int | None
    dirty: int | None = None

    @property
    def used(self) -> float | None:
        """The share of the pages that is cached, by the way that says more; None where none can be trusted."""
        known = [count for count in (self.cachestat, self.mincore) if count is not None]
        return max(known) / max(self.pages, 1) if known else None

    def __add__(self, other: "Residency") -> "Residency":
        return Residency(
            self.pages + other.pages,
            _sum(self.cachestat, other.cachestat),
            _sum(self.mincore, other.mincore),
            _sum(self.dirty, other.dirty),
        )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def residency_of(descriptors: Sequence[int], file_systems: Sequence[FileSystem]) -> Residency:
    """What of these files is in the page cache."""
    found = Residency(0, 0, 0, 0)
    for descriptor, file_system in zip(descriptors, file_systems, strict=True):
        found += _residency(descriptor, overlay=file_system.name == "overlay")
    return found


def _residency(descriptor: int, *, overlay: bool) -> Residency:
    size = os.fstat(descriptor).st_size
    pages = -(-size // PAGE)
    stat = _cachestat(descriptor)
    seen = _mincore(descriptor, size) if _may_look(descriptor, stat) else None
    if not isinstance(stat, _Stat) or (overlay and seen is None):
        return Residency(pages, None, seen)
    return Residency(pages, int(stat.cached), seen, int(stat.dirty + stat.writeback))


def _cachestat(descriptor: int) -> _Stat | int:
    """What cachestat (Linux 6.5) answers, or the error's number."""
    libc = ctypes.CDLL(None, use_errno=True)
    answer = _Stat()
    if libc.syscall(_CACHESTAT, descriptor, ctypes.byref(_Range(0, 0)), ctypes.byref(answer), 0) == 0:
        return answer
    return ctypes.get_errno()


def _may_look(descriptor: int, stat: _Stat | int) -> bool:
    """Whether mincore tells the truth: to the owner, and to who may write. cachestat refuses whom it would deceive."""
    if isinstance(stat, _Stat):
        return True
    if stat == errno.EPERM:
        return False
    path = f"/proc/self/fd/{descriptor}"
    return os.fstat(descriptor).st_uid == os.geteuid() or os.access(path, os.W_OK)


def _mincore(descriptor: int, size: int) -> int | None:
    counts = [flags.count(1) for _, flags in _vectors(descriptor, size)]
    return sum(counts) if size == 0 or counts else None


def _vectors(descriptor: int, size: int) -> Iterator[tuple[int, bytes]]:
    """For each stretch of a file its first byte, and a 1 or 0 a page. Maps, but touches nothing."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    for begin in range(0, size, _STRETCH):
        length = min(_STRETCH, size - begin)
        address = libc.mmap(None, length, _PROT_READ, _MAP_SHARED, descriptor, begin)
        if address == _MAP_FAILED:
            return
        try:
            flags = ctypes.create_string_buffer(-(-length // PAGE))
            if libc.mincore(address, length, flags) != 0:
                return
            yield begin, flags.raw
        finally:
            libc.munmap(address, length)


def cached_ranges(descriptor: int) -> list[tuple[int, int]]:
    """Bytes (begin, end) of a file that are cached now, as far as one may look; to be brought back later."""
    size = os.fstat(descriptor).st_size
    if not _may_look(descriptor, _cachestat(descriptor)):
        return []
    return [found for begin, flags in _vectors(descriptor, size) for found in _runs(begin, flags, size)]


def _runs(begin: int, flags: bytes, size: int) -> Iterator[tuple[int, int]]:
    """The runs of ones in a vector, as bytes of the file.

    >>> list(_runs(0, bytes([1, 1, 0, 1]), 4 * PAGE - 1)) == [(0, 2 * PAGE), (3 * PAGE, 4 * PAGE - 1)]
    True
    """
    first = flags.find(1)
    while first >= 0:
        end = flags.find(0, first)
        end = len(flags) if end < 0 else end
        yield begin + first * PAGE, min(begin + end * PAGE, size)
        first = flags.find(1, end)


def evict(descriptors: Sequence[int], file_systems: Sequence[FileSystem]) -> Residency:
    """Ask the kernel to drop these files from its cache, dirty pages written where that is needed; what is left."""
    left = residency_of(descriptors, file_systems)
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE * attempt)
        for descriptor in descriptors:
            # A file system that is mounted read-only has nothing to write, and says so.
            with suppress(OSError):
                if attempt or left.dirty != 0:
                    os.fdatasync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        left = residency_of(descriptors, file_systems)
        if left.used is None or left.used <= COLD:
            break
    return left


def warm(descriptor: int, ranges: Sequence[tuple[int, int]] | None = None) -> None:
    """Read a file, or parts of it, so that it lies in the page cache."""
    parts = [(0, os.fstat(descriptor).st_size)] if ranges is None else ranges
    buffer = memoryview(bytearray(_BLOCK))
    for begin, end in parts:
        position = begin
        while position < end:
            got = os.preadv(descriptor, [buffer[: end - position]], position)
            if got == 0:
                break
            position += got


class Evidence(NamedTuple):
    """What is known of the cache around one load; ``read`` are the bytes that the process had from the storage."""

    before: Residency
    read: int | None
    nbytes: int


class Verdict(NamedTuple):
    """The state in which a load has run, and why it is not the one asked for."""

    state: str
    why: str | None = None


def verdict(
    wanted: Cache, evidence: Evidence, file_systems: Sequence[FileSystem], mappers: Sequence[str] = ()
) -> Verdict:
    """Whether a load was cold or warm: by what was cached before it, and by what it has read from the storage."""
    if wanted is Cache.AS_IS:
        return Verdict(Cache.AS_IS, _share(evidence.before))
    names = {file_system.name for file_system in file_systems}
    if remote := names & REMOTE:
        what = f"{min(remote)}: what its server or daemon has cached cannot be seen"
        return Verdict("unproven", f"{what}; at best {'client-cold' if wanted is Cache.COLD else 'client-warm'}")
    if wanted is Cache.COLD:
        return _cold(evidence, names, mappers)
    return _warm(evidence)


def _cold(evidence: Evidence, file_systems: set[str], mappers: Sequence[str]) -> Verdict:
    before, read, nbytes = evidence
    if memory := file_systems & MEMORY:
        return Verdict("unproven", f"{min(memory)} has no backing device: warm only")
    if before.used is not None and before.used > COLD:
        if mappers:
            return Verdict("unproven", f"{_share(before)}: mapped by {', '.join(mappers)}")
        if before.dirty:
            return Verdict("unproven", f"{_share(before)}: dirty, still being written")
        return Verdict("unproven", f"{_share(before)} before it began")
    if read is None:
        return Verdict("unproven", "/proc/self/io does not tell what was read from the storage")
    if read < WARM * nbytes:
        return Verdict("unproven", f"only {read / max(nbytes, 1):.0%} of the bytes were read from the storage")
    return Verdict(Cache.COLD)


def _warm(evidence: Evidence) -> Verdict:
    before, read, nbytes = evidence
    if before.used is not None and before.used < WARM:
        return Verdict("unproven", f"only {_share(before)}")
    if read is None:
        return Verdict("unproven", "/proc/self/io does not tell what was read from the storage")
    if read > max(COLD * nbytes, min(_OWN, _OWN_SHARE * nbytes)):
        return Verdict("bypasses cache", f"{read / max(nbytes, 1):.0%} of the bytes were read from the storage")
    return Verdict(Cache.WARM)


def _share(residency: Residency) -> str:
    if residency.used is None:
        return "the page cache may not be looked into (not the owner)"
    return f"{residency.used:.0%} in the page cache"


def mappers_of(descriptors: Sequence[int]) -> list[str]:
    """Other processes that have one of these files mapped, as far as one may see: their pages stay cached."""
    wanted = {(os.fstat(descriptor).st_dev, os.fstat(descriptor).st_ino) for descriptor in descriptors}
    others = (entry for entry in os.listdir("/proc") if entry.isdigit() and int(entry) != os.getpid())
    return [f"process {pid} ({text_in(f'/proc/{pid}/comm') or '?'})" for pid in others if wanted & files_mapped_by(pid)]


def files_mapped_by(process: str) -> set[tuple[int, int]]:
    """Device and inode of every file that a process has mapped; none where one may not see."""
    files = set()
    for line in text_in(f"/proc/{process}/maps").splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) > 5 and fields[4] != "0":
            major, _, minor = fields[3].partition(":")
            files.add((os.makedev(int(major, 16), int(minor, 16)), int(fields[4])))
    return files
