"""Audits of many checkpoints: of a Hub, of a tree on disk, against a quota, and of a hundred thousand.

``python benchmarks/hub_audit.py [--runs N] [--only hub|tree|quota|memory]``, in an environment with
``ckptinspect[test]``. The Hub is on loopback; the models are made by ``fleets.py``.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from pairs import paired, run

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = str(ROOT)

import fleets  # noqa: E402

from tests.hub_server import Quota, TestHub  # noqa: E402

PYTHON = sys.executable
AUDIT = [PYTHON, "-m", "ckptinspect", "audit", "--quiet", "-f", "jsonl", "-o", os.devnull, "--fail-on", "never"]
HERE = ROOT / "benchmarks"
REPOSITORIES, TREE, MANY = 200, 1_000, 2_000
LATENCY = 0.05
NO_QUOTA = 10_000_000
MODELS_OF_A_TREE = 50
WINDOW, CALLS = 2, 100


def named(folder: Path, names: Sequence[str]) -> Path:
    """A file of REFs."""
    path = folder / "names.txt"
    path.write_text("".join(f"{name}\n" for name in names))
    return path


def hub(folder: Path, runs: int) -> None:
    """200 repositories of which no two are alike, against HfApi's calls on 16 threads; then once more, cached."""
    fleets.unlike(folder / "models", REPOSITORIES)
    repos = {f"org/{path.name}": path for path in sorted((folder / "models").iterdir())}
    names = named(folder, sorted(repos))
    baseline = [PYTHON, str(HERE / "hub_api_audit.py"), str(names)]
    ratios, requests, warm, seconds = [], [], [], []
    with TestHub(repos, latency=LATENCY) as server:
        server.quotas = {name: Quota(NO_QUOTA, 300) for name in server.quotas}
        for number in range(runs + 1):
            ours = timed(server, [*AUDIT, "--from", str(names)], folder / f"ours-{number}")
            again = timed(server, [*AUDIT, "--from", str(names)], folder / f"ours-{number}")
            theirs = timed(server, baseline, folder / f"theirs-{number}")
            if number == 0:
                continue  # the first of each reads what the others find in memory
            ratios.append(ours[0] / theirs[0])
            requests.append(ours[1] / theirs[1])
            warm.append(again[1] / REPOSITORIES)
            seconds.append((ours[0], again[0], theirs[0]))
    ours_s, again_s, theirs_s = (median(column) for column in zip(*seconds, strict=True))
    print(f"{REPOSITORIES} repositories: {median(ratios):.2f} x HfApi on 16 threads (bound 0.6, aim 0.5; ", end="")
    print(f"{ours_s:.2f} s against {theirs_s:.2f} s, cached {again_s:.2f} s)")
    print(f"{REPOSITORIES} repositories, requests: {median(requests):.2f} x HfApi (bound 0.75)")
    print(f"{REPOSITORIES} repositories, cached: {median(warm):.2f} requests each (bound 1.1)", flush=True)


def timed(server: TestHub, command: Sequence[str], home: Path) -> tuple[float, int]:
    """A process against the server: its seconds, and the requests that it made."""
    before = len(server.requests)
    quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    seconds = run(command, server.environment(home) | quiet).seconds
    return seconds, len(server.requests) - before


def tree(folder: Path, runs: int) -> None:
    """1,000 checkpoints on disk, against a script that reads and parses the same headers."""
    models = fleets.real(folder / "real", TREE)
    fleets.runs(folder / "runs", MODELS_OF_A_TREE, TREE // MODELS_OF_A_TREE)
    fleets.unlike(folder / "unlike", TREE)
    trees = {
        "real": f"{models} real models in {TREE // models} steps or so",
        "runs": f"{MODELS_OF_A_TREE} training runs in {TREE // MODELS_OF_A_TREE} steps",
        "unlike": "no two of them alike",
    }
    for name, what in trees.items():
        ours = [*AUDIT, "--recursive", str(folder / name)]
        script = [PYTHON, str(HERE / "bare_tree.py"), str(folder / name)]
        for processes, bound in (((), ", bound 0.8"), (("2",), "")):
            pair = paired(ours, [*script, *processes], runs)
            against = "a bare script in two processes" if processes else "a bare script"
            print(f"{TREE:,} checkpoints on disk, {what}: {1 / pair.time_ratio:.2f} x the rate of {against} ", end="")
            print(f"({pair.ours.seconds:.2f} s against {pair.baseline.seconds:.2f} s{bound})", flush=True)


def quota(folder: Path, _: int) -> None:
    """2,000 repositories at a quota that lets a twentieth of them through in a window."""
    fleets.write(folder / "model", 0)
    repos = {f"org/name-{number:04}": folder / "model" for number in range(MANY)}
    with TestHub(repos) as server:
        server.quotas = {"api": Quota(CALLS, WINDOW), "resolvers": Quota(5 * CALLS, WINDOW)}
        seconds, _ = timed(server, [*AUDIT, "--from", str(named(folder, sorted(repos)))], folder / "home")
        refused = sum(request.status == 429 for request in server.requests)
    least = (MANY / CALLS - 1) * WINDOW
    print(f"{MANY:,} repositories, {CALLS} in {WINDOW} s: {seconds / least:.3f} x the quota's own time ", end="")
    print(f"(bound 1.05; {seconds:.1f} s against {least} s), {refused} requests refused", flush=True)


def memory(_: Path, __: int) -> None:
    """100,000 repositories over a transport and a clock that are not there."""
    began = time.monotonic()
    subprocess.run([PYTHON, str(HERE / "endless.py")], check=True, env=clean())
    print(f"({time.monotonic() - began:.0f} s)", flush=True)


def clean() -> Mapping[str, str]:
    """The environment in which modules are compiled once."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


LINES = {"hub": hub, "tree": tree, "quota": quota, "memory": memory}


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", choices=tuple(LINES))
    arguments = parser.parse_args()
    for name, line in LINES.items():
        if arguments.only in {None, name}:
            with tempfile.TemporaryDirectory() as folder:
                line(Path(folder), arguments.runs)


if __name__ == "__main__":
    main()
