"""Requests to the Hub and to where it redirects. The token goes to the Hub's own origins and nowhere else.

A file of the Hub is two hops away: ``/resolve/`` answers with a redirect, to a signed address of a CDN for a large
file, to ``/api/resolve-cache/`` for a small one. The commit, the size and the hash stand on the redirect alone
(``X-Repo-Commit``, ``X-Linked-Size``, ``X-Linked-ETag``), so a client that follows blindly never sees them.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ckptinspect.errors import SourceError
from ckptinspect.sources.answers import drain, redirect_target, redirects, whole_body
from ckptinspect.sources.failures import too_many_redirects
from ckptinspect.sources.http import MAX_REDIRECTS, HttpClient
from ckptinspect.sources.hub_environment import request_headers
from ckptinspect.sources.hub_refusals import Subject, hub_refusal
from ckptinspect.sources.retry import Allowance

if TYPE_CHECKING:
    from ckptinspect.sources.hub_library import httpx

Origin = tuple[str, str, int | None]
_AFTER_AUTHORITY = re.compile(r"[/?#]")
_HUB = ("https://huggingface.co", "https://hf.co")


class HubClient:
    """Asks for addresses of the Hub, and for those that it redirects to."""

    def __init__(self, http: HttpClient, endpoint: str) -> None:
        self.http = http
        self._trusted = frozenset(origin(url) for url in (endpoint, *_HUB))
        self._headers: dict[str, str] | None = None

    def trusts(self, url: str) -> bool:
        """Whether an address is the Hub's own, so that it may see the token."""
        return origin(url) in self._trusted

    @asynccontextmanager
    async def answer(
        self, url: str, headers: Mapping[str, str], allowance: Allowance, where: str
    ) -> "AsyncIterator[httpx.Response]":
        """The answer of one hop, with the token if the address is the Hub's."""
        if self._headers is None:
            self._headers = request_headers()
        trusted = self.trusts(url)
        sent = {name: value for name, value in self._headers.items() if trusted or name != "authorization"}
        bucket = bucket_of(url) if trusted else None
        async with self.http.answer(url, {**sent, **headers}, allowance, where, bucket) as response:
            yield response

    async def document(self, url: str, subject: Subject, limit: int, allowance: Allowance) -> bytes:
        """The JSON at an address of the Hub's API, of ``limit`` bytes at most; renamed repositories are followed."""
        for _ in range(MAX_REDIRECTS + 1):
            async with self.answer(url, {}, allowance, subject.where) as response:
                if redirects(response):
                    url = self._moved(response, subject.where)
                    await drain(response)
                    continue
                if response.status_code >= 400:
                    raise hub_refusal(response, subject)
                if response.status_code != 200 or "json" not in response.headers.get("content-type", "json"):
                    what = "the server's answer is no JSON"
                    raise SourceError(what, subject.where, "check HF_ENDPOINT and the proxy settings")
                return await whole_body(response, limit, subject.where)
        raise too_many_redirects(subject.where)

    def _moved(self, response: "httpx.Response", where: str) -> str:
        """Where a renamed repository lies: at the Hub, and asked for with what it was asked for before."""
        url = redirect_target(response, where)
        if not self.trusts(url):
            raise SourceError("the Hub redirects to another host", where, "check HF_ENDPOINT")
        query = response.request.url.query.decode("ascii")
        return url if urlsplit(url).query or not query else f"{url}?{query}"


def origin(url: str) -> Origin:
    """Scheme, host and port of an address, as the client that sends the request parses it.

    >>> origin("https://HF.co/a") == origin("https://hf.co:443/b"), origin("http://hf.co") == origin("https://hf.co")
    (True, False)
    """
    scheme, separator, rest = url.partition("://")
    return _origin(scheme + separator + _AFTER_AUTHORITY.split(rest, 1)[0])


@lru_cache(256)
def _origin(address: str) -> Origin:
    from ckptinspect.sources.hub_library import httpx

    try:
        parsed = httpx.URL(address)
    except httpx.InvalidURL:
        return "", "", None
    return parsed.scheme, parsed.host.lower(), parsed.port


def bucket_of(url: str) -> str:
    """Which quota of the Hub a request counts against (https://huggingface.co/docs/hub/rate-limits).

    >>> bucket_of("https://huggingface.co/gpt2/resolve/main/config.json"), bucket_of("https://huggingface.co/api/x")
    ('resolvers', 'api')
    """
    path = urlsplit(url).path
    if "/resolve/" in path or path.startswith("/api/resolve-cache/"):
        return "resolvers"
    return "api" if path.startswith("/api/") else "pages"
