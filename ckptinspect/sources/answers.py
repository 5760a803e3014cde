"""What an HTTP answer says: whether it redirects and where to, how large its body is, and its bounded body."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ckptinspect.errors import SourceError
from ckptinspect.sources.budget import Quota

if TYPE_CHECKING:
    from ckptinspect.sources.hub_library import httpx

_SMALL_BODY = 65_536
_LONGEST = 10**9
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def host_of(url: str) -> str:
    """The host of a URL, fit for a message: no user, no password, no query.

    >>> host_of("https://user:secret@cdn.example:8443/a?Signature=x")
    'cdn.example:8443'
    """
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return "the server"


def answering_host(response: "httpx.Response") -> str:
    """The host that gave the answer."""
    return host_of(str(response.request.url))


def redirects(response: "httpx.Response") -> bool:
    """Whether the answer is a redirect to somewhere."""
    return response.status_code in _REDIRECTS and "location" in response.headers


def redirect_target(response: "httpx.Response", where: str) -> str:
    """Where a redirect leads: http or https, and never from https to http."""
    from ckptinspect.sources.hub_library import httpx

    origin = response.request.url
    try:
        url = origin.join(response.headers["location"])
    except (httpx.InvalidURL, ValueError):
        raise SourceError("the server redirects to no valid address", where, "try again later") from None
    if url.scheme not in {"http", "https"} or (origin.scheme == "https" and url.scheme == "http") or not url.host:
        raise SourceError("the server redirects to an insecure address", where, "use another server")
    return str(url)


def header_number(response: "httpx.Response", name: str) -> int | None:
    """A header's non-negative integer; None where it is missing or holds none."""
    text = response.headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def quota_of(response: "httpx.Response") -> tuple[str, Quota] | None:
    """The bucket that a request counted against and what is left of it; None where the answer says nothing sound."""
    from ckptinspect.sources.hub_library import parse_ratelimit_headers

    try:
        said = parse_ratelimit_headers(response.headers)
    except ValueError:
        return None
    if said is None or max(said.remaining, said.reset_in_seconds, said.limit or 0, said.window_seconds or 0) > _LONGEST:
        return None
    return said.resource_type, Quota(said.remaining, said.reset_in_seconds, said.limit, said.window_seconds)


def encoded(response: "httpx.Response") -> bool:
    """Whether the body is compressed, so that its length on the wire is not the file's."""
    return response.headers.get("content-encoding", "").lower() not in {"", "identity"}


async def drain(response: "httpx.Response") -> None:
    """Read the small body of an answer that is done with, so that its connection can carry the next request."""
    received = 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        if received > _SMALL_BODY:
            return


async def whole_body(response: "httpx.Response", limit: int, where: str) -> bytes:
    """A whole body after decompression, or a SourceError as soon as it is larger than ``limit`` bytes."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise SourceError(f"the server's answer is larger than {limit} bytes", where, "check its address")
    return bytes(body)
