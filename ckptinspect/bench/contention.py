"""Who else wanted the machine while a load ran: pressure, foreign processor time, time that the host took away."""

import os
import time
from typing import NamedTuple

import msgspec

from ckptinspect.bench.files import text_in

NOISY = 0.1
"""The share of the processors that others may take before a trial is called noisy."""


class Contention(msgspec.Struct, frozen=True):
    """Shares of the time that a load took; None where the kernel does not say.

    ``foreign`` and ``steal`` are of all processors; ``cpu_pressure`` and ``io_pressure`` are how long something
    waited for a processor, or for a disk, which a cold load itself does.
    """

    foreign: float | None
    steal: float | None
    cpu_pressure: float | None
    io_pressure: float | None

    @property
    def noisy(self) -> bool:
        """Whether others took enough to be felt."""
        return any(share is not None and share > NOISY for share in (self.foreign, self.steal))


class Reading(NamedTuple):
    """The kernel's counters at one moment."""

    seconds: float
    busy: float | None
    steal: float | None
    cpu_wait: float | None
    io_wait: float | None


def reading() -> Reading:
    """The counters now."""
    # user nice system idle iowait irq softirq steal (proc(5)), in ticks
    fields = text_in("/proc/stat").partition("\n")[0].split()[1:9]
    tick = os.sysconf("SC_CLK_TCK")
    values = [int(field) / tick for field in fields] if len(fields) == 8 else None
    return Reading(
        time.monotonic(),
        sum(values[:3]) + sum(values[5:7]) if values else None,
        values[7] if values else None,
        _waited("cpu"),
        _waited("io"),
    )


def _waited(what: str) -> float | None:
    """Seconds in which at least one task waited (``some`` of pressure stall information)."""
    for line in text_in(f"/proc/pressure/{what}").splitlines():
        kind, *fields = line.split()
        if kind == "some":
            return int(dict(field.split("=") for field in fields)["total"]) / 1e6
    return None


def between(before: Reading, after: Reading, own_cpu: float) -> Contention:
    """What others took between two readings, in which the load itself used ``own_cpu`` seconds of processors."""
    seconds = max(after.seconds - before.seconds, 1e-9)
    whole = seconds * (os.cpu_count() or 1)
    return Contention(
        foreign=_share(before.busy, after.busy, whole, own_cpu),
        steal=_share(before.steal, after.steal, whole),
        cpu_pressure=_share(before.cpu_wait, after.cpu_wait, seconds),
        io_pressure=_share(before.io_wait, after.io_wait, seconds),
    )


def _share(before: float | None, after: float | None, whole: float, less: float = 0.0) -> float | None:
    if before is None or after is None:
        return None
    return round(min(max(after - before - less, 0.0) / whole, 1.0), 4)
