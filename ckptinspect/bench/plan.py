"""What is going to be run: the methods, the states of the cache, and why the others are not."""

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import msgspec

from ckptinspect.bench.base import Cache, Method, Role
from ckptinspect.bench.files import MEMORY
from ckptinspect.bench.gpu.base import DeviceFacts
from ckptinspect.bench.memory import available
from ckptinspect.bench.subject import Skipped
from ckptinspect.bench.trial import Subject
from ckptinspect.bench.verify import Check
from ckptinspect.errors import RefError
from ckptinspect.text import bytes_text, quoted

ROUNDS = 7
MOST_ROUNDS = 21
_SPARED = 1.1


class Settings(msgspec.Struct, frozen=True):
    """What was asked for. ``rounds`` None: ROUNDS, and more while the intervals are wide and the budget lasts.

    ``methods`` and ``peers`` are names or globs; None for all. ``budget`` is in seconds.
    """

    device: str = "auto"
    methods: tuple[str, ...] | None = None
    peers: tuple[str, ...] | None = None
    caches: tuple[Cache, ...] = (Cache.COLD, Cache.WARM)
    rounds: int | None = None
    budget: float = 120.0
    threads: tuple[int, ...] = (1, 2, 4)
    chunk: int = 1 << 24
    max_bytes: int = 8 << 30
    check: Check = Check.SAMPLE
    evicts: bool = True
    numa: str = "auto"
    seed: int = 0


class Gpu(NamedTuple):
    """The device that was found, as ``cuda:N``, or why there is none."""

    spec: str | None
    facts: DeviceFacts | None
    why: str | None


class Plan(NamedTuple):
    """What is going to be run, and what is not. ``loads`` are the methods with the state that each is to find."""

    loads: tuple[tuple[Cache, Method], ...]
    limits: tuple[Method, ...]
    caches: tuple[Cache, ...]
    skipped: tuple[Skipped, ...]


NO_GPU = Gpu(None, None, None)
NOTHING = Plan((), (), (), ())


def planned(
    settings: Settings, subject: Subject, gpu: Gpu, methods: Sequence[Method], limits: Sequence[Method]
) -> Plan:
    """Choose among all methods by what was asked for and by what is here."""
    skipped: list[Skipped] = []
    chosen = []
    for method in _asked(settings, methods):
        why = _unfit(method, gpu, subject, by_name=settings.methods is not None)
        if why == "":
            continue
        if why is None:
            chosen.append(method)
        else:
            skipped.append(Skipped(method.name, None, None, why))
    caches = []
    for cache in settings.caches:
        if (why := _unreachable(cache, settings, subject)) is None:
            caches.append(cache)
        else:
            skipped.append(Skipped(None, cache, None, why))
    loads = []
    for cache, method in ((cache, method) for cache in caches for method in chosen):
        if (why := _out_of_place(cache, method, gpu, subject)) is None:
            loads.append((cache, method))
        elif why:
            skipped.append(Skipped(method.name, cache, None, why))
    bounds = tuple(limit for limit in limits if not limit.on_gpu or gpu.spec is not None)
    return Plan(tuple(loads), bounds, tuple(caches), tuple(skipped))


def _asked(settings: Settings, methods: Sequence[Method]) -> list[Method]:
    ours = [method for method in methods if method.role is Role.OURS]
    peers = [method for method in methods if method.role is Role.PEER]
    if settings.methods is not None:
        named = _matching(settings.methods, methods, lambda method: method.name)
        return named + [method for method in _peers(settings, peers, default=()) if method not in named]
    return ours + _peers(settings, peers, default=("*",))


def _peers(settings: Settings, peers: Sequence[Method], default: tuple[str, ...]) -> list[Method]:
    asked = default if settings.peers is None else settings.peers
    return _matching(asked, peers, lambda method: method.name.removeprefix("peer:"))


def _matching(patterns: Iterable[str], methods: Sequence[Method], name: Callable[[Method], str]) -> list[Method]:
    """The methods whose names match, in their own order. Raises RefError for a pattern that matches none."""
    found = []
    for pattern in patterns:
        matching = [method for method in methods if fnmatchcase(name(method), pattern)]
        if not matching and pattern != "*":
            there_are = ", ".join(map(name, methods))
            raise RefError(f"there is no method {quoted(pattern)}", hint=f"choose from {there_are}")
        found += matching
    return [method for method in methods if method in found]


def _unfit(method: Method, gpu: Gpu, subject: Subject, *, by_name: bool) -> str | None:
    """Why a method cannot be run; None where it can, empty where it is only not called for."""
    if gpu.spec is None and not method.on_cpu:
        wanted = by_name or method.role is Role.PEER
        return gpu.why or ("it loads to a GPU, and --device cpu was asked for" if wanted else "")
    if (why := method.unavailable()) is not None:
        return why
    if gpu.spec is not None and not method.on_gpu:
        return None if by_name else ""
    if gpu.facts is not None and method.on_gpu and gpu.facts.free < _SPARED * subject.tensor_bytes:
        return (
            f"the device has {bytes_text(gpu.facts.free)} free, and {bytes_text(subject.tensor_bytes)} are to be loaded"
        )
    return _too_large(_copied(method, gpu, subject))


def _out_of_place(cache: Cache, method: Method, gpu: Gpu, subject: Subject) -> str | None:
    """Why a method that can be run cannot with the cache in this state; empty where it only makes no sense."""
    if cache is not Cache.WARM:
        return None
    if method.bypasses_cache:
        return ""
    # What is loaded must fit beside the cached files, or it pushes them out.
    return _too_large(subject.nbytes + _copied(method, gpu, subject))


def _copied(method: Method, gpu: Gpu, subject: Subject) -> float:
    """Bytes of memory here that a load takes."""
    return 0 if gpu.spec is not None and method.on_gpu else method.copies * subject.tensor_bytes


def _too_large(nbytes: float) -> str | None:
    room = available()
    if room is None or not nbytes or nbytes * _SPARED <= room:
        return None
    return f"it takes {bytes_text(int(nbytes))} of memory with 10% to spare, and {bytes_text(room)} are available"


def _unreachable(cache: Cache, settings: Settings, subject: Subject) -> str | None:
    """Why there can be no round with the cache in this state."""
    if cache is Cache.WARM:
        return _too_large(subject.nbytes)
    if cache is Cache.COLD and not settings.evicts:
        return "nothing is evicted (--no-evict)"
    memory = {system.name for system in subject.file_systems} & MEMORY
    if cache is Cache.COLD and memory:
        return f"{min(memory)} has no backing device: warm only"
    return None
