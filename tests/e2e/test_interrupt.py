"""Ctrl-C, at whatever moment: one line and 130."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ckptinspect.cli.main import run
from tests.e2e.command import ROOT


@pytest.mark.parametrize("start", ["-m", "-c"])
def test_an_interrupt_while_it_is_being_imported_ends_as_any_other(tmp_path: Path, start: str) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    program = "ckptinspect" if start == "-m" else "from ckptinspect.__main__ import main; main()"

    ran = subprocess.run(
        [sys.executable, start, program, "x"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "error: interrupted\n")


def test_an_interrupt_in_a_verb_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ckptinspect.cli.reading.open_reading", interrupt)

    assert run([str(tmp_path)]) == 130
    assert capfd.readouterr().err.endswith("error: interrupted\n")


def test_the_console_script_is_the_one_that_survives_an_early_interrupt() -> None:
    assert 'ckptinspect = "ckptinspect.__main__:main"' in (ROOT / "pyproject.toml").read_text()
