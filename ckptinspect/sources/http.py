"""One HTTP request, done carefully: paced, timed, counted, never followed, and every way to fail in one sentence.

The session is huggingface_hub's (``get_async_session``), so proxies, certificates, offline mode and a custom
client are what the user has set for it. Its own client has no timeouts and follows redirects; here every
request has timeouts, and redirects are the caller's business, who decides where a token may go.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from ckptinspect.errors import UnavailableError, UnreachableError
from ckptinspect.sources.answers import host_of, quota_of
from ckptinspect.sources.budget import Budget, Pace
from ckptinspect.sources.failures import not_answered, transport_failure
from ckptinspect.sources.retry import Allowance, Retry, TransientError
from ckptinspect.text import escaped

if TYPE_CHECKING:
    from ckptinspect.sources.hub_library import httpx

T = TypeVar("T")
MAX_REDIRECTS = 5
_MEGABYTE = 1_000_000
_WORTH_TELLING = 5.0
_STORAGE = "storage"
"""The bucket of requests that no quota is known for; ``--max-rps`` counts them all the same."""

log = logging.getLogger("ckptinspect")


class Listings(Protocol):
    """Where listings are kept, by repository and commit, as the Hub gave them."""

    def listing(self, page: str, commit: str) -> bytes | None:
        """The listing of a commit."""

    def keep_listing(self, page: str, commit: str, raw: bytes) -> None:
        """Keep the listing of a commit."""


class Counted(Protocol):
    """For whom requests are made: it is told how many, and of how many bytes."""

    concurrency: int
    requests: int
    bytes_read: int


class Connections:
    """What the sources of one run share: a session, how many requests are in flight at once, the pace, and listings
    of commits, which never change. Whoever makes one closes it.

    ``direct`` says that small files may be asked for where the Hub is known to redirect to, which saves a request.
    ``apart`` says that storage, which is another host, has a session and ``most`` requests in flight of its own: a
    session looks at all of its connections for every request.
    """

    def __init__(self, pace: Pace | None = None, most: int = 16, listings: Listings | None = None) -> None:
        self.pace = pace or Budget()
        self.listings = listings
        self.direct = False
        self._gates = {storage: asyncio.Semaphore(most) for storage in (False, True)}
        self.buckets: dict[str, str] = {}
        self.told_until = 0.0
        self.apart = False
        self._sessions: dict[bool, httpx.AsyncClient] = {}

    def session(self, *, storage: bool) -> "httpx.AsyncClient":
        """The session, opened when it is first needed."""
        apart = storage and self.apart
        if apart not in self._sessions:
            self._sessions[apart] = _session()
        return self._sessions[apart]

    def gate(self, *, storage: bool) -> asyncio.Semaphore:
        """What lets so many requests at once through."""
        return self._gates[storage and self.apart]

    async def close(self) -> None:
        """Close the sessions; the next request would open another."""
        while self._sessions:
            await self._sessions.popitem()[1].aclose()


class HttpClient:
    """Sends requests for one source, or whatever counts them and their bytes.

    ``timeout`` is the seconds that a read may take for each started megabyte; half of it may pass in silence,
    so that a read survives one stall. ``shared`` are the connections of a run; without, they are the source's own.
    """

    def __init__(self, source: Counted, timeout: float, retry: Retry, shared: Connections | None = None) -> None:
        self._source = source
        self._timeout = timeout
        self._retry = retry
        self._own = shared is None
        self._connections = shared or Connections(most=source.concurrency)

    @property
    def direct(self) -> bool:
        """Whether to go around the redirects of small files, as long as that works."""
        return self._connections.direct

    @direct.setter
    def direct(self, works: bool) -> None:
        self._connections.direct = works

    async def close(self) -> None:
        """Close the session, unless others share it."""
        if self._own:
            await self._connections.close()

    async def until_done(
        self, attempt: Callable[[Allowance], Awaitable[T]], nbytes: int, attempts: int | None = None
    ) -> T:
        """What ``attempt``, which reads ``nbytes``, gives in the end, or the error of its last transient failure.

        ``attempts`` is for what is not worth as many as usual, since there is another way.
        """
        most = min(self._retry.attempts, attempts or self._retry.attempts)
        allowance = Allowance(self._timeout * max(1, math.ceil(nbytes / _MEGABYTE)))
        failures = 0
        while True:
            try:
                return await attempt(allowance)
            except TransientError as failure:
                failures += 1
                if failures >= most or allowance.left <= 0:
                    raise failure.error from None
                asked = failure.wait
                where = failure.error.where
            if asked is None:
                await allowance.pause(self._retry.pause(failures))
            else:
                await self._wait(asked, where)

    @asynccontextmanager
    async def answer(
        self, url: str, headers: Mapping[str, str], allowance: Allowance, where: str, bucket: str | None = None
    ) -> "AsyncIterator[httpx.Response]":
        """The answer to a GET, whatever its status, with its body unread.

        What goes wrong on the way, also while the caller reads the body, is a TransientError or a SourceError.
        """
        from ckptinspect.sources.hub_library import httpx

        response: httpx.Response | None = None
        try:
            async with self._turn(bucket, where) as turn, allowance.spending():
                response = await self._sent(url, headers, storage=bucket is None)
                try:
                    await turn.settle(response)
                    yield response
                finally:
                    self._source.bytes_read += response.num_bytes_downloaded
                    await response.aclose()
        except TimeoutError:
            raise TransientError(not_answered(host_of(url), allowance.seconds, where)) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            silence = self._timeout / 2
            raise transport_failure(error, host_of(url), where, silence, begun=response is not None) from None

    async def _sent(self, url: str, headers: Mapping[str, str], *, storage: bool) -> "httpx.Response":
        from ckptinspect.sources.hub_library import httpx

        session = self._connections.session(storage=storage)
        timeout = httpx.Timeout(self._timeout / 2, pool=self._timeout)
        request = session.build_request("GET", url, headers=headers, timeout=timeout)
        self._source.requests += 1
        return await session.send(request, stream=True, follow_redirects=False)

    @asynccontextmanager
    async def _turn(self, bucket: str | None, where: str) -> "AsyncIterator[_Turn]":
        """A place among the requests in flight, once the pace grants one.

        Nobody keeps a place while waiting for a quota: another bucket may have some left.
        """
        connections = self._connections
        while True:
            async with connections.gate(storage=bucket is None):
                name = connections.buckets.get(bucket or _STORAGE, bucket or _STORAGE)
                lease = await connections.pace.lease(name)
                if lease.granted:
                    if lease.wait:
                        await asyncio.sleep(lease.wait)
                    turn = _Turn(connections, bucket, name)
                    try:
                        yield turn
                    finally:
                        await turn.close()
                    return
            await self._wait(lease.wait, where)

    async def _wait(self, seconds: float, where: str | None) -> None:
        """Wait as long as the server asks for, or an UnreachableError where that is too long."""
        if seconds > self._retry.patience:
            what = f"the server asks to wait {seconds:.0f} s before the next request"
            raise UnreachableError(what, where, "try again later; with a token (HF_TOKEN) the Hub's quota is larger")
        now = time.monotonic()
        if seconds > _WORTH_TELLING and now >= self._connections.told_until:
            # Once, not once for each of sixteen reads: silence would look like a hang.
            self._connections.told_until = now + seconds
            log.warning("%s: the server's quota is used up; waiting %.0f s", escaped(where or ""), seconds)
        await asyncio.sleep(seconds)


class _Turn:
    """One leased request: whatever becomes of it, the pace hears of it once."""

    def __init__(self, connections: Connections, bucket: str | None, leased: str) -> None:
        self._connections = connections
        self._bucket = bucket
        self._leased: str | None = leased

    async def settle(self, response: "httpx.Response") -> None:
        """Tell the pace what the answer says of its quota; the answer's own name for the bucket counts."""
        said = None if self._bucket is None else quota_of(response)
        if self._bucket is None or said is None:
            return
        name, quota = said
        self._connections.buckets[self._bucket] = name
        if name == self._leased:
            self._leased = None
        await self._connections.pace.observe(name, quota)

    async def close(self) -> None:
        """Give the lease back, where no answer has."""
        if self._leased is not None:
            await self._connections.pace.observe(self._leased, None)


def _session() -> "httpx.AsyncClient":
    """A session by the user's settings, or the error of settings that make none possible."""
    from ckptinspect.sources.hub_library import get_async_session

    try:
        return get_async_session()
    except ImportError:
        raise UnavailableError(
            "a SOCKS proxy takes a package that is not installed", None, "pip install socksio"
        ) from None
    except (ValueError, OSError):
        hint = "check HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR"
        raise UnreachableError("the settings of the proxy or of the certificates are no good", None, hint) from None
