"""Header and file size -> defects: do the tensors tile the file, and has each the size that its shape says?

The rules are those of ``Metadata::validate`` in the reference implementation (safetensors ``tensor.rs``
0.8.0): sorted by offsets, every tensor begins where the one before it ended, the first at 0, the last at the
end of the file; sizes are whole bytes, counted in unsigned 64-bit arithmetic that may not overflow.
"""

from collections.abc import Iterable, Iterator, Sequence

from ckptinspect.dtypes import dtype_of
from ckptinspect.model import Defect, Shape
from ckptinspect.text import quoted

MAX_DEFECTS = 100
"""Defects told of one file. A hostile header could have a million of them."""

_WORD = 1 << 64
Span = tuple[int, int]


def size_defect(dtype: str, shape: Shape, nbytes: int) -> Defect | None:
    """What is wrong with ``nbytes`` for a tensor of this dtype and shape; None where they agree.

    >>> size_defect("F32", (2, 2), 12).message
    'F32[2, 2] takes 16 bytes, but its offsets span 12'
    """
    if nbytes < 0:
        return Defect("reversed-offsets", f"the offsets end {-nbytes} bytes before they begin")
    bits = dtype_of(dtype).bits
    product = _product(shape)
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
        return Defect(
            "size-mismatch", f"{_shaped(dtype, shape)} takes {total // 8} bytes, but its offsets span {nbytes}"
        )
    return None


def _product(shape: Shape) -> int | None:
    """The elements, or None where the reference's left-to-right multiplication overflows."""
    product = 1
    for dim in shape:
        product *= dim
        if product >= _WORD:
            return None
    return product


def _shaped(dtype: str, shape: Shape) -> str:
    dims = ", ".join(map(str, shape[:8])) + (", …" if len(shape) > 8 else "")
    return f"{dtype}[{dims}]"


def tiles(spans: Iterable[Span], room: int) -> bool:
    """Whether sorted ``spans`` cover ``room`` bytes without hole or overlap."""
    ordered = sorted(spans)
    begins = [begin for begin, _ in ordered]
    ends = [end for _, end in ordered]
    return [*begins, room] == [0, *ends]


def tiling_defects(names: Sequence[str], spans: Sequence[Span], room: int) -> Iterator[Defect]:
    """Why ``spans`` do not tile ``room`` bytes of data, tensor by tensor."""
    position = 0
    for name, (begin, end) in sorted(zip(names, spans, strict=True), key=lambda pair: pair[1]):
        if end < begin:
            yield Defect("reversed-offsets", f"{quoted(name)} ends at {end}, before it begins at {begin}", name)
        elif begin > position:
            yield Defect("hole", f"bytes {position} to {begin} before {quoted(name)} belong to no tensor", name)
        elif begin < position:
            yield Defect(
                "overlap", f"{quoted(name)} begins at {begin}, inside the tensor that ends at {position}", name
            )
        position = max(position, end)
    if position > room:
        yield Defect("truncated", f"the tensors need {position} bytes of data, but the file has {room}")
    elif position < room:
        yield Defect("trailing-bytes", f"{room - position} bytes after the last tensor belong to none")
