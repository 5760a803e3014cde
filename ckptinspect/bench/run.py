"""Rounds of loads in random order: the cache set for each, the limits taken in every round, the warmth given back."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from random import Random
from typing import NamedTuple, Protocol

import msgspec

from ckptinspect.bench import cache_state
from ckptinspect.bench.base import Cache, Job, Method
from ckptinspect.bench.bounds import LimitSummary, bounds_of, link_of
from ckptinspect.bench.files import FileSystem
from ckptinspect.bench.gpu.base import Link
from ckptinspect.bench.gpu.link import cpus_of
from ckptinspect.bench.host import Host, host, versions
from ckptinspect.bench.messages import Describe, Described
from ckptinspect.bench.methods import LIMITS, all_methods
from ckptinspect.bench.plan import MOST_ROUNDS, NO_GPU, NOTHING, ROUNDS, Gpu, Plan, Settings, planned
from ckptinspect.bench.process import FailedError, Process, Tick
from ckptinspect.bench.subject import Found, Skipped
from ckptinspect.bench.summary import Summary, settled, summaries
from ckptinspect.bench.trial import FileChangedError, Request, Subject, Trial, measure
from ckptinspect.bench.tuning import threads_by_bound, threads_for
from ckptinspect.errors import UnavailableError

_PROBE_SECONDS = 60.0


class Step(NamedTuple):
    """Where a run is: the round (0: warm-up) of how many, and the load in it."""

    round: int
    rounds: int
    cache: str
    method: str
    number: int
    total: int
    nbytes: int
    left: float | None


class Progress(Protocol):
    """Whom to tell how far a run is."""

    @property
    def watched(self) -> bool:
        """Whether anybody looks; if not, nothing is asked of a running load."""

    def begin(self, step: Step) -> None:
        """A load is about to start."""

    def tick(self, process: int) -> None:
        """It runs, in this process."""


class Outcome(msgspec.Struct, frozen=True):
    """All that a run has found."""

    settings: Settings
    host: Host
    gpu: Gpu
    found: Found
    file_systems: tuple[FileSystem, ...]
    trials: tuple[Trial, ...]
    limits: tuple[LimitSummary, ...]
    link: Link | None
    summaries: tuple[Summary, ...]
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]
    versions: dict[str, str]


def bench(
    found: Found,
    settings: Settings,
    progress: Progress,
    methods: Sequence[Method] | None = None,
    limits: Sequence[Method] | None = None,
) -> Outcome:
    """Measure how fast these files load. Raises UnavailableError where a device was asked for and is not there."""
    offered = all_methods() if methods is None else methods
    bounds = tuple(kind() for kind in LIMITS) if limits is None else limits
    gpu = _gpu(settings.device) if found.targets else NO_GPU
    with Subject(found.targets, found.headers) as subject:
        plan = planned(settings, subject, gpu, offered, bounds) if found.targets else NOTHING
        run = _Run(subject, settings, plan, gpu, progress)
        if found.targets:
            with _warmth_kept(subject, plan, run.warnings):
                run.all()
        return Outcome(
            settings=settings,
            host=host(),
            gpu=gpu,
            found=found,
            file_systems=tuple(subject.file_systems),
            trials=tuple(run.trials),
            limits=tuple(bounds_of(run.trials, subject, gpu).limits.values()),
            link=link_of(run.trials, gpu),
            summaries=tuple(summaries(run.trials, subject, gpu)),
            skipped=(*found.skipped, *plan.skipped, *run.skipped),
            warnings=(*found.warnings, *run.warnings),
            versions=versions(method.package for method in (*(method for _, method in plan.loads), *plan.limits)),
        )


def _gpu(device: str) -> Gpu:
    """The device to load to, looked at in a process of its own: a context stays with the process that opens it."""
    if device == "cpu":
        return NO_GPU
    spec = "cuda:0" if device == "auto" else device
    try:
        with Process() as process:
            return Gpu(spec, process.ask(Describe(spec), Described, _PROBE_SECONDS).facts, None)
    except FailedError as failure:
        if device != "auto":
            raise UnavailableError(str(failure)) from None
        return Gpu(None, None, f"no GPU: {failure}")


@contextmanager
def _warmth_kept(subject: Subject, plan: Plan, warnings: list[str]) -> Iterator[None]:
    """Whatever of the files was cached before the block is cached again behind it, as far as one may know it."""
    evicts = Cache.COLD in plan.caches
    if evicts and subject.residency().used is None:
        warnings.append("who does not own a file is not told what of it was cached: that is not brought back")
    ranges = [cache_state.cached_ranges(descriptor) if evicts else [] for descriptor in subject.descriptors]
    try:
        yield
    finally:
        for descriptor, parts in zip(subject.descriptors, ranges, strict=True):
            cache_state.warm(descriptor, parts)


class _Load(NamedTuple):
    """One load of a round."""

    cache: Cache
    method: Method
    threads: int


class _Run:
    """The rounds of one run, and what they leave."""

    def __init__(self, subject: Subject, settings: Settings, plan: Plan, gpu: Gpu, progress: Progress) -> None:
        self.subject = subject
        self.settings = settings
        self.plan = plan
        self.gpu = gpu
        self.progress = progress
        self.random = Random(settings.seed)  # noqa: S311 - an order, not a secret
        self.trials: list[Trial] = []
        self.skipped: list[Skipped] = []
        self.warnings: list[str] = []
        self.threads: dict[str, int] = {}
        self.failed: set[str] = set()
        self.began = time.monotonic()
        self.longest = 0.0

    def all(self) -> None:
        """The warm-up, then rounds until there are enough or the budget ends; stops where a file changes."""
        wanted = self.settings.rounds or ROUNDS
        most = self.settings.rounds or MOST_ROUNDS
        try:
            self._round(0, self._warm_up(), wanted)
            self.threads = threads_by_bound(self.trials, self.settings.threads)
            self._missing_limits()
            for number in range(1, most + 1):
                if number > 1 and self._elapsed + self.longest > self.settings.budget:
                    self._stopped_early(number - 1, wanted)
                    break
                if number > wanted and settled(self.trials, self.subject, self.gpu):
                    break
                began = time.monotonic()
                self._round(number, self._loads(), max(wanted, number))
                self.longest = max(self.longest, time.monotonic() - began)
        except FileChangedError as error:
            self.skipped.append(Skipped(None, None, error.where, error.what, error.kind))
            self.warnings.append(
                "stopped: what comes after the change of a file cannot be compared with what came before"
            )

    def _missing_limits(self) -> None:
        """Say which limits could not be taken: the guard, and the ratios, are without them."""
        errors = {trial.method: trial.error for trial in self.trials if trial.error is not None}
        for limit in self.plan.limits:
            if limit.name in self.failed:
                self.skipped.append(Skipped(limit.name, None, None, errors[limit.name] or ""))

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self.began

    def _stopped_early(self, done: int, wanted: int) -> None:
        if done < wanted:
            minutes = ceil((self._elapsed + (wanted - done) * self.longest) / 60)
            ended = f"stopped after {done} of {wanted} rounds: the budget of {self.settings.budget:.0f} s ended"
            self.warnings.append(f"{ended}; all of them take about --budget {minutes}m")

    def _warm_up(self) -> list[_Load]:
        """Every method once, and the limits with every number of threads, of which the best is taken."""
        loads = [load for load in self._loads() if load.method not in self.plan.limits]
        return loads + [
            _Load(cache, limit, threads) for cache, limit in self._limits() for threads in self._threads_tried(limit)
        ]

    def _threads_tried(self, limit: Method) -> tuple[int, ...]:
        """The numbers asked for. Memory is also copied by every processor, since a peer may load with as many."""
        if not limit.threaded:
            return self.settings.threads[:1]
        if limit.reads_files:
            return self.settings.threads
        return tuple(dict.fromkeys((*self.settings.threads, len(os.sched_getaffinity(0)))))

    def _limits(self) -> Iterator[tuple[Cache, Method]]:
        """The limits with the state in which they are taken: those that read no file once, in the last."""
        for limit in self.plan.limits:
            if not limit.reads_files:
                yield from ((cache, limit) for cache in self.plan.caches[-1:])
            elif Cache.COLD in self.plan.caches:
                yield Cache.COLD, limit

    def _loads(self) -> list[_Load]:
        both = (*self.plan.loads, *self._limits())
        loads = [_Load(cache, method, self._threads(method, cache)) for cache, method in both]
        return [load for load in loads if load.method.name not in self.failed]

    def _threads(self, method: Method, cache: Cache) -> int:
        if not method.threaded:
            return 1
        return threads_for(method, cache, self.threads, self.settings.threads)

    def _round(self, number: int, loads: Sequence[_Load], rounds: int) -> None:
        ordered = [
            load for cache in self.plan.caches for load in self._shuffled([x for x in loads if x.cache is cache])
        ]
        for order, load in enumerate(ordered, start=1):
            if load.method.name in self.failed:
                continue
            left = self._left(number, rounds, order / len(ordered))
            size = self.subject.nbytes if load.method.reads_files else 0
            self.progress.begin(Step(number, rounds, load.cache, load.method.name, order, len(ordered), size, left))
            trial = measure(self._request(number, order, load), self.subject, self._tick)
            self.trials.append(trial)
            if trial.error is not None and (number == 0 or trial.bytes == "differ"):
                # It would go wrong again: what it says stands in the report, and the time is for the others.
                self.failed.add(load.method.name)

    @property
    def _tick(self) -> Tick | None:
        return self.progress.tick if self.progress.watched else None

    def _shuffled(self, loads: list[_Load]) -> list[_Load]:
        self.random.shuffle(loads)
        return loads

    def _left(self, number: int, rounds: int, share: float) -> float | None:
        """About how long it will go on, once a round has shown how long one takes; never beyond the budget."""
        if not self.longest:
            return None
        by_rounds = self.longest * (rounds - number + 1 - share)
        return max(0.0, min(by_rounds, self.settings.budget - self._elapsed + self.longest))

    def _request(self, number: int, order: int, load: _Load) -> Request:
        on_gpu = load.method.on_gpu and self.gpu.spec is not None
        job = Job(
            method=load.method.place(),
            targets=self.subject.targets,
            device=self.gpu.spec or "cpu" if on_gpu else "cpu",
            threads=load.threads,
            chunk=self.settings.chunk,
            cpus=self._cpus(),
            poison=self.random.randint(1, 255),
        )
        seed = self.random.getrandbits(48)
        return Request(number, order, load.method, job, load.cache, self.settings.check, seed)

    def _cpus(self) -> tuple[int, ...]:
        """The processors to run on: those next to the device; none in particular where there is nothing to choose."""
        if self.settings.numa == "none":
            return ()
        if self.settings.numa != "auto":
            return cpus_of(int(self.settings.numa))
        facts = self.gpu.facts
        return cpus_of(facts.numa) if facts is not None and facts.numa is not None else ()
