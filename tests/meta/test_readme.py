"""What the README says can be run is run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.command import ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
SHOWN = re.findall(r"```sh\n(.*?)```\n+```\n(.*?)```", README, re.DOTALL)


def commands(block: str) -> list[str]:
    return [line for line in block.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]


def test_the_readme_has_the_two_commands_that_set_up() -> None:
    assert BLOCKS[0].startswith("python3 -m venv .venv && .venv/bin/pip install")
    assert any("pytest" in block and "venv" in block for block in BLOCKS)


@pytest.mark.parametrize(
    "command", [c for block in BLOCKS for c in commands(block) if c.startswith("ckptinspect ") and "fixtures/" in c]
)
def test_a_command_on_a_fixture_runs(command: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "fixtures", tmp_path / "fixtures")
    line = re.sub(r"^ckptinspect|(?<=&& )ckptinspect", f"{sys.executable} -m ckptinspect", command)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    ran = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(("block", "shown"), SHOWN)
def test_what_the_readme_shows_is_what_comes_out(block: str, shown: str) -> None:
    last = commands(block)[-1].rpartition("&&")[2].strip()
    arguments = last.removeprefix(".venv/bin/").removeprefix("ckptinspect").split()

    ran = subprocess.run(
        [sys.executable, "-m", "ckptinspect", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.rstrip() == shown.rstrip()
