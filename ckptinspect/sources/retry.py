"""Trying again: what may pass, how long to wait for it, and when to give up."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from ckptinspect.errors import SourceError


class TransientError(Exception):
    """A failure that may pass: the error to end with if it does not, and the seconds that the server asks for."""

    def __init__(self, error: SourceError, wait: float | None = None) -> None:
        super().__init__(error, wait)
        self.error = error
        self.wait = wait


class Retry(msgspec.Struct, frozen=True):
    """How often a transient failure is tried again, and after how many seconds.

    Pauses double from ``first_pause`` up to ``longest_pause`` and are jittered, so that sixteen reads that
    failed together do not return together. ``patience`` bounds what a server may ask for: the Hub's windows
    are 300 seconds long.
    """

    attempts: int = 5
    first_pause: float = 0.5
    longest_pause: float = 8.0
    patience: float = 330.0

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures, between half and all of the doubled pause."""
        longest = min(self.longest_pause, self.first_pause * 2.0 ** (failures - 1))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret


PATIENT = Retry()


class Allowance:
    """The seconds that one read may spend on the network. Waiting for a quota costs none of them."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.left = seconds

    @asynccontextmanager
    async def spending(self) -> AsyncIterator[None]:
        """Seconds inside are taken from what is left; TimeoutError when nothing is."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, self.left)):
                yield
        finally:
            self.left -= time.monotonic() - began

    async def pause(self, seconds: float) -> None:
        """A pause out of what is left; one that outlasts it ends with it."""
        try:
            async with self.spending():
                await asyncio.sleep(seconds)
        except TimeoutError:
            return
