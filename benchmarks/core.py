"""Reading and counting, against what one would write by hand and against huggingface_hub.

``python benchmarks/core.py [--runs N]``, in an environment with ``ckptinspect[test]``. Everything it reads it
makes itself: DeepSeek-V3 at its full size as sparse files, gpt2, a file of 100,000 tensors, and a Hub on
loopback that answers every request 50 ms late.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from pairs import paired, told

ROOT = Path(__file__).parents[1]
PYTHON = sys.executable
OURS = [PYTHON, "-m", "ckptinspect"]
BARE = [PYTHON, str(ROOT / "benchmarks" / "bare.py")]
API = [PYTHON, str(ROOT / "benchmarks" / "hub_api.py")]
REPO = "deepseek-ai/DeepSeek-V3"
CALLS = {"ranges": "get_safetensors_metadata", "endpoint": "get_sharded_safetensors_metadata"}


def local(folder: Path, runs: int) -> None:
    """The local lines."""
    deep, small, wide = (str(folder / name) for name in ("deepseek", "gpt2", "wide"))
    told("DeepSeek-V3, local", paired([*OURS, deep], [*BARE, deep], runs), "a bare script", 1.5, peak_bound=3)
    told("gpt2, local", paired([*OURS, small], [PYTHON, "-c", "import typer"], runs), "import typer", 2.0)
    told("100,000 tensors in one file", paired([*OURS, wide], [*BARE, f"{wide}"], runs), "a bare script", 1.5)
    told("DeepSeek-V3 against itself", paired([*OURS, "diff", deep, deep], [*OURS, deep], runs), "show", 2.5)


def hub(folder: Path, runs: int) -> None:
    """The Hub lines, over a loopback server that answers 50 ms late."""
    served = f"{REPO}={folder / 'deepseek'}"
    command = [PYTHON, "-m", "tests.hub_server", served, "--latency", "0.05", "--port", "0"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        endpoint = next(m[0] for line in server.stdout if (m := re.search(r"http://127\.0\.0\.1:\d+", line)))
        environment = {
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(folder / "home"),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        for way, bound in (("ranges", 0.5), ("endpoint", 1.0)):
            pair = paired([*OURS, REPO, "--via", way], [*API, way, REPO], runs, environment)
            told(f"DeepSeek-V3 on the Hub, --via {way}", pair, f"HfApi.{CALLS[way]}", bound)
            ran = subprocess.run(
                [*OURS, REPO, "--via", way, "-v"],
                env=os.environ | environment,
                capture_output=True,
                text=True,
                check=True,
            )
            print(f"DeepSeek-V3 on the Hub, --via {way}: {ran.stderr.strip()}", flush=True)
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--only", choices=("local", "hub"))
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([PYTHON, str(ROOT / "benchmarks" / "inputs.py"), folder], check=True)
        if arguments.only != "hub":
            local(Path(folder), arguments.runs)
        if arguments.only != "local":
            hub(Path(folder), max(3, arguments.runs // 2))


if __name__ == "__main__":
    main()
