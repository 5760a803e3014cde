"""How many threads to load with: settled by the limits in the warm-up, before anything counts."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence

from ckptinspect.bench.base import Cache, Destination, Method, Role
from ckptinspect.bench.trial import Trial

_CLOSE = 0.75


def limit_of(name: str) -> str:
    """The bound that a limit's method measures.

    >>> limit_of("limit-storage:direct"), limit_of("limit-memcpy")
    ('storage', 'memcpy')
    """
    return name.removeprefix("limit-").partition(":")[0]


def bound_on(method: Method, cache: Cache) -> str:
    """The bound whose number of threads a method takes."""
    if method.role is Role.LIMIT:
        return limit_of(method.name)
    return "storage" if cache is Cache.COLD else "memcpy"


def threads_for(method: Method, cache: Cache, known: Mapping[str, int], tried: Sequence[int]) -> int:
    """The number of threads for a method: that of its bound, the middle of those tried where that is not known yet.

    A cold load to new memory waits for the storage and for the memory's pages in turn, so twice as many keep
    both busy, if so many were tried.
    """
    number = known.get(bound_on(method, cache), sorted(tried)[len(tried) // 2])
    if method.destination is Destination.FRESH and cache is Cache.COLD:
        return max(number, min(2 * number, max(tried)))
    return number


def threads_by_bound(warm_up: Iterable[Trial], asked: Collection[int]) -> dict[str, int]:
    """For each bound the number of threads to go on with, of those that were asked for."""
    speeds: dict[str, dict[int, list[float]]] = {}
    for trial in warm_up:
        if trial.role == Role.LIMIT and trial.gbps is not None and trial.threads is not None and trial.threads in asked:
            speeds.setdefault(limit_of(trial.method), {}).setdefault(trial.threads, []).append(trial.gbps)
    return {bound: chosen(tried) for bound, tried in speeds.items()}


def chosen(speeds: Mapping[int, Sequence[float]]) -> int:
    """One thread a processor, unless another number was faster by more than a third in the mean.

    >>> chosen({1: [1.0, 3.0], 64: [9.0]}), chosen({1: [3.0], 64: [1.0]})
    (64, 1)
    """
    means = {threads: sum(found) / len(found) for threads, found in speeds.items()}
    close = [threads for threads, speed in means.items() if speed >= _CLOSE * max(means.values())]
    cpus = len(os.sched_getaffinity(0))
    return min(close, key=lambda threads: (abs(threads - cpus), threads))
