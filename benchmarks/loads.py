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

BOUNDS = {"of_limit": ("the storage's limit", 0.95), "versus_baseline": ("safetensors.numpy.load_file", 1.5)}


def main() -> None:
    """Run it, print the best ratios with their intervals beside the bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--size", default="2GiB")
    parser.add_argument("--rounds", default="9")
    asked = parser.parse_args()
    command = [sys.executable, "-m", "ckptinspect", "bench", "--synthetic", asked.size, "--dir", asked.folder]
    options = ["--device", "cpu", "--peers", "none", "--rounds", asked.rounds, "--budget", "2h", "-f", "json"]
    data = json.loads(subprocess.run([*command, *options], capture_output=True, check=True).stdout)["data"]
    cold = [row for row in data["summary"] if row["cache"] == "cold" and row["verdict"] == "measured"]
    ours = [row for row in cold if row["method"] != "safetensors-np"]
    for ratio, (against, bound) in BOUNDS.items():
        told(max(ours, key=lambda row: row[ratio]["median"]), ratio, against, bound)
    proved = [trial for trial in data["trials"] if trial["state"] == trial["cache"] and not trial["error"]]
    print(f"{len(proved)} of {len(data['trials'])} loads proved")


def told(row: dict[str, Any], ratio: str, against: str, bound: float) -> None:
    """Print a line: the ratio, its interval, its bound."""
    spread = row[ratio]
    interval = f"{spread['low']:.2f} to {spread['high']:.2f}" if spread["low"] is not None else "too few rounds"
    print(f"{row['method']}, cold: {spread['median']:.2f} x {against} (bound {bound}; {interval})", flush=True)


if __name__ == "__main__":
    main()
