"""The command line in a process of its own, as a person runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The ``data`` of its JSON."""
        return json.loads(self.out)["data"]


def ckptinspect(
    *arguments: object,
    columns: int = 0,
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    alphabet: str = "utf-8",
    under: Sequence[str] = (),
) -> Ran:
    """Run ``python -m ckptinspect``; its output must be text in that alphabet and its errors no traceback.

    ``under`` is a command that runs another: ``setpriv …``, ``unshare …``.
    """
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "COLUMNS", "NO_COLOR"))}
    clean |= {"HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONPATH": str(ROOT), **(environment or {})}
    if columns:
        clean["COLUMNS"] = str(columns)
    ran = subprocess.run(
        [*under, sys.executable, "-m", "ckptinspect", *map(str, arguments)],
        capture_output=True,
        timeout=120,
        cwd=cwd,
        env=clean,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    result = Ran(ran.returncode, ran.stdout.decode(alphabet), ran.stderr.decode(alphabet))
    assert "Traceback" not in result.err, result.err
    return result
