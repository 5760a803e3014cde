"""One file of a commit on the Hub: found by the Hub's redirect, checked against the listing, read by ranges."""

from functools import partial
from typing import TYPE_CHECKING

from ckptinspect.errors import AccessError, ShortReadError
from ckptinspect.sources.answers import drain, header_number, redirect_target, redirects
from ckptinspect.sources.base import File
from ckptinspect.sources.failures import too_many_redirects
from ckptinspect.sources.http import MAX_REDIRECTS
from ckptinspect.sources.hub_client import HubClient
from ckptinspect.sources.hub_refusals import Subject, hub_refusal
from ckptinspect.sources.ranges import MAX_UNRANGED, Piece, full_body, ranged_body
from ckptinspect.sources.retry import Allowance, TransientError
from ckptinspect.text import escaped

if TYPE_CHECKING:
    from ckptinspect.sources.hub_library import httpx

_EXPIRED = frozenset({400, 401, 403, 404, 410})
_LATER = "try again later"


class HubFile:
    """Reads ranges of a file; remembers the signed address that the Hub gave, so that a next range is one request."""

    def __init__(self, client: HubClient, subject: Subject, file: File) -> None:
        self._client = client
        self._subject = subject
        self._file = file
        self._start = subject.repo.file_url(subject.endpoint, subject.revision, file.path)
        self._signed: str | None = None
        if client.http.direct and not _large(file):
            self._signed = subject.repo.small_file_url(subject.endpoint, subject.revision, file.path)

    async def read(self, begin: int, end: int) -> bytes:
        """Exactly these bytes. A small file comes whole and compressed, which costs less than ranges would."""
        piece = Piece(self._file.path, begin, end, self._file.size)
        if _large(self._file) or (self._file.size > MAX_UNRANGED and piece.length < self._file.size):
            return await self._client.http.until_done(partial(self._attempt, piece, ranged=True), piece.length)
        return await self._client.http.until_done(partial(self._attempt, piece, ranged=False), self._file.size)

    async def _attempt(self, piece: Piece, allowance: Allowance, *, ranged: bool) -> bytes:
        """By the signed address, if there is one; when that has expired, once more from the start."""
        begun, self._signed = self._signed or self._start, None
        for url in (begun, self._start):
            data = await self._followed(url, piece, allowance, ranged=ranged)
            if data is not None:
                return data
        raise AccessError("the Hub's storage refuses the address that the Hub gives for it", piece.path, _LATER)

    async def _followed(self, url: str, piece: Piece, allowance: Allowance, *, ranged: bool) -> bytes | None:
        """The piece, by hand over every redirect; None where an address that the Hub has given holds no more."""
        headers = piece.headers if ranged else {}
        for _ in range(MAX_REDIRECTS + 1):
            async with self._client.answer(url, headers, allowance, piece.path) as response:
                if response.status_code < 400:
                    _check_pins(response, self._file, self._subject.revision)
                if redirects(response):
                    url = redirect_target(response, piece.path)
                    await drain(response)
                    continue
                if url != self._start and response.status_code in _EXPIRED:
                    self._client.http.direct = self._client.http.direct and _large(self._file)
                    return None
                if response.status_code not in {200, 206}:
                    raise hub_refusal(response, self._subject)
                data = await (ranged_body if ranged else full_body)(response, piece)
            self._signed = url if ranged and url != self._start else None
            return data
        raise too_many_redirects(piece.path)


def _large(file: File) -> bool:
    """Whether the Hub keeps the file outside of git, on its CDN, where ranges are served."""
    return file.digest is not None and file.digest.startswith("sha256:")


def _check_pins(response: "httpx.Response", file: File, commit: str) -> None:
    """What an answer says of commit, size and hash is what the listing said; a mirror may say nothing."""
    said = response.headers.get("x-repo-commit", commit)
    if said != commit:
        raise _mismatch(f"commit {escaped(said[:12])} instead of {commit[:12]}", file)
    size = header_number(response, "x-linked-size")
    if size is not None and size != file.size:
        raise _mismatch(f"a file of {size} bytes instead of {file.size}", file)
    hashed = response.headers.get("x-linked-etag", "").removeprefix("W/").strip('"')
    if hashed and _large(file) and f"sha256:{hashed}" != file.digest:
        raise _mismatch("a file with another hash than the listing's", file)


def _mismatch(what: str, file: File) -> TransientError:
    return TransientError(ShortReadError(f"the Hub answered with {what}", file.path, _LATER))
