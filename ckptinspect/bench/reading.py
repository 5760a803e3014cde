"""Stretches of files, read exactly, by several threads at once."""

import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Thread
from typing import NamedTuple

from ckptinspect.bench.files import ALIGNMENT, opened
from ckptinspect.errors import LayoutError, ShortReadError
from ckptinspect.header import header_length, parse_header
from ckptinspect.model import Header

_FIRST = 1 << 16


class Stretch(NamedTuple):
    """Bytes ``begin`` to ``end`` of the file with this number; ``begin`` is aligned where reads are direct."""

    file: int
    begin: int
    end: int


def stretches(regions: Iterable[tuple[int, int, int]], chunk: int) -> list[Stretch]:
    """Regions (file, begin, end) cut into stretches of at most ``chunk`` bytes, at multiples of it from their begin.

    >>> stretches([(0, 4, 11)], 4)
    [Stretch(file=0, begin=4, end=8), Stretch(file=0, begin=8, end=11)]
    """
    return [
        Stretch(file, position, min(position + chunk, end))
        for file, begin, end in regions
        for position in range(begin, end, chunk)
    ]


def aligned_down(position: int) -> int:
    """The last place for a direct read at or before this one."""
    return position // ALIGNMENT * ALIGNMENT


def aligned_up(position: int) -> int:
    """The first place for a direct read at or behind this one."""
    return -(-position // ALIGNMENT) * ALIGNMENT


def memory_of(nbytes: int) -> memoryview:
    """Private memory, page-aligned, of which no page is there yet."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    return memoryview(mmap.mmap(-1, max(nbytes, 1), flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE))[:nbytes]


def filled(memory: memoryview, value: int) -> memoryview:
    """The memory with every byte of it set, so that every page is there."""
    page = bytes([value]) * (1 << 20)
    for begin in range(0, len(memory), len(page)):
        part = memory[begin : begin + len(page)]
        part[:] = page[: len(part)]
    return memory


def read_into(descriptor: int, memory: memoryview, begin: int, needed: int) -> None:
    """Read from ``begin`` on until ``needed`` bytes are there. ``memory`` may be longer, as direct reads need it."""
    done = 0
    while done < needed:
        got = os.preadv(descriptor, [memory[done:]], begin + done)
        if got == 0:
            raise ShortReadError(f"the file ends at byte {begin + done}, before byte {begin + needed}")
        done += got


def read_header(descriptor: int, *, names: bool) -> Header:
    """The header behind a descriptor, direct or not, refused where its tensors do not tile the file."""
    size = os.fstat(descriptor).st_size
    memory = memory_of(_FIRST)
    read_into(descriptor, memory, 0, min(size, _FIRST))
    length = header_length(bytes(memory[: min(size, 8)]), size)
    if 8 + length > len(memory):
        memory = memory_of(aligned_up(8 + length))
        read_into(descriptor, memory, 0, 8 + length)
    header = parse_header(bytes(memory[8 : 8 + length]), size, names=names)
    if (fatal := next((defect for defect in header.defects if defect.fatal), None)) is not None:
        raise LayoutError(fatal.message, hint="the file is damaged or was not fetched whole; fetch it again")
    return header


def header_at(path: str) -> Header:
    """The header of the file at this path, with the names of its tensors."""
    descriptor = opened(path)
    try:
        return read_header(descriptor, names=True)
    finally:
        os.close(descriptor)


def in_threads(number: int, work: Callable[[int], None]) -> None:
    """Run ``work`` of 0, 1, … in as many threads, this one among them; raises what the first to fail has raised."""
    failures: list[BaseException] = []

    def guarded(index: int) -> None:
        try:
            work(index)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            failures.append(error)

    others = [Thread(target=guarded, args=(index,)) for index in range(1, number)]
    for thread in others:
        thread.start()
    guarded(0)
    for thread in others:
        thread.join()
    if failures:
        raise failures[0]


def shared(items: Sequence[Stretch]) -> Iterator[Stretch]:
    """One iterator for several threads: a list's own, which hands out each item once under the interpreter's lock."""
    return iter(items)
