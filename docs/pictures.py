"""Pictures of the terminal, from what the commands print: ``python -m docs.pictures [FOLDER]``.

Each command runs in ``fixtures/real`` on a terminal of its own; rich draws what came out. A test runs them again and
compares what the committed pictures say.
"""

import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures" / "real"
FOLDER = ROOT / "docs" / "pictures"
COLUMNS = 100
PICTURES = {
    "show": "ckptinspect Qwen2-VL-7B-Instruct.snap --by module,role",
    "tensors": "ckptinspect tensors Qwen2-VL-7B-Instruct.snap --match 'visual.*' --sort=-bytes --limit 8",
    "browse": "ckptinspect browse Qwen2-VL-7B-Instruct.snap",
    "tree": "ckptinspect tree Qwen2-VL-7B-Instruct.snap",
    "formula": "ckptinspect formula Llama-3.1-8B-Instruct.snap --symbols",
    "estimate": "ckptinspect estimate Llama-3.1-8B-Instruct.snap --only fits,kv --fits 24GB,80GB",
    "diff": "ckptinspect diff Llama-3.1-8B-Instruct.snap Llama-3.1-8B-Instruct.AWQ-INT4.snap",
    "audit": "ckptinspect audit t5-small.snap variants-side-by-side.snap",
    "rule": "ckptinspect rule CK102",
    "dtypes": "ckptinspect dtypes",
}
"""The pictures by name: of a verb, what its page shows."""
KEYS = {"browse": ("/", "o_proj")}
"""What is typed in those that take the whole screen."""
ROWS = 28

_BACKGROUND, _TEXT = (24, 27, 33), (214, 218, 224)
_RED, _GREEN, _YELLOW, _BLUE = (240, 113, 120), (152, 195, 121), (229, 192, 123), (97, 175, 239)
_MAGENTA, _CYAN = (198, 120, 221), (86, 182, 194)
_THEME = TerminalTheme(_BACKGROUND, _TEXT, [_BACKGROUND, _RED, _GREEN, _YELLOW, _BLUE, _MAGENTA, _CYAN, _TEXT])
# Rich's own template names a font that a browser would fetch.
_TEMPLATE = """\
<svg class="{unique_id}" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }}
.{unique_id}-title {{ display: none }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def printed(command: str) -> list[Text]:
    """The lines that a command prints on a terminal, colours and all."""
    master, slave = pty.openpty()
    clean = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "LINES"}}
    with subprocess.Popen(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=FIXTURES,
        env={**clean, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=subprocess.DEVNULL,  # progress
    ):
        os.close(slave)
        return [Text.from_ansi(line) for line in _drained(master).splitlines()]


def on_screen(command: str, keys: Sequence[str]) -> list[Text]:
    """The lines of the screen that a command has taken, once these keys were pressed."""
    from tests.terminal import Terminal

    arguments = shlex.split(command)[1:]
    with Terminal(*arguments, columns=COLUMNS, rows=ROWS, cwd=FIXTURES) as terminal:
        terminal.until("tensors, ").press(*keys).until(f"{keys[-1]}.weight")
        return [Text.assemble(*((cell.data, _style(cell)) for cell in row)) for row in terminal.cells]


def _style(cell: Any) -> Style:
    """How a cell of a terminal looks: pyte's words for colours are rich's, but for two."""
    colour = "yellow" if cell.fg == "brown" else cell.fg.replace("bright", "bright_")
    return Style(color=colour, bold=cell.bold, reverse=cell.reverse)


def picture(name: str) -> str:
    """The picture of a command, as SVG."""
    command = PICTURES[name]
    lines = on_screen(command, KEYS[name]) if name in KEYS else printed(command)
    console = Console(record=True, width=COLUMNS + 2, file=StringIO(), force_terminal=True, legacy_windows=False)
    console.print(Text.assemble((" $ ", "bold green"), (command, "bold")), soft_wrap=True)
    console.print()
    for line in (*lines, Text()):
        console.print(Text(" ").append_text(line), soft_wrap=True)
    return console.export_svg(title="", theme=_THEME, code_format=_TEMPLATE, unique_id=f"{name}-picture")


def _drained(terminal: int) -> str:
    chunks = []
    try:
        while chunk := os.read(terminal, 65536):
            chunks.append(chunk)
    except OSError:
        pass  # what Linux answers once nobody has the other end open
    finally:
        os.close(terminal)
    return b"".join(chunks).decode().replace("\r\n", "\n")


def main(folder: Path) -> None:
    """Write every picture."""
    folder.mkdir(exist_ok=True)
    for name in PICTURES:
        (folder / f"{name}.svg").write_text(picture(name))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else FOLDER)
