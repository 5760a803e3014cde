"""Bytes -> Header, by the rules of the reference implementation (safetensors 0.8.0).

Two readers with one answer. The plain one (``plain.py``) decodes with msgspec what writers really write.
Whatever is not plain goes to the careful one (``careful.py``), which keeps every pair, knows each rule by
name, and words the errors.

Three declared differences to the reference: a duplicate name and white space before ``{`` are defects that
do not reject the file, and so is a dtype that is newer than the table.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple, Protocol

from ckptinspect.distinct import distinct, hashes_of, last_ones, repetitions
from ckptinspect.dtypes import dtype_of
from ckptinspect.errors import HeaderError
from ckptinspect.fold import templates
from ckptinspect.kinds import Kinds, Page, named
from ckptinspect.layout import MAX_DEFECTS, Chain, flaws, size_defect
from ckptinspect.magic import recognised
from ckptinspect.model import Defect, Header, Kind, KindKey, Tensor
from ckptinspect.plain import NOT_PLAIN, PlainHeader

MAX_LENGTH = 100_000_000
"""Longest header that the format allows, in bytes (``MAX_HEADER_SIZE`` of the reference)."""

Pages = Callable[[], Iterator[Page]]


class _Reading(Protocol):
    """A header as one of the two readers reads it. All but ``pages`` stands once those have been read."""

    metadata: Mapping[str, str]
    defects: list[Defect]

    @property
    def single(self) -> bool:
        """Whether the pages are one in which no name comes twice."""

    def pages(self) -> Iterator[Page]:
        """The tensors, from the first on whenever they are asked for."""


class _Wanted(NamedTuple):
    """What of a header to keep."""

    names: bool
    apart: tuple[str, ...]
    hashed: bool


def header_length(first: bytes, size: int) -> int:
    """The N of a file from its first bytes (8 or more, where it has them) and its size in bytes.

    Raises HeaderError before anything is allocated: for a file that is too small, for an N beyond the file
    or beyond the format's limit, and in words of its own for what is no safetensors file at all.
    """
    if size < 8 or len(first) < 8:
        what = f"a safetensors header takes at least 8 bytes, but the file has {size}"
        raise _rejected(HeaderError(what), first)
    length = int.from_bytes(first[:8], "little")
    if length > MAX_LENGTH:
        what = f"the header claims {length} bytes, over the format's limit of {MAX_LENGTH}"
        raise _rejected(HeaderError(what), first)
    if 8 + length > size:
        what = f"the header claims {length} bytes, but only {size - 8} follow in the file"
        raise _rejected(HeaderError(what), first, framed=True)
    return length


def parse_header(
    raw: bytes, size: int, *, names: bool = True, apart: tuple[str, ...] = (), hashed: bool = False
) -> Header:
    """The header whose JSON is ``raw``, in a file of ``size`` bytes.

    Without ``names`` the JSON is let go and only kinds of tensors are kept; ``apart`` are marks of names whose
    digits matter (see ``fold.templates``); ``hashed`` keeps a hash of every name. Raises HeaderError for what is
    no legal header; what is wrong with the layout of a legal one is in its ``defects``, what is fatal first.
    """
    try:
        return _header(raw, size, PlainHeader(raw), _Wanted(names, apart, hashed))
    except NOT_PLAIN:
        pass
    from ckptinspect.careful import CarefulHeader

    try:
        return _header(raw, size, CarefulHeader(raw), _Wanted(names, apart, hashed))
    except HeaderError as error:
        raise _rejected(error, len(raw).to_bytes(8, "little") + raw[:64], framed=True) from None


def _rejected(error: HeaderError, first: bytes, *, framed: bool = False) -> HeaderError:
    """The error in the words of what the file is instead, where its first bytes tell; else with what to try."""
    if (known := recognised(first, framed=framed)) is not None:
        return HeaderError(known.what, hint=known.hint)
    return HeaderError(error.what, error.where, "it is damaged or no safetensors file; fetch it again")


def tensors_in(raw: bytes) -> tuple[Tensor, ...]:
    """Every tensor of a header that ``parse_header`` has accepted, in its order; of a name twice, the last."""
    try:
        return _tensors(PlainHeader(raw).pages())
    except NOT_PLAIN:
        from ckptinspect.careful import CarefulHeader

        return _tensors(CarefulHeader(raw).pages())


def keys_in(raw: bytes, apart: tuple[str, ...] = ()) -> dict[str, KindKey]:
    """The kind of every tensor by its name, for less than the tensors themselves; ``apart`` as they were folded."""
    try:
        return _keys(PlainHeader(raw).pages(), apart)
    except NOT_PLAIN:
        from ckptinspect.careful import CarefulHeader

        return _keys(CarefulHeader(raw).pages(), apart)


def _keys(pages: Iterator[Page], apart: tuple[str, ...]) -> dict[str, KindKey]:
    found: dict[str, KindKey] = {}
    for page in pages:
        folded = map(bytes.decode, templates(page.names, apart))
        sizes = [end - begin for begin, end in page.spans]
        found.update(zip(page.names, zip(folded, page.dtypes, page.shapes, sizes, strict=True), strict=True))
    return found


def _tensors(pages: Iterator[Page]) -> tuple[Tensor, ...]:
    tensors: dict[str, Tensor] = {}
    for page in pages:
        for name, code, shape, (begin, end) in zip(*page, strict=True):
            tensors[name] = Tensor(name, dtype_of(code), shape, begin, end)
    return tuple(tensors.values())


class _Counted(NamedTuple):
    """What one pass over the tensors gives."""

    kinds: tuple[Kind, ...]
    defects: list[Defect]
    fatal: bool
    chain: Chain
    hashes: "array[int]"


def _header(raw: bytes, size: int, reading: _Reading, wanted: _Wanted) -> Header:
    pages: Pages = reading.pages
    counted = _counted(pages(), wanted.apart, hashed=wanted.hashed or not reading.single)
    defects = reading.defects.copy()
    if not reading.single and (kept := last_ones(counted.hashes)) is not None:
        pages = lambda: distinct(reading.pages(), kept)  # noqa: E731
        counted = _counted(pages(), wanted.apart, hashed=wanted.hashed)
        defects += islice(repetitions(reading.pages(), kept), MAX_DEFECTS)
    defects += counted.defects
    if counted.fatal:
        defects += islice(_size_defects(pages()), MAX_DEFECTS)
    room = size - 8 - len(raw)
    if not counted.chain.covers(room):
        defects += _tiling_defects(pages, room)
    return Header(
        length=len(raw),
        kinds=counted.kinds,
        metadata=reading.metadata,
        defects=tuple(sorted(defects, key=lambda defect: not defect.fatal)[:MAX_DEFECTS]),
        raw=raw if wanted.names else None,
        apart=wanted.apart,
        hashes=counted.hashes if wanted.hashed else (),
    )


def _counted(pages: Iterator[Page], apart: tuple[str, ...], *, hashed: bool) -> _Counted:
    kinds, chain, hashes = Kinds(apart), Chain(), hashes_of(())
    for page in pages:
        kinds.add(page)
        chain.add(page.spans)
        if hashed:
            hashes += hashes_of(page.names)
    return _Counted(kinds.kinds(), kinds.notices(), kinds.fatal, chain, hashes)


def _size_defects(pages: Iterator[Page]) -> Iterator[Defect]:
    """What makes a tensor's size wrong, tensor by tensor."""
    for page in pages:
        for name, code, shape, (begin, end) in zip(*page, strict=True):
            if (defect := size_defect(code, shape, end - begin)) is not None and defect.fatal:
                yield named(defect, name)


def _tiling_defects(pages: Pages, room: int) -> list[Defect]:
    """Where the tensors do not tile the file; nothing where they only stand in another order."""
    begins, ends = array("Q"), array("Q")
    for page in pages():
        begins.extend(begin for begin, _ in page.spans)
        ends.extend(end for _, end in page.spans)
    found = list(islice(flaws(begins, ends, room), MAX_DEFECTS))
    names = _names_at({flaw.span for flaw in found}, pages())
    return [flaw.named(None if flaw.span is None else names[flaw.span]) for flaw in found]


def _names_at(indices: set[int | None], pages: Iterator[Page]) -> dict[int, str]:
    """The names of the tensors that stand at these places of the header."""
    names: dict[int, str] = {}
    wanted = sorted(index for index in indices if index is not None)
    position = 0
    for page in pages:
        names |= {index: page.names[index - position] for index in wanted if 0 <= index - position < len(page.names)}
        position += len(page.names)
    return names
