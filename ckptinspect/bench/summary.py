"""What the trials amount to: medians beside the limits, ratios round by round, and what is no load at all."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from statistics import median
from typing import NamedTuple

import msgspec

from ckptinspect.bench.base import Cache, Role
from ckptinspect.bench.cache_state import COLD, WARM
from ckptinspect.bench.files import REMOTE
from ckptinspect.bench.gpu.base import Link
from ckptinspect.bench.plan import Gpu
from ckptinspect.bench.statistics import Comparison, Spread, compared, spread_of
from ckptinspect.bench.trial import Subject, Trial
from ckptinspect.bench.tuning import limit_of
from ckptinspect.text import number_of

TOLERANCE = 1.05
"""How far above a limit a speed may be before it is impossible rather than lucky."""
NARROW = 0.05
"""The half-width of a ratio's interval at which more rounds are not worth their time."""
IMPOSSIBLE = "IMPOSSIBLE: not a load"

_ORDER = ("storage", "memcpy", "h2d", "pcie")
_BASELINES = ("peer:safetensors", "safetensors-np", "mmap-gpu")


class Verdict(StrEnum):
    """What a method's rounds are worth."""

    MEASURED = "measured"
    UNPROVEN = "unproven"
    BYPASSES = "bypasses cache"
    IMPOSSIBLE = IMPOSSIBLE
    WRONG = "wrong bytes: speed withheld"
    FAILED = "failed"


class LimitSummary(msgspec.Struct, frozen=True):
    """One bound: its speed in each round (GB/s), and how it was taken."""

    limit: str
    how: str
    rounds: dict[int, float]
    speed: Spread | None

    @property
    def most(self) -> float:
        """The best of it that was seen, the warm-up included."""
        return max(self.rounds.values(), default=0.0)


class Summary(msgspec.Struct, frozen=True):
    """One method in one state of the cache.

    ``speed`` (GB/s) is of the rounds whose state was proved, None where the verdict says why there is none.
    ``of_limit`` and ``versus`` are ratios round by round, to ``limit`` and to ``baseline``; ``limit_comparison`` and
    ``comparison`` say what they show.
    """

    method: str
    role: str
    cache: str
    verdict: Verdict
    why: str | None
    rounds: int
    proved: int
    speed: Spread | None
    limit: str | None
    of_limit: Spread | None
    limit_comparison: Comparison | None
    baseline: str | None
    versus: Spread | None
    comparison: Comparison | None
    cpu_seconds_per_gb: float | None
    microseconds_per_tensor: float | None
    threads: int | None
    destination: str
    bytes: str
    noisy: int
    above_limit: int


class Bounds(NamedTuple):
    """All limits of a run by name, and what it takes to hold a load against them: the size of the files, and
    whether they lie on another machine.
    """

    limits: dict[str, LimitSummary]
    nbytes: int
    remote: bool

    def of(self, trial: Trial) -> tuple[str, float] | None:
        """The tightest limit that a proved load is under, measured in the same round."""
        names = {
            Cache.COLD: ("storage", "h2d") if trial.on_gpu else ("storage",),
            Cache.WARM: ("h2d", "memcpy") if trial.on_gpu else ("memcpy",),
        }.get(Cache(trial.state) if trial.state in set(Cache) else Cache.AS_IS, ())
        known = [(name, self.limits[name].rounds[trial.round]) for name in names if self._knows(name, trial.round)]
        return min(known, key=lambda pair: pair[1], default=None)

    def _knows(self, name: str, number: int) -> bool:
        return name in self.limits and number in self.limits[name].rounds

    def above(self, trial: Trial) -> str | None:
        """The limit that a load would have broken, by more than noise explains: above the best of it ever seen."""
        names = ["memcpy", *(("h2d", "pcie") if trial.on_gpu else ())]
        if _empty_cache(trial) and not self.remote:
            names.append("storage")
        speed = trial.gbps or 0.0
        return next((name for name in names if speed > TOLERANCE * self._most(name) > 0), None)

    def _most(self, name: str) -> float:
        return self.limits[name].most if name in self.limits else 0.0

    def impossible(self, trial: Trial) -> str | None:
        """The limit that a load has broken though nothing excuses it.

        Where the kernel counted every byte as read from the storage, the storage was faster for them than when its
        limit was taken, and the load was one.
        """
        name = self.above(trial)
        return None if name == "storage" and read_it_all(trial, self.nbytes) else name


def _empty_cache(trial: Trial) -> bool:
    used = trial.before.used if trial.before is not None else None
    return trial.cache == Cache.COLD and used is not None and used <= COLD


def read_it_all(trial: Trial, nbytes: int) -> bool:
    """Whether the kernel counted all of the files as read from the storage for this load."""
    return trial.storage_read_bytes is not None and trial.storage_read_bytes >= WARM * nbytes


def bounds_of(trials: Sequence[Trial], subject: Subject, gpu: Gpu) -> Bounds:
    """The limits that were measured, and the link's theory."""
    taken: dict[str, dict[int, tuple[float, str]]] = {}
    for trial in trials:
        if trial.role != Role.LIMIT or trial.gbps is None or not _counts(trial, subject.nbytes):
            continue
        best = taken.setdefault(limit_of(trial.method), {})
        best[trial.round] = max(best.get(trial.round, (0.0, "")), (trial.gbps, _how(trial)))
    found = {name: _limit(name, rounds) for name, rounds in taken.items()}
    link = link_of(trials, gpu)
    if link is not None and link.gbps is not None:
        how = f"theory of PCIe {link.generation} x{link.width}"
        found["pcie"] = LimitSummary("pcie", how, {0: link.gbps}, None)
    found = {name: found[name] for name in _ORDER if name in found}
    return Bounds(found, subject.nbytes, any(system.name in REMOTE for system in subject.file_systems))


def _counts(trial: Trial, nbytes: int) -> bool:
    """Whether a trial of a limit is one: of the storage only where all came from there."""
    return not trial.method.startswith("limit-storage") or read_it_all(trial, nbytes)


def _how(trial: Trial) -> str:
    if trial.method == "limit-h2d":
        return "page-locked memory to the device"
    what = {
        "limit-storage:direct": "direct reads",
        "limit-storage:buffered": "buffered reads",
        "limit-memcpy": "memory copied",
    }[trial.method]
    return f"{what}, {trial.threads} thread{'s' * (trial.threads != 1)}"


def _limit(name: str, rounds: dict[int, tuple[float, str]]) -> LimitSummary:
    counted = {number: how for number, (_, how) in rounds.items() if number} or {0: rounds[0][1]}
    ways = list(counted.values())
    usual = max(sorted(set(ways)), key=ways.count)
    speeds = {number: speed for number, (speed, _) in sorted(rounds.items())}
    return LimitSummary(name, usual, speeds, spread_of([speed for number, speed in speeds.items() if number]))


def link_of(trials: Iterable[Trial], gpu: Gpu) -> Link | None:
    """The link to the device: as it was while it copied; where nobody looked then, at its most."""
    links = [
        Link(int(trial.facts["pcie_generation"]), int(trial.facts["pcie_width"]))
        for trial in trials
        if "pcie_generation" in trial.facts
    ]
    if links or gpu.facts is None or gpu.facts.link is None:
        return max(links, key=lambda link: link.gbps or 0.0, default=None)
    link = gpu.facts.link
    return Link(link.most_generation or link.generation, link.most_width or link.width)


def summaries(trials: Sequence[Trial], subject: Subject, gpu: Gpu) -> list[Summary]:
    """Every method in every state, the fastest first."""
    bounds = bounds_of(trials, subject, gpu)
    tensors = max(1, sum(target.tensors for target in subject.targets))
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        if trial.role != Role.LIMIT:
            groups.setdefault((trial.cache, trial.method), []).append(trial)
    made = [_summary(group, _baseline(group[0], groups), bounds, tensors) for group in groups.values()]
    order = list(Cache)
    return sorted(made, key=lambda s: (order.index(Cache(s.cache)), -(s.speed.median if s.speed else 0.0), s.method))


def _baseline(first: Trial, groups: Mapping[tuple[str, str], list[Trial]]) -> Sequence[Trial]:
    """The trials of the loader that most programs use, among those that did load."""
    names = [name for name in _BASELINES if _proved(groups.get((first.cache, name), ()))]
    return groups[first.cache, names[0]] if names and names[0] != first.method else ()


def _summary(group: Sequence[Trial], baseline: Sequence[Trial], bounds: Bounds, tensors: int) -> Summary:
    first = group[0]
    counted = [trial for trial in group if trial.round]
    proved = _proved(counted)
    verdict, why = _verdict(group, proved, bounds)
    kept = proved if verdict is Verdict.MEASURED else []
    under = {trial.round: bound for trial in kept if (bound := bounds.of(trial)) is not None}
    names = [name for name, _ in under.values()]
    of_limit = spread_of([t.gbps / under[t.round][1] for t in kept if t.gbps and t.round in under])
    versus = _versus(kept, baseline)
    return Summary(
        method=first.method,
        role=first.role,
        cache=first.cache,
        verdict=verdict,
        why=why,
        rounds=len(counted),
        proved=len(proved),
        speed=spread_of([trial.gbps for trial in kept if trial.gbps]),
        limit=max(sorted(set(names)), key=names.count, default=None),
        of_limit=of_limit,
        limit_comparison=compared(of_limit) if of_limit is not None else None,
        baseline=baseline[0].method if versus is not None else None,
        versus=versus,
        comparison=compared(versus) if versus is not None else None,
        cpu_seconds_per_gb=_median([t.cpu_seconds / (t.nbytes / 1e9) for t in kept if t.cpu_seconds is not None]),
        microseconds_per_tensor=_median([1e6 * t.seconds / tensors for t in kept if t.seconds]),
        threads=(counted or group)[-1].threads,
        destination=first.destination,
        bytes=_bytes(group),
        noisy=sum(trial.contention is not None and trial.contention.noisy for trial in counted),
        above_limit=sum(bounds.above(trial) is not None for trial in kept),
    )


def _proved(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that ran in the state that was asked for."""
    return [trial for trial in trials if trial.error is None and trial.gbps is not None and trial.state == trial.cache]


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _bytes(group: Sequence[Trial]) -> str:
    said = {trial.bytes for trial in group}
    return "differ" if "differ" in said else ("unchecked" if "unchecked" in said else "ok")


def _verdict(group: Sequence[Trial], proved: Sequence[Trial], bounds: Bounds) -> tuple[Verdict, str | None]:
    if (wrong := next((trial for trial in group if trial.bytes == "differ"), None)) is not None:
        return Verdict.WRONG, wrong.error
    counted = [trial for trial in group if trial.round] or group
    ran = [trial for trial in counted if trial.gbps is not None]
    if not ran:
        return Verdict.FAILED, next((trial.error for trial in group if trial.error is not None), "it was not run")
    if (limit := _broken(ran, bounds)) is not None:
        return Verdict.IMPOSSIBLE, f"{_speed(ran)}, where {limit.limit} gives {limit.most:.2f} at most"
    if proved:
        return Verdict.MEASURED, _failures(counted)
    if all(trial.state == Verdict.BYPASSES for trial in ran):
        return Verdict.BYPASSES, _typical(ran)
    return Verdict.UNPROVEN, _typical(ran)


def _failures(counted: Sequence[Trial]) -> str | None:
    failed = [trial for trial in counted if trial.error is not None]
    return f"failed in {number_of(len(failed), 'round')}: {failed[0].error}" if failed else None


def _typical(ran: Sequence[Trial]) -> str:
    """The reason that most of the trials have, with the speed that it is about."""
    reasons = [trial.why or trial.state for trial in ran]
    return f"{_speed(ran)}; {max(sorted(set(reasons)), key=reasons.count)}"


def _speed(ran: Sequence[Trial]) -> str:
    return f"{median(trial.gbps or 0.0 for trial in ran):.2f} GB/s"


def _broken(ran: Sequence[Trial], bounds: Bounds) -> LimitSummary | None:
    """The limit that most of the loads have broken."""
    broken = [name for trial in ran if (name := bounds.impossible(trial)) is not None]
    if 2 * len(broken) <= len(ran):
        return None
    return bounds.limits[max(sorted(set(broken)), key=broken.count)]


def _versus(kept: Sequence[Trial], others: Sequence[Trial]) -> Spread | None:
    speeds = {trial.round: trial.gbps for trial in _proved(others)}
    return spread_of([t.gbps / speed for t in kept if t.gbps and (speed := speeds.get(t.round))])


def settled(trials: Sequence[Trial], subject: Subject, gpu: Gpu) -> bool:
    """Whether every ratio to a limit is known closely enough."""
    ratios = [summary.of_limit for summary in summaries(trials, subject, gpu) if summary.of_limit is not None]
    return all(ratio.interval is not None and ratio.interval.half_width <= NARROW for ratio in ratios)
