"""``browse`` as a person has it: in a terminal of 80 by 24, by keys alone."""

import io
import re
import sys
from base64 import b64encode
from pathlib import Path

import pytest

from ckptinspect.cli.main import run
from fixtures import deepseek_v3
from tests.e2e.command import FIXTURES, ROOT, ckptinspect
from tests.folders import Shapes, write_safetensors, write_sharded
from tests.hub_server import TestHub
from tests.terminal import Terminal

QWEN = FIXTURES / "real" / "Qwen2-VL-7B-Instruct.snap"
COLOURS = re.compile(rb"\x1b\[(?:[0-9]+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]")


def test_a_checkpoint_is_walked_through() -> None:
    with Terminal("browse", QWEN) as terminal:
        terminal.until("+ layers (0-27)")
        assert "730 tensors, 8.29B parameters, 16.58 GB" in terminal.text
        assert terminal.lines[-1].startswith("/ search  Tab pane")
        assert max(map(len, terminal.lines)) <= 80

        terminal.press("/", "vis*mlp 31").until("4 of 730 tensors")
        terminal.press("enter", "down", "c")
        name = "visual.blocks.31.mlp.fc1.weight"
        assert f"sent to the terminal, not confirmed (?): {name}" in terminal.text
        assert b"\x1b]52;c;" + b64encode(name.encode()) + b"\x07" in terminal.raw

        terminal.press("s", "byt", "enter").until("by bytes, largest first")
        terminal.press("escape", "escape").until("730 tensors, ")
        terminal.press("enter").until("counted as   parameters")
        terminal.press("escape", "?").until("these keys")
        terminal.press("q", "q")

        assert (terminal.code, terminal.left) == (0, "")
        assert terminal.raw.rstrip().endswith(b"l")
        for restored in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l"):
            assert restored in terminal.raw


def test_what_is_asked_for_is_all_there_is() -> None:
    with Terminal("browse", QWEN, "--module", "visual", "--match", "*.mlp.fc?.weight") as terminal:
        terminal.until("64 of 730 tensors, ").press("q")
        assert terminal.code == 0


def test_read_from_a_verbose_browser_is_told_at_its_end() -> None:
    with Terminal("browse", QWEN, "-v") as terminal:
        terminal.until("730 tensors, ").press("q")
        assert terminal.code == 0
        assert re.fullmatch(r"read [0-9.]+ kB \(via snapshot\)\n", terminal.left)


@pytest.mark.parametrize(
    ("arguments", "environment"), [((), {"NO_COLOR": "1"}), (("--no-color",), {})], ids=["NO_COLOR", "--no-color"]
)
def test_without_colours_there_are_none_and_the_cursor_is_seen(
    arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    with Terminal("browse", QWEN, *arguments, environment=environment) as terminal:
        terminal.until("+ layers (0-27)").press("tab", "down", "/", "norm", "enter", "?").press("escape", "s")
        terminal.press("escape", "q")
        assert terminal.code == 0
        assert COLOURS.findall(terminal.raw) == []
        assert b"\x1b[7" in terminal.raw.replace(b"\x1b[1;7", b"\x1b[7")


def test_with_colours_there_are_some() -> None:
    with Terminal("browse", QWEN) as terminal:
        terminal.until("+ layers (0-27)").press("q")
        assert terminal.code == 0
        assert COLOURS.findall(terminal.raw)


def test_nothing_in_a_name_acts_on_the_terminal() -> None:
    with Terminal("browse", FIXTURES / "real" / "weird-names.snap") as terminal:
        terminal.until(r"\x1b[31mred\x1b[0m")
        terminal.press("*", "tab", *["down", "c"] * 32, "i", "escape", "q")
        assert terminal.code == 0
    assert b"\x1b[31m" not in terminal.raw
    for copied in re.findall(rb"\x1b\]52;c;([^\x07]*)\x07", terminal.raw):
        assert re.fullmatch(rb"[A-Za-z0-9+/=]+", copied)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["./no-such"], 3, "error: ./no-such: no such file or folder; check the spelling\n"),
        ([QWEN, "--module", "vae"], 2, "error: no module 'vae' in it; choose one of visual, model, lm_head\n"),
        ([QWEN, "--match", "mlp"], 2, "error: no name matches 'mlp'; a GLOB is for whole names: try '*mlp*'\n"),
    ],
)
def test_what_goes_wrong_is_said_before_the_screen_is_taken(arguments: list[object], code: int, said: str) -> None:
    with Terminal("browse", *arguments) as terminal:
        assert (terminal.code, terminal.raw.decode().replace("\r\n", "\n")) == (code, said)


def test_a_damaged_file_is_a_sentence_too(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\x00" * 16)
    with Terminal("browse", tmp_path) as terminal:
        assert terminal.code == 4
        assert terminal.left.startswith("error: model.safetensors: ")
        assert terminal.left.count("\n") == 1


def test_a_shard_that_failed_is_noted_and_told_at_the_end(tmp_path: Path) -> None:
    write_sharded(tmp_path, {f"model-0000{n}-of-00002.safetensors": {f"w{n}": ("F32", (n,))} for n in (1, 2)})
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(b"")
    with Terminal("browse", tmp_path) as terminal:
        terminal.until("1 tensor, ").press("o").until("1 of 2 shards could not be read")
        terminal.press("q", "q")
        assert (terminal.code, terminal.left) == (
            5,
            "error: model-00002-of-00002.safetensors: the file is empty; fetch it again\n",
        )


REPO = "acme/large"


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A repository of so many files that reading them is worth a bar."""
    files: dict[str, Shapes] = {
        f"model-{n:05}-of-00040.safetensors": {f"layers.{n}.w": ("F32", (n,))} for n in range(40)
    }
    write_sharded(tmp_path / "repo", files)
    return tmp_path


def test_a_repository_is_read_with_a_bar_and_then_walked_through(large: Path) -> None:
    with (
        TestHub({REPO: large / "repo"}, latency=0.2) as hub,
        Terminal("browse", REPO, environment=hub.environment(large / "home")) as terminal,
    ):
        terminal.until("reading headers").until("40 tensors, 780 parameters, 3.12 kB")
        assert re.match(r"acme/large @ [0-9a-f]{12}: sharded, 40 files, ", terminal.lines[0])
        terminal.press("q")
        assert (terminal.code, terminal.left) == (0, "")


def test_reading_a_repository_can_be_left(large: Path) -> None:
    with (
        TestHub({REPO: large / "repo"}, latency=1) as hub,
        Terminal("browse", REPO, environment=hub.environment(large / "home")) as terminal,
    ):
        terminal.until("reading headers").press("ctrl+c")
        assert terminal.code == 130
        assert b"\x1b[?1049h" not in terminal.raw
        assert terminal.raw.endswith(b"error: interrupted\r\n")


def test_the_window_may_change_its_size() -> None:
    with Terminal("browse", QWEN) as terminal:
        terminal.until("+ layers (0-27)").resize(120, 30).press("tab")
        assert terminal.lines[2].endswith("bytes")
        terminal.resize(50, 12)
        assert terminal.lines[2].startswith("name ")
        assert "│" not in terminal.text
        assert terminal.lines[11].startswith("/ search  Tab pane")
        terminal.press("tab")
        assert terminal.lines[2].startswith("- Qwen2-VL-7B-Instruct.snap")
        terminal.press("q")
        assert terminal.code == 0


def test_an_interrupt_ends_it_as_it_ends_any_verb() -> None:
    with Terminal("browse", QWEN) as terminal:
        terminal.until("730 tensors, ").press("ctrl+c")
        assert (terminal.code, terminal.left) == (130, "error: interrupted\n")


@pytest.mark.parametrize("lacking", ["output", "input", "error"])
def test_the_stream_that_is_no_terminal_is_named(lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, stream in {"output": "stdout", "input": "stdin", "error": "stderr"}.items():
        found = io.StringIO()
        found.isatty = lambda name=name: name != lacking  # type: ignore[method-assign, misc]
        monkeypatch.setattr(sys, stream, found)

    assert run(["browse", str(QWEN)]) == 2
    assert sys.stderr.getvalue() == (  # type: ignore[union-attr]
        f"error: browse: it needs a terminal, and standard {lacking} is none; "
        "take show, tensors or tree for a file or a pipe\n"
    )


@pytest.mark.parametrize("arguments", [(), ("-q",), ("--match", "*"), ("no/such",)])
def test_without_a_terminal_it_says_what_to_take_instead(arguments: tuple[str, ...]) -> None:
    ran = ckptinspect("browse", *(arguments if "no/such" in arguments else (QWEN, *arguments)))

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "error: browse: it needs a terminal, and standard output is none; "
        "take show, tensors or tree for a file or a pipe\n"
    )


def test_a_terminal_that_cannot_be_drawn_on_is_said_to_be_one() -> None:
    with Terminal("browse", QWEN, environment={"TERM": "dumb"}) as terminal:
        assert (terminal.code, terminal.left) == (
            2,
            "error: browse: it cannot draw on this terminal (TERM=dumb); take show, tensors or tree\n",
        )


def test_without_textual_it_says_how_to_have_it(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['textual'] = None")
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with Terminal("browse", QWEN, environment=environment) as terminal:
        assert (terminal.code, terminal.left) == (
            69,
            "error: browse: textual is not installed; pip install 'ckptinspect[tui]'\n",
        )


@pytest.mark.parametrize("options", [["--format", "json"], ["--output", "x"]])
def test_it_writes_no_report(options: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["browse", str(QWEN), *options]) == 2
    assert capfd.readouterr().err.startswith(f"error: browse has no option '{options[0]}'; it is for ")


def test_a_bug_is_one_sentence_and_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import ckptinspect.browse.cards as cards\ncards.tally_facts = lambda *_: 1 // 0\n"
    )
    with Terminal("browse", QWEN, environment={"PYTHONPATH": f"{tmp_path}:{ROOT}"}) as terminal:
        assert terminal.code == 70
        assert terminal.left.startswith("error: a bug of ckptinspect: ZeroDivisionError: ")
        assert "Traceback" not in terminal.raw.decode()


@pytest.mark.slow
def test_deepseek_v3_is_walked_through(tmp_path: Path) -> None:
    deepseek_v3.write(tmp_path)
    with Terminal("browse", tmp_path) as terminal:
        terminal.until("91,991 tensors, 682.64B parameters, ").until("+ layers (3-60)")
        terminal.press("/", "exp 255. layers.60. down", "enter").until("2 of 91,991 tensors, 14.68M parameters")
        while "this is being worked out" in terminal.press("w").text:
            pass
        terminal.until("/ down_proj")
        terminal.press("f", "138-of", "enter").until("model-00138-of-00138.safetensors")
        terminal.press("q")
        assert (terminal.code, terminal.left) == (0, "")


def test_an_odd_file_name_is_chosen_like_any_other(tmp_path: Path) -> None:
    for name in ("a\x1b[31m.safetensors", "b.safetensors"):
        write_safetensors(tmp_path / name, {f"{name[0]}.w": ("F32", (2,))})
    with Terminal("browse", tmp_path) as terminal:
        terminal.until("2 tensors, ").press("f").until(r"a\x1b[31m.safetensors")
        terminal.press("down", "enter").until("1 of 2 tensors")
        terminal.press("q")
        assert terminal.code == 0
    assert b"\x1b[31m" not in terminal.raw
