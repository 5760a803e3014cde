"""What stands under the name of a safetensors file whose header could not be read."""

from enum import StrEnum

from ckptinspect.audit.subject import WeightFile
from ckptinspect.errors import HeaderError
from ckptinspect.header import MAX_LENGTH
from ckptinspect.magic import recognised

_POINTER = b"version https://git-lfs"
_LARGEST_JSON = 1 << 31


class Content(StrEnum):
    """Each file is exactly one of these; each but the first has a rule of its own."""

    HEADER = "a header that can be read"
    UNREAD = "bytes that could not be had"
    EMPTY = "nothing"
    POINTER = "a Git LFS pointer"
    ZEROS = "zeros"
    FOREIGN = "a file of another kind"
    CUT = "the beginning of a header"
    OVERSIZED = "a header beyond the format's limit"
    INVALID = "a header that breaks the format's rules"


def content_of(weight: WeightFile) -> Content:
    """What the first bytes of a file say that it is."""
    if weight.header is not None:
        return Content.HEADER
    if not isinstance(weight.error, HeaderError):
        return Content.UNREAD
    first = weight.beginning
    if not weight.size:
        return Content.EMPTY
    if first.startswith(_POINTER):
        return Content.POINTER
    if not first[:8].strip(b"\0"):
        return Content.ZEROS
    return _framed(first, weight.size)


def _framed(first: bytes, size: int) -> Content:
    length = int.from_bytes(first[:8], "little")
    fits = size >= 8 and 8 + length <= size
    if recognised(first, framed=length <= MAX_LENGTH) is not None:
        return Content.FOREIGN
    if size < 8:
        return Content.CUT
    begins = first[8:9] in {b"{", b" ", b""}
    if length > MAX_LENGTH:
        return Content.OVERSIZED if begins and length < _LARGEST_JSON else Content.FOREIGN
    if not fits:
        return Content.CUT if begins else Content.FOREIGN
    return Content.INVALID
