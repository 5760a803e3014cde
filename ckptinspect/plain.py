"""The plain header reader: what writers really write, decoded by msgspec page by page.

Metadata first, no escapes in names, the three fields and no other. msgspec keeps the last of two equal keys,
so quotation marks are counted to prove that nothing was dropped. It reads negative zero as zero and white
space as it likes, so both are looked for before.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated

import msgspec

from ckptinspect.errors import HeaderError
from ckptinspect.kinds import Page
from ckptinspect.model import Defect

PAGE = 256 * 1024
"""Bytes of header that are decoded at once, or up to twice as many."""

_SPACE = re.compile(rb"[ \t\n\r]*+")
_METADATA = re.compile(rb'\{[ \t\n\r]*+"__metadata__"[ \t\n\r]*+:[ \t\n\r]*+')
_SHORT_METADATA = re.compile(rb"null|\{[^{}\\]{0,65536}+\}")
_NEXT = re.compile(rb'[ \t\n\r]*+(\}|,[ \t\n\r]*+(?="))')
_NEGATIVE = re.compile(rb"-[0-9]++[ \t\n\r]*+[],]")
_SEAM = re.compile(rb'\}[ \t\n\r]*+,[ \t\n\r]*+(?=")')
# A plain entry has ten quotation marks: two around its name, eight around three keys and the dtype.
_QUOTES = 10


class NotPlainError(Exception):
    """The header is legal or not, but not of the plain form."""


# The format's integers go to 2**64 - 1; msgspec compares up to here. The few beyond are for the careful reader.
_Integer = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Entry(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    dtype: str
    shape: tuple[_Integer, ...]
    data_offsets: tuple[_Integer, _Integer]


_entries = msgspec.json.Decoder(dict[str, _Entry])
_strings = msgspec.json.Decoder(dict[str, str] | None)

NOT_PLAIN = (NotPlainError, msgspec.MsgspecError, UnicodeDecodeError)
"""What reading a header that is not plain may raise, from the first page to the last."""


class PlainHeader:
    """A header of the plain form; whatever it raises is one of NOT_PLAIN."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.metadata: Mapping[str, str] = {}
        self.defects: list[Defect] = []
        self._end = raw.rfind(b"}")
        if raw[:1] != b"{" or _SPACE.fullmatch(raw, self._end + 1) is None:
            raise NotPlainError
        self._begin = self._entries_begin()
        if raw.find(b"\\", self._begin) >= 0 or self._negative():
            raise NotPlainError

    @property
    def single(self) -> bool:
        """Whether one page holds it all, so that no name can come twice unnoticed."""
        return self._end - self._begin <= 2 * PAGE

    def pages(self) -> Iterator[Page]:
        """The tensors; within a page, no name comes twice."""
        begin = self._begin
        while self._end - begin > 2 * PAGE:
            seam = _SEAM.search(self.raw, begin + PAGE, begin + 2 * PAGE)
            if seam is None:
                raise NotPlainError
            yield _page(self.raw[begin : seam.start() + 1])
            begin = seam.end()
        yield _page(self.raw[begin : self._end])

    def _negative(self) -> bool:
        minus = self.raw.find(b"-", self._begin)
        return minus >= 0 and _NEGATIVE.search(self.raw, minus) is not None

    def _entries_begin(self) -> int:
        """Read the metadata, and find where the tensors begin."""
        if (key := _METADATA.match(self.raw)) is None:
            return 1
        end = self._short_metadata(key.end()) or self._long_metadata(key.end())
        after = _NEXT.match(self.raw, end)
        if after is None:
            raise NotPlainError
        return after.start(1) if after[1] == b"}" else after.end()

    def _short_metadata(self, begin: int) -> int | None:
        if (short := _SHORT_METADATA.match(self.raw, begin)) is None:
            return None
        try:
            self.metadata = _strings.decode(short[0]) or {}
        except msgspec.MsgspecError:
            # Not JSON, or cut at a brace inside a string.
            return None
        return short.end()

    def _long_metadata(self, begin: int) -> int:
        from ckptinspect.careful import read_metadata

        try:
            self.metadata, self.defects, end = read_metadata(self.raw, begin)
        except HeaderError:
            raise NotPlainError from None
        return end


def _page(piece: bytes) -> Page:
    entries = _entries.decode(b"{%b}" % piece)
    if piece.count(b'"') != _QUOTES * len(entries) or "__metadata__" in entries:
        raise NotPlainError
    values = entries.values()
    return Page(
        list(entries),
        [entry.dtype for entry in values],
        [entry.shape for entry in values],
        [entry.data_offsets for entry in values],
    )
