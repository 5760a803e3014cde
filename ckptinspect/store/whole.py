"""All that is kept on this machine: the header cache, and runs that can be gone on with."""

import os
import shutil
from collections.abc import Iterator

from ckptinspect.errors import RefError
from ckptinspect.store.headers import CacheState, HeaderCache
from ckptinspect.store.place import cache_place
from ckptinspect.store.runs import Run, claimed, left_runs


def kept() -> tuple[CacheState, int]:
    """What the header cache holds, and how many runs can be gone on with."""
    with HeaderCache() as cache:
        return cache.state(), sum(1 for _ in _runs())


def clear() -> tuple[CacheState, int]:
    """Remove all of it, but runs that a process is at; what is left."""
    with HeaderCache() as cache:
        cache.clear()
    for run in list(_runs()):
        try:
            with claimed(run):
                shutil.rmtree(run.store, ignore_errors=True)
        except RefError:
            continue
    return kept()


def _runs() -> Iterator[Run]:
    folder = os.path.join(cache_place(), "runs")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        yield from left_runs(os.path.join(folder, name))
