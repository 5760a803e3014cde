"""Pages that commands write with ``-f html``, as they are, for the site to show: ``python -m docs.reports FOLDER``."""

import shlex
import subprocess
import sys
from pathlib import Path

from docs.pictures import FIXTURES

REPORTS = {
    "show": "ckptinspect Qwen2-VL-7B-Instruct.snap",
    "tree": "ckptinspect tree Qwen2-VL-7B-Instruct.snap",
    "estimate": "ckptinspect estimate gpt-oss-20b.snap --context 8192",
    "diff": "ckptinspect diff Llama-3.1-8B-Instruct.snap Llama-3.1-8B-Instruct.AWQ-INT4.snap",
    "audit": "ckptinspect audit gpt2.snap t5-small.snap variants-side-by-side.snap",
}
"""The reports by the verb whose page links to them."""
_DIFFERS = 1


def write_reports(folder: Path) -> None:
    """Write every report."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, command in REPORTS.items():
        arguments = [*shlex.split(command), "-o", str((folder / f"{name}.html").resolve())]
        ran = subprocess.run([sys.executable, "-m", *arguments], cwd=FIXTURES, check=False)
        if ran.returncode > _DIFFERS:
            raise ChildProcessError(f"{command} ended with {ran.returncode}")


if __name__ == "__main__":
    write_reports(Path(sys.argv[1]))
