"""What pipelines take of this repository: the action, the hook, and what the page of the audit says of both."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml

from ckptinspect.audit.settings import settings_near
from tests.e2e.command import ROOT
from tests.folders import write_safetensors

PAGE = (ROOT / "docs" / "audit.md").read_text()
RECIPES = (ROOT / "docs" / "audit-recipes.md").read_text()


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def blocks(language: str, page: str = PAGE) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_hook_runs_the_audit_on_safetensors_files() -> None:
    (hook,) = read(".pre-commit-hooks.yaml")

    assert hook["entry"].split()[:2] == ["ckptinspect", "audit"]
    assert re.search(hook["files"], "model.safetensors")
    assert not re.search(hook["files"], "model.safetensors.index.json")


def test_the_page_names_the_hook_and_the_actions_inputs_as_they_are() -> None:
    action, hooks = read("action.yml"), read(".pre-commit-hooks.yaml")
    steps = yaml.safe_load(next(block for block in blocks("yaml", RECIPES) if "uses: OWNER" in block))
    used = next(step for step in steps if step["uses"].startswith("OWNER"))
    (repo,) = yaml.safe_load(next(block for block in blocks("yaml", RECIPES) if "repos:" in block))["repos"]

    assert set(used["with"]) <= set(action["inputs"])
    assert repo["hooks"][0]["id"] == hooks[0]["id"]


def test_the_actions_script_passes_inputs_on_and_runs_none(tmp_path: Path) -> None:
    step = read("action.yml")["runs"]["steps"][-1]
    assert "${{" not in step["run"]
    write_safetensors(tmp_path / "it" / "model.safetensors", {"w": ("F32", (4,))})
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "ckptinspect"
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ckptinspect "$@"\n')
    tool.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "REFS": "it\n$(touch${IFS}hacked)",
        "OPTIONS": "--select CK6",
        "FAIL_ON": "info",
        "SARIF": "audit.sarif",
    }
    ran = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 5, ran.stderr
    assert "::notice file=it/model.safetensors,title=CK609 config-missing::" in ran.stdout
    assert (tmp_path / "output").read_text() == "exit-code=5\n"
    assert (tmp_path / "audit.sarif").exists()
    assert not (tmp_path / "hacked").exists()


def test_the_pages_settings_are_settings(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    assert "tool" in tomllib.loads(text)
    (tmp_path / "pyproject.toml").write_text(text)
    settings = settings_near(str(tmp_path))

    assert settings.fail_on == "warning"
    assert settings.rules == {"oversized-header": {"limit": 5_000_000, "severity": "error"}}
