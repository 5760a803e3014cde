"""Bytes -> Header, by the rules of the reference implementation (safetensors 0.8.0).

Two readers with one answer. The plain one decodes with msgspec, page by page, what writers really write:
no escapes, metadata first. It counts quotation marks to prove that nothing was dropped, since msgspec keeps
the last of two equal keys. Whatever is not plain goes to the careful one (``careful.py``), which keeps every
pair, knows each rule by name, and words the errors.

Three declared differences to the reference: a duplicate name and white space before ``{`` are defects that
do not reject the file, and so is a dtype that is newer than the table.
"""

import re
from codecs import getincrementaldecoder
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from ckptinspect.dtypes import dtype_of
from ckptinspect.errors import HeaderError
from ckptinspect.layout import MAX_DEFECTS, size_defect, tiles, tiling_defects
from ckptinspect.magic import recognised
from ckptinspect.model import Defect, Header, Kind, Shape, Tensor
from ckptinspect.text import quoted

MAX_LENGTH = 100_000_000
"""Longest header that the format allows, in bytes (``MAX_HEADER_SIZE`` of the reference)."""

_PAGE = 256 * 1024
_MAX_METADATA = 10_000_000
_DIGITS = b"0123456789"
_METADATA = re.compile(rb'\{\s*"__metadata__"\s*:\s*(null|\{[^{}]*\})\s*(,|\}\s*$)')
_SEAM = re.compile(rb'\}[ \t\n\r]*,[ \t\n\r]*(?=")')
# A plain entry has ten quotation marks: two around its name, eight around three keys and the dtype.
_QUOTES = 10


class _Entry(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    dtype: str
    shape: Shape
    data_offsets: tuple[int, int]


class _NotPlainError(Exception):
    """The header is legal or not, but not of the plain form."""


class Page(NamedTuple):
    """Some of a header's tensors, as columns of equal length."""

    names: list[str]
    dtypes: list[str]
    shapes: list[Shape]
    spans: list[tuple[int, int]]


class Parsed(NamedTuple):
    """A header that is sound as JSON: its pages, one at a time, and what was noticed on the way."""

    pages: Iterator[Page]
    metadata: Mapping[str, str]
    defects: list[Defect]


_entries = msgspec.json.Decoder(dict[str, _Entry])
_strings = msgspec.json.Decoder(dict[str, str] | None)
_unread_strings = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)


def header_length(first: bytes, size: int) -> int:
    """The N of a file from its first bytes (8 or more, where it has them) and its size in bytes.

    Raises HeaderError before anything is allocated: for a file that is too small, for an N beyond the file
    or beyond the format's limit, and in words of its own for what is no safetensors file at all.
    """
    if size < 8 or len(first) < 8:
        raise _rejected(first, f"the file has {size} bytes, but a safetensors header takes at least 8")
    length = int.from_bytes(first[:8], "little")
    if length > MAX_LENGTH:
        raise _rejected(first, f"the header claims {length} bytes, over the format's limit of {MAX_LENGTH}")
    if 8 + length > size:
        raise _rejected(first, f"the header claims {length} bytes, but only {size - 8} follow in the file")
    return length


def parse_header(raw: bytes, size: int, *, names: bool = True) -> Header:
    """The header whose JSON is ``raw``, in a file of ``size`` bytes.

    Without ``names`` the JSON is let go and only kinds of tensors are kept. Raises HeaderError for what is
    no legal header; what is wrong with the layout of a legal one is in its ``defects``.
    """
    try:
        return _header(raw, size, _plain(raw), names)
    except (_NotPlainError, msgspec.MsgspecError, UnicodeDecodeError):
        pass
    from ckptinspect.careful import parse_carefully

    try:
        return _header(raw, size, parse_carefully(raw), names)
    except HeaderError as error:
        raise _rejected(raw, error.what, error.where) from None


def _rejected(first: bytes, what: str, where: str | None = None) -> HeaderError:
    if (known := recognised(first)) is not None:
        return HeaderError(known.what, hint=known.hint)
    return HeaderError(what, where, "it is damaged or no safetensors file; fetch it again")


def tensors_in(raw: bytes) -> tuple[Tensor, ...]:
    """Every tensor of a header that ``parse_header`` has accepted, in its order; of a name twice, the last."""
    try:
        tensors = tuple(_tensors(_plain(raw)))
    except (_NotPlainError, msgspec.MsgspecError, UnicodeDecodeError):
        from ckptinspect.careful import parse_carefully

        tensors = tuple(_tensors(parse_carefully(raw)))
    return tensors


def _tensors(parsed: Parsed) -> Iterator[Tensor]:
    for page in parsed.pages:
        for name, code, shape, (begin, end) in zip(*page, strict=True):
            yield Tensor(name, dtype_of(code), shape, begin, end)


def _plain(raw: bytes) -> Parsed:
    if raw[:1] != b"{" or b"\\" in raw or b"-0" in raw:
        raise _NotPlainError
    match = _METADATA.match(raw)
    if match is None:
        return Parsed(_pages(raw, 1), {}, [])
    metadata, defects = _metadata(raw, *match.span(1))
    if match[2] != b",":
        return Parsed(iter(()), metadata, defects)
    return Parsed(_pages(raw, match.end()), metadata, defects)


def _metadata(raw: bytes, begin: int, end: int) -> tuple[Mapping[str, str], list[Defect]]:
    if end - begin <= _MAX_METADATA:
        return _strings.decode(raw[begin:end]) or {}, []
    # Proven, not kept: a header may be 100 MB of metadata, and a second copy of it serves nobody.
    view = memoryview(raw)[begin:end]
    decoder = getincrementaldecoder("utf-8")()
    for start in range(0, len(view), _PAGE):
        decoder.decode(bytes(view[start : start + _PAGE]))
    if not all(bytes(memoryview(value)[:1]) == b'"' for value in (_unread_strings.decode(view) or {}).values()):
        raise _NotPlainError
    message = f"the metadata takes {end - begin} bytes and was not read"
    return {}, [Defect("metadata-too-large", message, fatal=False)]


def _pages(raw: bytes, begin: int) -> Iterator[Page]:
    """The entries from ``begin`` on, cut between two entries at about every 256 KiB."""
    seen: set[str] = set()
    while True:
        seam = _SEAM.search(raw, begin + _PAGE) if len(raw) - begin > 2 * _PAGE else None
        piece = raw[begin : seam.start() + 1] if seam else raw[begin:]
        entries = _entries.decode(b"{" + piece + (b"}" if seam else b""))
        if piece.count(b'"') != _QUOTES * len(entries) or "__metadata__" in entries:
            raise _NotPlainError
        if seam or seen:
            if not seen.isdisjoint(entries):
                raise _NotPlainError
            seen.update(entries)
        values = entries.values()
        yield Page(
            list(entries),
            [entry.dtype for entry in values],
            [entry.shape for entry in values],
            [entry.data_offsets for entry in values],
        )
        if seam is None:
            return
        begin = seam.end()


def _header(raw: bytes, size: int, parsed: Parsed, names: bool) -> Header:
    room = size - 8 - len(raw)
    counts: Counter[tuple[bytes, str, Shape, int]] = Counter()
    examples: dict[tuple[bytes, str, Shape, int], str] = {}
    spans: list[tuple[int, int]] = []
    for page in parsed.pages:
        lengths = [end - begin for begin, end in page.spans]
        keys = list(zip(_templates(page.names), page.dtypes, page.shapes, lengths, strict=True))
        counts.update(keys)
        examples.update(zip(reversed(keys), reversed(page.names), strict=True))
        spans += page.spans
    defects = list(parsed.defects)
    wrong = {key: defect for key in counts if (defect := _kind_defect(key)) is not None}
    if any(defect.fatal for defect in wrong.values()) or not tiles(spans, room):
        if min(map(min, spans), default=0) < 0:
            raise _NotPlainError
        defects += _explained(raw, room)
    else:
        defects += [_named(defect, examples[key]) for key, defect in wrong.items()]
    kinds = tuple(
        Kind(template.decode(), dtype_of(code), shape, nbytes, count, examples[template, code, shape, nbytes])
        for (template, code, shape, nbytes), count in counts.items()
    )
    return Header(len(raw), kinds, parsed.metadata, tuple(defects[:MAX_DEFECTS]), raw if names else None)


def _templates(names: list[str]) -> list[bytes]:
    """The names without their digits, all at once where no name holds the separator."""
    templates = "\n".join(names).encode().translate(None, _DIGITS).split(b"\n")
    if len(templates) != len(names):
        return [name.encode().translate(None, _DIGITS) for name in names]
    return templates


def _kind_defect(key: tuple[bytes, str, Shape, int]) -> Defect | None:
    _, code, shape, nbytes = key
    if min(shape, default=0) < 0 or max(shape, default=0) >= 1 << 64:
        raise _NotPlainError
    return size_defect(code, shape, nbytes)


def _named(defect: Defect, name: str) -> Defect:
    return Defect(defect.kind, f"{quoted(name)}: {defect.message}", name, defect.fatal)


def _explained(raw: bytes, room: int) -> list[Defect]:
    """The layout's defects one by one, for the few headers that have any."""
    tensors = tensors_in(raw)
    found = [
        _named(defect, tensor.name)
        for tensor in tensors
        if (defect := size_defect(tensor.dtype.code, tensor.shape, tensor.nbytes)) is not None
    ]
    names = [tensor.name for tensor in tensors]
    found += tiling_defects(names, [(tensor.begin, tensor.end) for tensor in tensors], room)
    return sorted(found[:MAX_DEFECTS], key=lambda defect: not defect.fatal)
