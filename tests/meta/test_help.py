import inspect
import re
import shlex
import shutil
from importlib import import_module
from pathlib import Path

import pytest

from ckptinspect.cli import main
from ckptinspect.cli.main import VERBS
from ckptinspect.cli.options import spelled_out
from tests.e2e.command import FIXTURES, ROOT, ckptinspect
from tests.folders import write_safetensors
from tests.hub_server import TestHub
from tests.terminal import Terminal


def test_the_help_names_every_verb_and_every_exit_code() -> None:
    out = ckptinspect("--help").out

    for verb in VERBS:
        assert f"\n  {verb.name} " in out
    for code in ("0 fine", "1 the answer is no", "2 usage", "3 source", "4 format", "5 partial", "69", "70", "130"):
        assert code in " ".join(out.split())


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_the_help_of_a_verb_covers_every_option_and_gives_examples(verb: str) -> None:
    out = ckptinspect(verb, "--help").out
    run = import_module(f"ckptinspect.cli.{verb}").run
    options = {"form": "--format"}

    assert "Example" in out
    for name in inspect.signature(spelled_out(run)).parameters:
        known = {"ref", "refs", "old", "new", "code", "paths", "action"}
        assert options.get(name, f"--{name.strip('_').replace('_', '-')}") in out or name in known
    assert inspect.getdoc(run)


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_the_help_says_what_every_option_takes(verb: str) -> None:
    lines = ckptinspect(verb, "--help", columns=200).out.splitlines()

    for parameter in main.command_of(verb).params:
        if parameter.param_type_name == "option" and not parameter.is_flag:
            (line,) = [line for line in lines if f"{max(parameter.opts, key=len)} " in line.partition("   ")[0] + " "]
            assert re.search(r"--[a-z-]+ [A-Za-z]\S*", line.partition("   ")[0]), line


EXAMPLES = {verb.name: import_module(f"ckptinspect.cli.{verb.name}").EXAMPLES for verb in VERBS}
# They need whole files and minutes: tests/e2e/test_bench.py runs them in small.
del EXAMPLES["bench"]
EXAMPLES["ckptinspect"] = main._EXAMPLES
# Checkpoints on disk under the names that the examples use: a local path wins over a repository.
STAND_INS = {
    "Qwen/Qwen3-0.6B": "Qwen3-0.6B",
    "Qwen/Qwen2-VL-7B-Instruct": "Qwen2-VL-7B-Instruct",
    "openai-community/gpt2": "gpt2",
    "openai/gpt-oss-20b": "gpt-oss-20b",
    "llama": "Llama-3.1-8B-Instruct",
    "finetuned": "Llama-3.1-8B-Instruct.FP8-block",
    "model.safetensors": "gpt2",
    "lora": "lora-llama-3.1-8b-r16",
}


@pytest.mark.parametrize("verb", EXAMPLES)
def test_the_examples_of_the_help_run(verb: str, tmp_path: Path) -> None:
    for name, stand_in in STAND_INS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(FIXTURES / "real" / f"{stand_in}.snap", tmp_path / name)
    shutil.copytree(FIXTURES / "tiny-qwen2-vl", tmp_path / "checkpoints" / "tiny")
    write_safetensors(tmp_path / "repo" / "unet" / "diffusion_pytorch_model.safetensors", {"conv_in.w": ("F16", (4,))})
    repos = {
        "stable-diffusion-v1-5/stable-diffusion-v1-5": tmp_path / "repo",
        "Qwen/one": FIXTURES / "tiny-qwen2-vl",
    }
    with TestHub(repos) as hub:
        for example in EXAMPLES[verb]:
            program, *arguments = shlex.split(example)
            environment = hub.environment(tmp_path / "home")
            if verb == "browse":
                with Terminal(*arguments, cwd=tmp_path, environment=environment) as terminal:
                    terminal.until("tensors, ").press("q")
                    assert (program, terminal.code, terminal.left) == ("ckptinspect", 0, ""), example
                continue
            ran = ckptinspect(*arguments, cwd=tmp_path, environment=environment)

            assert (program, ran.code, ran.err) == ("ckptinspect", int(verb == "diff"), ""), example


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_the_readme_tells_of_every_verb(verb: str) -> None:
    assert f"`{verb}" in (ROOT / "README.md").read_text()


def test_the_help_fits_80_columns_and_every_terminal() -> None:
    for arguments in (["--help"], *([verb.name, "--help"] for verb in VERBS)):
        out = ckptinspect(*arguments, columns=80, environment={"PYTHONIOENCODING": "ascii"}).out
        assert max(map(len, out.splitlines())) <= 80
        assert out.isascii()
