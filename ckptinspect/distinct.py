"""Names that come twice: found by their hashes, since a header may hold millions of names; the last one counts."""

from array import array
from collections.abc import Iterable, Iterator
from itertools import compress

from ckptinspect.dtypes import DTYPES
from ckptinspect.kinds import Page, named
from ckptinspect.layout import size_defect
from ckptinspect.model import Defect
from ckptinspect.text import quoted

_PART = 1 << 17
_MAX_PARTS = 32
_INVERSE = bytes([1, 0]).ljust(256)


def hashes_of(names: Iterable[str]) -> "array[int]":
    """A hash of each name: 8 bytes where the name takes a hundred."""
    return array("q", list(map(hash, names)))


def last_ones(hashes: "array[int]") -> bytes | None:
    r"""For each name in order, 1 where it does not come again and 0 where it does; None where none comes twice.

    >>> last_ones(hashes_of(["a", "b", "a"])), last_ones(hashes_of("ab"))
    (b'\x00\x01\x01', None)
    """
    parts = min(_MAX_PARTS, 1 + len(hashes) // _PART)
    if sum(_different(hashes, part, parts) for part in range(parts)) == len(hashes):
        return None
    kept = bytearray(len(hashes))
    for part in range(parts):
        last = {value: index for index, value in enumerate(hashes) if value % parts == part}
        for index in last.values():
            kept[index] = 1
    return bytes(kept)


def _different(hashes: "array[int]", part: int, parts: int) -> int:
    """How many different hashes there are in one part of several, so that the set of them stays small."""
    return len(set(hashes) if parts == 1 else {value for value in hashes if value % parts == part})


def distinct(pages: Iterable[Page], kept: bytes) -> Iterator[Page]:
    """The pages without the tensors for which ``kept`` has a 0."""
    position = 0
    for page in pages:
        flags = kept[position : position + len(page.names)]
        position += len(page.names)
        yield Page(
            list(compress(page.names, flags)),
            list(compress(page.dtypes, flags)),
            list(compress(page.shapes, flags)),
            list(compress(page.spans, flags)),
        )


def repetitions(pages: Iterable[Page], kept: bytes) -> Iterator[Defect]:
    """What is wrong with the tensors that are left out: that they stand twice, and their dtype."""
    for page in distinct(pages, kept.translate(_INVERSE)):
        for name, code, shape, (begin, end) in zip(*page, strict=True):
            message = f"{quoted(name)} appears more than once; the last counts"
            yield Defect("duplicate-name", message, name, fatal=False)
            if code not in DTYPES and (defect := size_defect(code, shape, end - begin)) is not None:
                yield named(defect, name)
