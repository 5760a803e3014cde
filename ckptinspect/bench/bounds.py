"""The limits of a run, and what they say about a load: the tightest that it is under, and those that it breaks."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from ckptinspect.bench.base import Cache, Role
from ckptinspect.bench.cache_state import COLD, WARM
from ckptinspect.bench.files import REMOTE
from ckptinspect.bench.gpu.base import Link
from ckptinspect.bench.plan import Gpu
from ckptinspect.bench.statistics import Spread, spread_of
from ckptinspect.bench.trial import Subject, Trial
from ckptinspect.bench.tuning import limit_of

TOLERANCE = 1.05
"""How far above a limit a speed may be before it is impossible rather than lucky."""

_ORDER = ("storage", "memcpy", "h2d", "pcie")


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
