"""A folder behind HTTP: ranges like the Hub's, sizes by a request for one byte, and no listing."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote, urlunsplit

from ckptinspect.errors import AccessError, FormatError, NotFoundError, RefError
from ckptinspect.index import MAX_BYTES, parse_index
from ckptinspect.sources.answers import answering_host, drain, redirect_target, redirects
from ckptinspect.sources.base import File, Source
from ckptinspect.sources.failures import refusal, too_many_redirects
from ckptinspect.sources.http import MAX_REDIRECTS, HttpClient
from ckptinspect.sources.hub_environment import request_headers
from ckptinspect.sources.ranges import Piece, ranged_body, total_size
from ckptinspect.sources.remote_store import Store
from ckptinspect.sources.remote_url import parts_of, shown
from ckptinspect.sources.retry import Allowance, Retry
from ckptinspect.text import quoted

if TYPE_CHECKING:
    from ckptinspect.sources.hub_library import httpx

_INDEX = ".safetensors.index.json"
_USUAL = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "config.json",
    "diffusion_pytorch_model.safetensors",
    "model.safetensors",
    "model.safetensors.index.json",
)


class HttpStore(Store):
    """The files of a folder URL, each at that URL, a slash and its path."""

    def __init__(self, source: Source, folder: str, name: str, timeout: float, retry: Retry) -> None:
        self._http = HttpClient(source, timeout, retry)
        _check_address(folder)
        self._folder = parts_of(folder)
        self._name = name
        self._indexes: dict[str, bytes] = {}
        self._at_once = asyncio.Semaphore(source.concurrency)

    async def close(self) -> None:
        await self._http.close()

    async def files(self) -> Iterable[File]:
        found = await self._present({self._name, "config.json"} if self._name else _USUAL)
        if self._name and self._name not in found:
            # Asked for by itself: why it cannot be had is the answer.
            found[self._name] = await self.size(self._name)
        if not found:
            what = "an HTTP server lists no files, and none of those that checkpoints have is there"
            raise NotFoundError(what, shown(urlunsplit(self._folder)), "name a safetensors file or an index in it")
        for path in [path for path in found if path.endswith(_INDEX)]:
            found |= await self._present(await self._shards(path, found[path]))
        return [File(path, size) for path, size in found.items()]

    async def size(self, path: str) -> int:
        return await self._http.until_done(partial(self._size, path), 1)

    async def read(self, path: str, begin: int, end: int) -> bytes:
        if path in self._indexes:
            return self._indexes[path][begin:end]
        piece = Piece(path, begin, end)
        return await self._http.until_done(partial(self._piece, piece), piece.length)

    async def _present(self, paths: Iterable[str]) -> dict[str, int]:
        """The sizes of those files that are there; a signature for one file refuses the others, which is no error."""

        async def size(path: str) -> int | None:
            async with self._at_once:
                try:
                    return await self.size(path)
                except (NotFoundError, AccessError):
                    return None

        wanted = sorted(paths)
        sizes = await asyncio.gather(*(size(path) for path in wanted))
        return {path: size for path, size in zip(wanted, sizes, strict=True) if size is not None}

    async def _shards(self, index: str, size: int) -> tuple[str, ...]:
        """The shards that an index names; none where it is broken, which its reader will say."""
        if size > MAX_BYTES:
            return ()
        body = await self.read(index, 0, size)
        self._indexes[index] = body
        try:
            return parse_index(body, index).shards
        except FormatError:
            return ()

    async def _size(self, path: str, allowance: Allowance) -> int:
        """By asking for the first byte: signed addresses allow a GET and refuse a HEAD."""
        async with self._answer(Piece(path, 0, 1), allowance) as response:
            if response.status_code in {200, 206, 416}:
                return total_size(response, path)
            raise refusal(response, answering_host(response), path)

    async def _piece(self, piece: Piece, allowance: Allowance) -> bytes:
        async with self._answer(piece, allowance) as response:
            if response.status_code in {200, 206}:
                return await ranged_body(response, piece)
            raise refusal(response, answering_host(response), piece.path)

    @asynccontextmanager
    async def _answer(self, piece: Piece, allowance: Allowance) -> "AsyncIterator[httpx.Response]":
        """The answer at the end of the redirects."""
        url = self._url(piece.path)
        headers = {**request_headers(token=False), **piece.headers}
        for _ in range(MAX_REDIRECTS + 1):
            async with self._http.answer(url, headers, allowance, piece.path) as response:
                if not redirects(response):
                    _check_type(response, piece.path)
                    yield response
                    return
                url = redirect_target(response, piece.path)
                await drain(response)
        raise too_many_redirects(piece.path)

    def _url(self, path: str) -> str:
        parts = self._folder
        return urlunsplit((parts.scheme, parts.netloc, f"{parts.path}/{quote(path)}", parts.query, ""))


def _check_address(url: str) -> None:
    """A RefError for a URL that the client which would ask for it cannot read: the one judge of addresses."""
    from ckptinspect.sources.hub_library import httpx

    try:
        httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise RefError("this is no valid URL", quoted(shown(url)), "check its host and its port") from None


def _check_type(response: "httpx.Response", path: str) -> None:
    """A page in place of a file: servers of single-page sites give one for every address."""
    kind = response.headers.get("content-type", "")
    if response.status_code == 200 and kind.startswith("text/html"):
        raise NotFoundError("the server gives a web page in place of this file", path, "check the address")
