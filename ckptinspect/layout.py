"""Header and file size -> defects: do the tensors tile the file, and has each the size that its shape says?

The rules are those of ``Metadata::validate`` in the reference implementation (safetensors ``tensor.rs``
0.8.0): sorted by offsets, every tensor begins where the one before it ended, the first at 0, the last at the
end of the file; sizes are whole bytes, counted in unsigned 64-bit arithmetic that may not overflow.
"""

from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ckptinspect.dtypes import dtype_of
from ckptinspect.model import Defect, Shape
from ckptinspect.text import quoted

MAX_DEFECTS = 100
"""Defects told of one file. A hostile header could have a million of them."""

_WORD = 1 << 64
_MANY = 1 << 17
Span = tuple[int, int]


def size_defect(dtype: str, shape: Shape, nbytes: int) -> Defect | None:
    """What is wrong with ``nbytes`` for a tensor of this dtype and shape; None where they agree.

    >>> size_defect("F32", (2, 2), 12).message
    'F32[2, 2] takes 16 bytes, but its offsets span 12'
    """
    if nbytes < 0:
        return Defect("reversed-offsets", f"its offsets end {_bytes(-nbytes)} before they begin")
    bits = dtype_of(dtype).bits
    product = product_of(shape)
    if product is None:
        return Defect("overflow", f"{_shaped(dtype, shape)} has more elements than 64 bits can count")
    if bits is None:
        return Defect("unknown-dtype", f"the dtype {quoted(dtype)} is not in the format's table", fatal=False)
    total = product * bits
    if total >= _WORD:
        return Defect("overflow", f"{_shaped(dtype, shape)} has more bits than 64 bits can count")
    if total % 8:
        return Defect("sub-byte", f"{_shaped(dtype, shape)} takes {total} bits, which is no whole number of bytes")
    if total // 8 != nbytes:
        message = f"{_shaped(dtype, shape)} takes {_bytes(total // 8)}, but its offsets span {nbytes}"
        return Defect("size-mismatch", message)
    return None


def product_of(shape: Iterable[int]) -> int | None:
    """The elements, or None where the reference's left-to-right multiplication overflows 64 bits.

    >>> product_of((0, 2**63, 2)), product_of((2**63, 2, 0))
    (0, None)
    """
    product = 1
    for dim in shape:
        product *= dim
        if product >= _WORD:
            return None
    return product


def _shaped(dtype: str, shape: Shape) -> str:
    dims = ", ".join(map(str, shape[:8])) + (", …" if len(shape) > 8 else "")
    return f"{quoted(dtype, 20)[1:-1]}[{dims}]"


def _bytes(count: int) -> str:
    return f"{count} byte{'' if count == 1 else 's'}"


class Chain:
    """Spans that follow each other in the order in which they come, as nearly every header has them."""

    def __init__(self) -> None:
        self._end = 0
        self._unbroken = True

    def add(self, spans: Iterable[Span]) -> None:
        """Go on with these."""
        position = self._end
        for begin, end in spans:
            if begin != position:
                self._unbroken = False
                break
            position = end
        self._end = position

    def covers(self, room: int) -> bool:
        """Whether the spans so far are sure to tile ``room`` bytes, if none of them is reversed."""
        return self._unbroken and self._end == room


class Flaw(NamedTuple):
    """Where spans do not tile their file; ``span`` is the place of the span, None where it is the end of the file."""

    kind: str
    message: str
    span: int | None = None

    def named(self, name: str | None) -> Defect:
        """The defect that it is, told of the tensor of this name."""
        return Defect(self.kind, self.message if name is None else f"{quoted(name)} {self.message}", name)


def flaws(begins: "array[int]", ends: "array[int]", room: int) -> Iterator[Flaw]:
    """Why these spans do not tile ``room`` bytes; nothing where they do, if none is reversed (see size_defect).

    >>> [flaw.message for flaw in flaws(array("Q", [0, 6]), array("Q", [4, 8]), 8)]
    ['begins at 6, but no tensor holds the bytes from 4 on']
    """
    position = 0
    for index in _order(begins, ends):
        begin, end = begins[index], ends[index]
        if begin > position:
            yield Flaw("hole", f"begins at {begin}, but no tensor holds the bytes from {position} on", index)
        elif begin < position:
            yield Flaw("overlap", f"begins at {begin}, inside the tensor that ends at {position}", index)
        position = max(position, end)
    if position > room:
        yield Flaw("truncated", f"the tensors need {_bytes(position)} of data, but the file has {room}")
    elif position < room:
        yield Flaw("trailing-bytes", f"no tensor holds the last {_bytes(room - position)} of the file")


def _order(begins: "array[int]", ends: "array[int]") -> Iterable[int]:
    if len(begins) < _MANY:
        return sorted(range(len(begins)), key=lambda index: (begins[index], ends[index]))
    import numpy as np

    return map(int, np.lexsort((ends, begins)))
