"""A range of a file over HTTP: how to ask for it, and when an answer is exactly that and nothing else."""

import re
from typing import TYPE_CHECKING

import msgspec

from ckptinspect.errors import ShortReadError, SourceError
from ckptinspect.sources.answers import answering_host, encoded, header_number
from ckptinspect.sources.retry import TransientError
from ckptinspect.text import bytes_text

if TYPE_CHECKING:
    from ckptinspect.sources.hub_library import httpx

FIRST_READ = 131_072
"""Bytes worth asking for before a header's length is known: the whole header of 92 of 100 shards in the wild."""
MAX_UNRANGED = 1_000_000
"""Bytes that a server which ignores ranges may cost; without a bound, a header would cost the whole file."""
_LATER = "try again later"
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,19})")


class Piece(msgspec.Struct, frozen=True, gc=False):
    """The bytes ``begin`` to ``end`` of a file; ``size`` is the whole file's, where it is known."""

    path: str
    begin: int
    end: int
    size: int | None = None

    @property
    def length(self) -> int:
        """Bytes asked for."""
        return self.end - self.begin

    @property
    def headers(self) -> dict[str, str]:
        """What asks for it. Ranges of a compressed file would be ranges of other bytes, hence identity."""
        return {"Range": f"bytes={self.begin}-{self.end - 1}", "Accept-Encoding": "identity"}


async def ranged_body(response: "httpx.Response", piece: Piece) -> bytes:
    """Exactly the piece, from an answer of status 200 or 206; bytes that are fewer or others are an error."""
    if response.status_code == 206:
        _check_place(response, piece)
        return await _exactly(response, piece.length, piece.path)
    _check_unranged(response, piece)
    return (await _beginning(response, piece))[piece.begin :]


async def full_body(response: "httpx.Response", piece: Piece) -> bytes:
    """The piece out of a file that was asked for whole; the whole is as long as it has to be."""
    assert piece.size is not None
    return (await _exactly(response, piece.size, piece.path))[piece.begin : piece.end]


def total_size(response: "httpx.Response", where: str) -> int:
    """The whole file's size, as the answer to a request for a range tells it."""
    place = response.headers.get("content-range", "")
    if (match := _CONTENT_RANGE.fullmatch(place)) is not None and match[3] != "*":
        return int(match[3])
    if response.status_code == 416 and (match := _UNSATISFIED.fullmatch(place)) is not None:
        return int(match[1])
    length = header_number(response, "content-length")
    if response.status_code == 206 or length is None or encoded(response):
        raise SourceError("the server does not tell the file's size", where, "fetch the file and name the copy")
    return length


def _check_place(response: "httpx.Response", piece: Piece) -> None:
    """A 206 says which bytes it holds (RFC 9110, 14.4): they have to be the ones asked for."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
    total = int(match[3]) if match is not None and match[3] != "*" else None
    if total is not None:
        _check_size(response, total, piece)
    if match is None or (int(match[1]), int(match[2]) + 1) != (piece.begin, piece.end):
        raise TransientError(_other_bytes(response, "bytes other than those asked for", piece))


def _check_size(response: "httpx.Response", size: int, piece: Piece) -> None:
    """The file is as large as it has to be; where that is not known, at least as large as the piece needs."""
    if piece.size is not None and size != piece.size:
        raise TransientError(_other_bytes(response, f"a file of {size} bytes instead of {piece.size}", piece))
    if size < piece.end:
        raise ShortReadError(f"the file ends at byte {size}, before byte {piece.end}", piece.path, "fetch it again")


def _other_bytes(response: "httpx.Response", what: str, piece: Piece) -> ShortReadError:
    return ShortReadError(f"{answering_host(response)} sent {what}", piece.path, _LATER)


def _check_unranged(response: "httpx.Response", piece: Piece) -> None:
    """A 200 brings the file from its first byte: fine when the piece ends soon, else too dear."""
    length = None if encoded(response) else header_number(response, "content-length")
    if length is not None:
        _check_size(response, length, piece)
    if piece.end > MAX_UNRANGED:
        size = piece.size if piece.size is not None else length
        volume = "the whole file" if size is None else f"all {bytes_text(size)}"
        what = f"{answering_host(response)} ignores ranges and would send {volume}"
        raise SourceError(what, piece.path, "fetch the file and name the copy")


async def _beginning(response: "httpx.Response", piece: Piece) -> bytes:
    """The bytes up to the piece's end; the stream is left there."""
    body = bytearray()
    async for chunk in response.aiter_bytes(65_536):
        body += chunk
        if len(body) >= piece.end:
            return bytes(body[: piece.end])
    raise TransientError(_short(response, len(body), piece.end, piece.path))


async def _exactly(response: "httpx.Response", length: int, where: str) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > length:
            what = f"{answering_host(response)} sent more than the {length} bytes asked for"
            raise TransientError(ShortReadError(what, where, _LATER))
    if len(body) < length:
        raise TransientError(_short(response, len(body), length, where))
    return bytes(body)


def _short(response: "httpx.Response", got: int, wanted: int, where: str) -> ShortReadError:
    return ShortReadError(f"{answering_host(response)} sent {got} of {wanted} bytes", where, _LATER)
