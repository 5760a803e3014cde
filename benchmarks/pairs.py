"""Pairs of whole processes, in turn: medians, and the ratio pair by pair. Absolute times mean little; ratios hold."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple


class Run(NamedTuple):
    """One process: seconds of wall time, peak memory in bytes."""

    seconds: float
    peak: int


class Pair(NamedTuple):
    """Medians of a command and its baseline, and of their ratios pair by pair."""

    ours: Run
    baseline: Run
    time_ratio: float
    peak_ratio: float


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end; its output goes nowhere. Raises where it fails."""
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    begin = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean | dict(environment or {})
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} failed with {process.returncode}")
    return Run(seconds, usage.ru_maxrss * 1024)


def paired(
    ours: Sequence[str], baseline: Sequence[str], runs: int, environment: Mapping[str, str] | None = None
) -> Pair:
    """Run both ``runs`` times in turn, after one run of each that does not count."""
    run(ours, environment), run(baseline, environment)
    pairs = [(run(ours, environment), run(baseline, environment)) for _ in range(runs)]
    return Pair(
        Run(median(a.seconds for a, _ in pairs), int(median(a.peak for a, _ in pairs))),
        Run(median(b.seconds for _, b in pairs), int(median(b.peak for _, b in pairs))),
        median(a.seconds / b.seconds for a, b in pairs),
        median(a.peak / b.peak for a, b in pairs),
    )


def told(name: str, pair: Pair, against: str, bound: float, *, peak_bound: float | None = None) -> None:
    """Print a line: the ratio, its bound, and what stands behind it."""
    times = f"{pair.ours.seconds:.3f} s against {pair.baseline.seconds:.3f} s"
    print(f"{name}: {pair.time_ratio:.2f} x {against} (bound {bound}; {times})", flush=True)
    if peak_bound is not None:
        peaks = f"{pair.ours.peak / 2**20:.0f} MiB against {pair.baseline.peak / 2**20:.0f} MiB"
        print(f"{name}, peak memory: {pair.peak_ratio:.2f} x (bound {peak_bound}; {peaks})", flush=True)
