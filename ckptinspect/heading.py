"""One file's header, as raw JSON: read as far as it takes, and refused before anything is allocated."""

from ckptinspect.errors import HeaderError
from ckptinspect.header import header_length
from ckptinspect.sources.base import Source

_ENOUGH_TO_RECOGNISE = 512


async def raw_header(source: Source, path: str, size: int) -> bytes:
    """The JSON of the header of a file of ``size`` bytes.

    Raises a SourceError, or a HeaderError that says what the file is instead.
    """
    first = await source.read(path, 0, min(size, source.first_read))
    length = await _length(source, path, first, size)
    raw = first[8 : 8 + length]
    if len(raw) < length:
        # Read into the one name: a header may be 100 MB, and a second copy of it serves nobody.
        raw += await source.read(path, 8 + len(raw), 8 + length)
    return raw


async def _length(source: Source, path: str, first: bytes, size: int) -> int:
    try:
        return header_length(first, size)
    except HeaderError:
        # It is something else: some more bytes tell what.
        return header_length(await beginning(source, path, size), size)


async def beginning(source: Source, path: str, size: int) -> bytes:
    """Enough of a file's first bytes to tell what it is."""
    return await source.read(path, 0, min(size, _ENOUGH_TO_RECOGNISE))
