"""What the trials amount to: medians beside the limits, ratios round by round, and what is no load at all."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from statistics import median

import msgspec

from ckptinspect.bench.base import Cache, Role
from ckptinspect.bench.bounds import Bounds, LimitSummary, bounds_of
from ckptinspect.bench.plan import Gpu
from ckptinspect.bench.statistics import Comparison, Spread, compared, spread_of
from ckptinspect.bench.trial import Subject, Trial
from ckptinspect.text import number_of

NARROW = 0.05
"""The half-width of a ratio's interval at which more rounds are not worth their time."""

_BASELINES = ("peer:safetensors", "safetensors-np", "mmap-gpu")


class Verdict(StrEnum):
    """What a method's rounds are worth."""

    MEASURED = "measured"
    UNPROVEN = "unproven"
    BYPASSES = "bypasses cache"
    IMPOSSIBLE = "IMPOSSIBLE: not a load"
    UNFINISHED = "not finished: copies were under way"
    WRONG = "wrong bytes: speed withheld"
    FAILED = "failed"


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


def summaries(trials: Sequence[Trial], subject: Subject, gpu: Gpu) -> list[Summary]:
    """Every method in every state, the fastest first."""
    bounds = bounds_of(trials, subject, gpu)
    tensors = max(1, sum(target.tensors for target in subject.targets))
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        if trial.role != Role.LIMIT:
            groups.setdefault((trial.cache, trial.method), []).append(trial)
    # A method that has brought wrong bytes once has no speed, whatever state the cache was in.
    wrong = {trial.method: trial for trial in trials if trial.bytes == "differ"}
    made = [
        _summary(group, wrong.get(group[0].method), _baseline(group[0], groups), bounds, tensors)
        for group in groups.values()
    ]
    order = list(Cache)
    return sorted(made, key=lambda s: (order.index(Cache(s.cache)), -(s.speed.median if s.speed else 0.0), s.method))


def _baseline(first: Trial, groups: Mapping[tuple[str, str], list[Trial]]) -> Sequence[Trial]:
    """The trials of the loader that most programs use, among those that did load."""
    names = [name for name in _BASELINES if _proved(groups.get((first.cache, name), ()))]
    return groups[first.cache, names[0]] if names and names[0] != first.method else ()


def _summary(
    group: Sequence[Trial], wrong: Trial | None, baseline: Sequence[Trial], bounds: Bounds, tensors: int
) -> Summary:
    first = group[0]
    counted = [trial for trial in group if trial.round]
    proved = _proved(counted)
    verdict, why = (Verdict.WRONG, wrong.error) if wrong is not None else _verdict(group, proved, bounds)
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
        bytes=_bytes(group) if wrong is None else wrong.bytes,
        noisy=sum(trial.contention is not None and trial.contention.noisy for trial in counted),
        above_limit=sum(bounds.above(trial) is not None for trial in kept),
    )


def _proved(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that ran in the state that was asked for."""
    return [trial for trial in trials if trial.error is None and trial.gbps is not None and trial.state == trial.cache]


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _bytes(group: Sequence[Trial]) -> str:
    return "unchecked" if any(trial.bytes == "unchecked" for trial in group) else "ok"


def _verdict(group: Sequence[Trial], proved: Sequence[Trial], bounds: Bounds) -> tuple[Verdict, str | None]:
    counted = [trial for trial in group if trial.round] or group
    ran = [trial for trial in counted if trial.gbps is not None]
    if not ran:
        return Verdict.FAILED, next((trial.error for trial in group if trial.error is not None), "it was not run")
    if (limit := _broken(ran, bounds)) is not None:
        return Verdict.IMPOSSIBLE, f"{_speed(ran)}, where {limit.limit} gives {limit.most:.2f} at most"
    if 2 * sum(trial.late for trial in ran) > len(ran):
        late = median(trial.late_seconds or 0.0 for trial in ran)
        return Verdict.UNFINISHED, f"{_speed(ran)}; it called itself done {1e3 * late:.1f} ms before they had ended"
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
