"""Cold loads on this machine, against its storage and against the reference.

``python benchmarks/loads.py FOLDER [--size 2GiB] [--rounds 9]``, in an environment with ``ckptinspect[test]``: the best
of our loads to memory, as a ratio to the storage's limit and to ``safetensors.numpy.load_file``, both round by round.
A file of that size is made in FOLDER, and deleted. About six minutes.
"""

import argparse
import json
import subprocess
import sys
from typing import Any

BOUNDS = {
    "of_limit": ("limit_comparison", "the storage's limit", 0.95),
    "versus_baseline": ("comparison", "safetensors.numpy.load_file", 1.5),
}


def main() -> None:
    """Run it, print the best ratios with their intervals beside the bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--size", default="2GiB")
    parser.add_argument("--rounds", default="9")
    parser.add_argument("--runs", type=int, default=1, help="times to do it all, with a file of its own each")
    asked = parser.parse_args()
    command = [sys.executable, "-m", "ckptinspect", "bench", "--synthetic", asked.size, "--dir", asked.folder]
    options = ["--device", "cpu", "--peers", "none", "--rounds", asked.rounds, "--budget", "2h", "-f", "json"]
    for _ in range(asked.runs):
        once([*command, *options])


def once(command: list[str]) -> None:
    """One run of it."""
    data = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["data"]
    cold = [row for row in data["summary"] if row["cache"] == "cold" and row["verdict"] == "measured"]
    ours = [row for row in cold if row["method"] != "safetensors-np"]
    # The reference keeps its tensors: a ring, which does not, would be an unfair comparison.
    keeping = [row for row in ours if row["destination"] == "fresh"]
    for ratio, (comparison, against, bound) in BOUNDS.items():
        best = max(ours if ratio == "of_limit" else keeping, key=lambda row: row[ratio]["median"])
        told(best["method"], best[ratio], best[comparison], f"{against} (bound {bound}")
    proved = [trial for trial in data["trials"] if trial["state"] == trial["cache"] and not trial["error"]]
    noisy = [trial for trial in data["trials"] if trial["contention"] and trial["contention"]["noisy"]]
    print(f"{len(proved)} of {len(data['trials'])} loads proved, others busy during {len(noisy)}", flush=True)


def told(method: str, ratio: dict[str, Any], comparison: str, against: str) -> None:
    """Print a line: the ratio, its interval, what it shows."""
    interval = f"; {ratio['low']:.2f} to {ratio['high']:.2f}" if ratio["low"] is not None else ""
    print(f"{method}, cold: {ratio['median']:.2f} x {against}{interval}; {comparison})")


if __name__ == "__main__":
    main()
