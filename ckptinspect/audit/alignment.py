"""Tensors that do not begin at a multiple of their element's bytes."""

from collections.abc import Iterator

from ckptinspect.model import Header, Tensor


def unaligned(header: Header) -> Iterator[Tensor]:
    """Those tensors, in the order of the header; none where names were not kept."""
    if header.raw is None or _aligned_at_a_glance(header):
        return
    for tensor in header.tensors:
        width = _width(tensor.dtype.bits)
        if tensor.nbytes and (header.nbytes + tensor.begin) % width:
            yield tensor


def _width(bits: int | None) -> int:
    """The bytes to align to; 1 for less than a byte, and where nothing is known."""
    return max(1, (bits or 8) // 8)


def _aligned_at_a_glance(header: Header) -> bool:
    """Whether every tensor begins at a multiple of the widest dtype, because all take multiples of it."""
    widest = max((_width(kind.dtype.bits) for kind in header.kinds), default=1)
    return header.nbytes % widest == 0 and all(kind.nbytes % widest == 0 for kind in header.kinds)
