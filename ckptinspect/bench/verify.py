"""Whether the bytes that arrived are the bytes of the file: checksums from the destination against a read of its own.

Which bytes are looked at is decided after the load, anew for every trial. A checksum goes by stretches of the
file, so crc32 tells bytes in another order from the right ones; the reader of the file shares no code with a method.
"""

import os
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from random import Random
from typing import Any, NamedTuple

import msgspec

from ckptinspect.bench.base import Kept, Left, Loaded, Loading, Phases, Streamed
from ckptinspect.errors import ShortReadError
from ckptinspect.model import Header

EDGE = 1 << 16
WINDOW = 1 << 20
PER = 1 << 26
_PIECE = 1 << 24
"""A sample has EDGE bytes at each end of a tensor, and WINDOW bytes somewhere for every PER bytes of it."""


class Check(StrEnum):
    """How many of the bytes are looked at."""

    SAMPLE = "sample"
    FULL = "full"
    NONE = "none"


class Window(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Bytes ``begin`` to ``end`` of a tensor, to be looked at."""

    file: int
    tensor: str
    begin: int
    end: int


class Digest(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The crc32 of bytes ``begin`` to ``end`` of a file, as they lie at their destination."""

    file: int
    begin: int
    end: int
    crc: int


class Span(NamedTuple):
    """Bytes ``begin`` to ``end`` of a file."""

    file: int
    begin: int
    end: int


def windows(headers: Sequence[Header], check: Check, seed: int) -> list[Window]:
    """What to look at. Every tensor has a part in it; small ones, and all in a full check, are looked at whole."""
    random = Random(seed)  # noqa: S311 - no secret hangs on it
    return [
        Window(file, tensor.name, begin, end)
        for file, header in enumerate(headers if check is not Check.NONE else ())
        for tensor in header.tensors
        for begin, end in _parts(tensor.nbytes, check, random)
    ]


def _parts(nbytes: int, check: Check, random: Random) -> Iterator[tuple[int, int]]:
    if check is Check.FULL or nbytes < WINDOW:
        if nbytes:
            yield 0, nbytes
        return
    yield 0, EDGE
    for _ in range(max(1, nbytes // PER)):
        begin = random.randint(0, nbytes - WINDOW)
        yield begin, begin + WINDOW
    yield nbytes - EDGE, nbytes


def spans_of(wanted: Iterable[Window], headers: Sequence[Header]) -> list[Span]:
    """Where in their files the windows lie."""
    begins = [{t.name: header.nbytes + t.begin for t in header.tensors} for header in headers]
    return [Span(w.file, begins[w.file][w.tensor] + w.begin, begins[w.file][w.tensor] + w.end) for w in wanted]


def digests(loading: Loading, loaded: Loaded, wanted: Sequence[Window], headers: Sequence[Header]) -> list[Digest]:
    """Checksums of the windows from the destination; in the process that has loaded, outside the clock."""
    spans = spans_of(wanted, headers)
    if isinstance(loaded, Kept):
        return [Digest(*span, _crc_kept(loaded, window)) for span, window in zip(spans, wanted, strict=True)]
    assert isinstance(loaded, Streamed)
    if not wanted:
        return []
    watcher = Watcher(spans)
    # What the timed load has left goes first: the second load overwrites it.
    for left in loaded.left:
        watcher.whole(left)
    loading.load(Phases(), watcher)
    return watcher.digests


def _crc_kept(loaded: Kept[Any], window: Window) -> int:
    """The checksum of a window, a piece at a time: what comes from a device takes memory here."""
    crc = 0
    for begin in range(window.begin, window.end, _PIECE):
        piece = loaded.piece(window.file, window.tensor, begin, min(begin + _PIECE, window.end))
        crc = zlib.crc32(piece, crc)
    return crc


class Watcher:
    """Takes the checksums of whatever windows lie in a stretch, while the stretch is where it landed."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self.digests: list[Digest] = []
        self._spans: dict[int, list[Span]] = {}
        for span in sorted(set(spans)):
            self._spans.setdefault(span.file, []).append(span)
        self._begins = {file: [span.begin for span in spans] for file, spans in self._spans.items()}
        self._longest = {file: max(span.end - span.begin for span in spans) for file, spans in self._spans.items()}

    def __call__(self, file: int, begin: int, data: memoryview) -> None:
        """A stretch of the file has landed."""
        if file not in self._spans:
            return
        end = begin + len(data)
        begins = self._begins[file]
        first = bisect_right(begins, begin - self._longest[file])
        for span in self._spans[file][first : bisect_right(begins, end)]:
            low, high = max(begin, span.begin), min(end, span.end)
            if low < high:
                self.digests.append(Digest(file, low, high, zlib.crc32(data[low - begin : high - begin])))

    def whole(self, left: Left) -> None:
        """A stretch that still lies there from before."""
        self.digests.append(Digest(left.file, left.begin, left.begin + len(left.data), zlib.crc32(left.data)))


class Finding(NamedTuple):
    """What a comparison came to: bytes looked at, and the first that is wrong, in words; None where all are right."""

    checked: int
    wrong: str | None


def compared(descriptors: Sequence[int], wanted: Sequence[Span], found: Sequence[Digest]) -> Finding:
    """The checksums against the files', which are read here; and whether all that was asked for was looked at."""
    for digest in sorted(found, key=lambda digest: (digest.file, digest.begin)):
        try:
            same = _crc(descriptors[digest.file], digest.begin, digest.end) == digest.crc
        except ShortReadError as error:
            return Finding(0, str(error))
        if not same:
            return Finding(0, f"bytes {digest.begin} to {digest.end} of file {digest.file + 1} differ")
    if (missing := _uncovered(wanted, found)) is not None:
        return Finding(0, f"bytes {missing.begin} to {missing.end} of file {missing.file + 1} never arrived")
    return Finding(sum(end - begin for _, begin, end in _merged(Span(*_span(d)) for d in found)), None)


def _crc(descriptor: int, begin: int, end: int) -> int:
    crc, position = 0, begin
    while position < end:
        piece = os.pread(descriptor, min(end - position, _PIECE), position)
        if not piece:
            raise ShortReadError(f"the file ends at byte {position}, before byte {end}")
        crc = zlib.crc32(piece, crc)
        position += len(piece)
    return crc


def _span(digest: Digest) -> tuple[int, int, int]:
    return digest.file, digest.begin, digest.end


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Overlapping and touching spans as one."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and merged[-1].file == span.file and span.begin <= merged[-1].end:
            merged[-1] = merged[-1]._replace(end=max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def _uncovered(wanted: Sequence[Span], found: Sequence[Digest]) -> Span | None:
    """A span that was asked for and is not covered by what was looked at."""
    covered = _merged(Span(*_span(digest)) for digest in found)
    for span in wanted:
        place = bisect_right(covered, (span.file, span.begin, float("inf"))) - 1
        if place < 0 or covered[place].file != span.file or covered[place].end < span.end:
            return span
    return None
