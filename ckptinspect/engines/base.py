"""The seam for engines: what an engine is given, and what it promises."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Protocol, TypeVar

import msgspec

from ckptinspect.errors import EngineError
from ckptinspect.sources.budget import Pace

B = TypeVar("B")
R = TypeVar("R")
B_contra = TypeVar("B_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)

MAX_DEATHS = 3
"""How often the workers that run one batch may die before the run is given up."""
DEFAULT_JOBS = 3
"""Batches in flight where nothing else bounds them: the next has begun when the one before it comes to its end."""


class Work(Protocol[B_contra, R_co]):
    """What is done with a batch. Picklable; the same batch twice gives the same, however far the first time got."""

    def opened(self, pace: Pace) -> AbstractAsyncContextManager[Callable[[B_contra], Awaitable[R_co]]]:
        """What does it, with the connections that the batches of one process share. ``pace`` is the whole run's."""


class Terms(msgspec.Struct, frozen=True):
    """How an engine is to run: ``jobs`` batches in flight, or as many as it thinks right; ``max_rps`` requests a
    second in all.
    """

    jobs: int | None = None
    max_rps: float | None = None


class Engine(ABC):
    """Runs batches somewhere, a bounded number of them at once, at one pace.

    An engine that runs on other machines finds them by its own convention (``RAY_ADDRESS``,
    ``DASK_SCHEDULER_ADDRESS``); credentials are those of the workers' own environment.
    """

    name: ClassVar[str]

    def __init__(self, terms: Terms | None = None) -> None:
        self.terms = terms or Terms()

    @abstractmethod
    def map(self, work: Work[B, R], batches: Iterable[B]) -> Iterator[R]:
        """What the work gives for each batch, in the order in which it is done.

        Lazy: batches are taken as there is room for them, so that they may be endless, and closing the iterator
        gives up what is in flight. A worker that dies loses nothing, since what it had is done again. Raises what
        the work raised, EngineError where workers die of the same batch again and again, and UnavailableError
        where a package is missing.
        """


def died_too_often(deaths: int, batch: object) -> EngineError:
    """The error of a batch that workers die of."""
    where = getattr(batch, "name", None)
    hint = "look at the workers' logs and their memory, then run the same command again: it goes on"
    return EngineError(f"its workers died {deaths} times", where, hint)


def first(batches: Iterator[B], count: int) -> Iterator[B]:
    """The next ``count`` batches, or as many as there are."""
    for _ in range(count):
        try:
            yield next(batches)
        except StopIteration:
            return
