"""Pacing: requests are spread over the server's windows before it has to refuse one.

The Hub says with every answer how much of the quota is left (``RateLimit: "api";r=489;t=189``, and
``RateLimit-Policy: "fixed window";"api";q=500;w=300``; https://huggingface.co/docs/hub/rate-limits).
"""

import time
from collections.abc import Callable

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
    """How many requests may be sent now; where that is none, how many seconds to wait before asking again."""

    granted: int
    wait: float


class _Window(msgspec.Struct):
    left: int
    ends: float
    quota: Quota
    guessed: bool = False


class Budget:
    """The requests that are left in each bucket (``api``, ``resolvers``), for every source that shares it.

    An engine that runs in several processes gives its workers a proxy with the same two methods.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    async def lease(self, bucket: str, count: int = 1) -> Lease:
        """Up to ``count`` requests of a bucket; all of them as long as nothing is known of it."""
        window = self._current(bucket)
        if window is None:
            return Lease(count, 0.0)
        granted = min(count, window.left)
        window.left -= granted
        return Lease(granted, 0.0 if granted else max(0.01, window.ends - self._clock()))

    async def observe(self, bucket: str, quota: Quota) -> None:
        """Take in what an answer said. Answers arrive out of order: within a window the least counts."""
        ends = self._clock() + quota.reset + _ROUNDING
        known = self._windows.get(bucket)
        if known is None or (not known.guessed and ends > known.ends + _SAME_WINDOW):
            self._windows[bucket] = _Window(quota.remaining, ends, quota)
        elif known.guessed or ends > known.ends - _SAME_WINDOW:
            self._windows[bucket] = _Window(min(known.left, quota.remaining), ends, quota)

    def _current(self, bucket: str) -> _Window | None:
        """The bucket's window; when it is over, a whole new one by the policy, until an answer says better."""
        window = self._windows.get(bucket)
        if window is None or self._clock() < window.ends:
            return window
        del self._windows[bucket]
        limit, length = window.quota.limit, window.quota.window
        if not limit or not length:
            return None
        fresh = _Window(limit, self._clock() + length, window.quota, guessed=True)
        self._windows[bucket] = fresh
        return fresh
