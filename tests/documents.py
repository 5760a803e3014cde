"""The commands in the documentation: found, run, and held against what the pages show.

A block of ``sh`` is run. A block without a language right behind it is what comes out, on a terminal of 100 columns; in it
a line of ``…`` alone stands for lines that are left out. ``# exit code N`` at the end of a command says that it ends so.
``console`` is for what cannot be run here, and begins with the reason.

``python -m tests.documents FILE...`` runs the commands and writes what they print into the pages.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from tests.e2e.command import ROOT
from tests.stage import Stage

LEFT_OUT = "…"
REASON = "# not run by the tests: "
_BLOCK = re.compile(r"^```(?P<language>[^\n`]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_EXIT = re.compile(r"# exit code (\d+)$", re.MULTILINE)
# The README's commands that set up and test are run by .ci/run, each in an environment of its own.
_SETS_UP = re.compile(r"^.*bin/pytest.*$|^.*(?:-m venv|bin/pip install) .*&& ", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block, and where its text stands in the page."""

    language: str
    text: str
    begin: int
    end: int


class Shown(NamedTuple):
    """A block of commands, and what the page shows of its output; None where it shows nothing."""

    commands: str
    output: Block | None

    @property
    def code(self) -> int:
        """The exit code that the commands are to end with."""
        found = _EXIT.findall(self.commands)
        return int(found[-1]) if found else 0


class Outcome(NamedTuple):
    """What commands printed, errors and all, and how they ended."""

    output: str
    code: int


def pages() -> tuple[Path, ...]:
    """The pages whose commands are run: the README and all that is written by hand below ``docs``."""
    made = ROOT / "docs" / "verbs"
    return (ROOT / "README.md", *sorted(page for page in (ROOT / "docs").rglob("*.md") if made not in page.parents))


def blocks(page: str) -> tuple[Block, ...]:
    """All fenced blocks of a page."""
    return tuple(Block(m["language"].strip(), m["text"], m.start("text"), m.end("text")) for m in _BLOCK.finditer(page))


def shown(page: str) -> Iterator[Shown]:
    """The commands of a page with what it shows of their output, in the order of the page."""
    found = blocks(page)
    for block, behind in zip_longest(found, found[1:]):
        if block.language == "sh":
            close = behind is not None and not behind.language and not page[block.end + 3 : behind.begin - 4].strip()
            yield Shown(_SETS_UP.sub("", block.text), behind if close else None)


def run(commands: str, stage: Stage) -> Outcome:
    """Run a block of commands as a person would, one after the other, until one fails."""
    ran = subprocess.run(
        ["bash", "-e", "-c", commands],
        cwd=stage.folder,
        env=stage.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    return Outcome(ran.stdout, ran.returncode)


def fits(wanted: str, output: str) -> bool:
    """Whether an output is the one that a page shows, where lines may be left out."""
    parts = re.split(rf"^{LEFT_OUT}$\n?", wanted.rstrip() + "\n", flags=re.MULTILINE)
    pattern = r"(?:.*\n)+".join(map(re.escape, parts))
    return re.fullmatch(pattern, output.rstrip() + "\n") is not None


def rewritten(page: str, stage: Stage) -> str:
    """The page with the outputs that do not fit replaced by what its commands print."""
    for each in reversed([(one, run(one.commands, stage)) for one in shown(page)]):
        wanted, outcome = each
        if wanted.output is not None and not fits(wanted.output.text, outcome.output):
            page = page[: wanted.output.begin] + outcome.output.rstrip() + "\n" + page[wanted.output.end :]
    return page


def main(names: list[str]) -> None:
    """Bring the pages named up to date."""
    for name in names:
        with tempfile.TemporaryDirectory() as folder, Stage(Path(folder)) as stage:
            page = Path(name)
            page.write_text(rewritten(page.read_text(), stage))


if __name__ == "__main__":
    os.chdir(ROOT)
    main(sys.argv[1:])
