"""Pacing: requests are spread over the server's windows before it has to refuse one.

The Hub says with every answer how much of the quota is left (``RateLimit: "api";r=489;t=189``, and
``RateLimit-Policy: "fixed window";"api";q=500;w=300``; https://huggingface.co/docs/hub/rate-limits).
"""

import time
from collections.abc import Callable
from typing import Protocol

import msgspec

_SAME_WINDOW = 1.5
"""Two answers of one window name its end in whole seconds, so their ends differ by this much at most."""
_ROUNDING = 1.0
"""The server's seconds are whole; a second more is never too early."""


class Quota(msgspec.Struct, frozen=True):
    """What a server says of one bucket: requests left in this window, seconds to its end, and the policy."""

    remaining: int
    reset: float
    limit: int | None = None
    window: float | None = None


class Lease(msgspec.Struct, frozen=True):
    """How many requests may be sent, and in how many seconds; where that is none, when to ask again."""

    granted: int
    wait: float


class PaceLostError(Exception):
    """What keeps the pace cannot be asked any more, so that nothing more may be sent.

    No error of a source: it says nothing of what was to be read.
    """


class Pace(Protocol):
    """What keeps a pace: a Budget, or what stands for one that is kept in another process."""

    async def lease(self, bucket: str, count: int = 1) -> Lease:
        """Up to ``count`` requests of a bucket."""

    async def observe(self, bucket: str, quota: Quota | None) -> None:
        """The answer to a leased request: what it says of its bucket; None where it says nothing, or none came."""


class _Window(msgspec.Struct):
    left: int
    ends: float
    quota: Quota
    began: float | None = None
    """Set for a window that no answer has spoken of yet: where the one before it was over."""


class Budget:
    """The requests that are left in each bucket (``api``, ``resolvers``), for every source that shares it.

    ``max_rps`` bounds the requests of all buckets together, in requests a second. An engine that runs in several
    processes gives its workers a proxy with the same two methods.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, max_rps: float | None = None) -> None:
        self._clock = clock
        self._max_rps = max_rps
        self._free_at = 0.0
        self._windows: dict[str, _Window] = {}
        self._flying: dict[str, int] = {}

    async def lease(self, bucket: str, count: int = 1) -> Lease:
        """Up to ``count`` requests of a bucket; all of them as long as nothing is known of it."""
        window = self._current(bucket)
        granted = count if window is None else min(count, window.left)
        if window is not None and not granted:
            return Lease(0, max(0.01, window.ends - self._clock()))
        if window is not None:
            window.left -= granted
        self._flying[bucket] = self._flying.get(bucket, 0) + granted
        return Lease(granted, self._delay(granted))

    async def observe(self, bucket: str, quota: Quota | None) -> None:
        """Take in what an answer said. Answers arrive out of order: within a window the least counts.

        Requests in flight may be counted in what an answer says is left, or not yet: of a window that begins they
        are taken off, so that the server never has to refuse one.
        """
        flying = self._flying[bucket] = max(0, self._flying.get(bucket, 0) - 1)
        if quota is None:
            return
        ends = self._clock() + quota.reset + _ROUNDING
        known = self._windows.get(bucket)
        if known is None or (known.began is None and ends > known.ends + _SAME_WINDOW):
            self._windows[bucket] = _Window(max(0, quota.remaining - flying), ends, quota)
        elif known.began is not None:
            # Of the window before, whose end it names as over; or the first answer of this one.
            if ends - _ROUNDING >= known.began + min(_ROUNDING, (known.ends - known.began) / 2):
                self._windows[bucket] = _Window(min(known.left, quota.remaining), ends, quota)
        elif ends > known.ends - _SAME_WINDOW:
            # Whole seconds are rounded down: the earliest end that an answer names is the nearest to the true one.
            self._windows[bucket] = _Window(min(known.left, quota.remaining), min(known.ends, ends), quota)

    def quotas(self) -> dict[str, Quota]:
        """What servers have said last, by bucket."""
        return {bucket: window.quota for bucket, window in self._windows.items()}

    def _current(self, bucket: str) -> _Window | None:
        """The bucket's window; when it is over, a whole new one by the policy, until an answer says better."""
        window = self._windows.get(bucket)
        now = self._clock()
        if window is None or now < window.ends:
            return window
        del self._windows[bucket]
        limit, length = window.quota.limit, window.quota.window
        if not limit or not length:
            return None
        # What is still in flight may count against either window, and a worker that died leaves some for ever.
        left = max(1, limit - self._flying.pop(bucket, 0))
        fresh = _Window(left, now + length + _ROUNDING, window.quota, began=window.ends)
        self._windows[bucket] = fresh
        return fresh

    def _delay(self, count: int) -> float:
        """Seconds until so many requests may be sent, at no more than ``max_rps`` a second."""
        if self._max_rps is None:
            return 0.0
        now = self._clock()
        begin = max(now, self._free_at)
        self._free_at = begin + count / self._max_rps
        return begin - now
