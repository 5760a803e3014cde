"""A real terminal, as far as a program can tell: a pseudo-terminal whose screen is kept by pyte."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pyte

from tests.e2e.command import ROOT

_PATIENCE = 30.0
_QUIET = 0.15
KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "down": "\x1b[B",
    "up": "\x1b[A",
    "right": "\x1b[C",
    "ctrl+c": "\x03",
}


class Terminal:
    """``ckptinspect`` with its three streams on a terminal of 80 by 24; ``raw`` is all that it has written."""

    def __init__(
        self,
        *arguments: object,
        columns: int = 80,
        rows: int = 24,
        cwd: Path = ROOT,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.raw = b""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._size = struct.pack("HHHH", rows, columns, 0, 0)
        self._command = [sys.executable, "-m", "ckptinspect", *map(str, arguments)]
        self._cwd, self._environment = cwd, _environment(environment or {})
        self._code: int | None = None

    def __enter__(self) -> Self:
        self._process, self._file = pty.fork()
        if self._process == 0:
            os.chdir(self._cwd)
            # The size has to be there before the program asks for it.
            fcntl.ioctl(0, termios.TIOCSWINSZ, self._size)
            os.execve(sys.executable, self._command, self._environment)
        return self

    def __exit__(self, *_: object) -> None:
        if self._code is None:
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
        os.close(self._file)

    def until(self, text: str) -> Self:
        """Wait until a text stands on the screen."""
        end = time.monotonic() + _PATIENCE
        while text not in self.text:
            if time.monotonic() > end or not self._read(1):
                raise AssertionError(f"{text!r} never came: {self.text!r}")
        return self

    def press(self, *keys: str) -> Self:
        """Press keys, or type texts, and wait until no more comes of it."""
        for key in keys:
            os.write(self._file, KEYS.get(key, key).encode())
            if key == "escape":
                # With what follows at once it would be another key.
                self._settle()
        self._settle()
        return self

    def resize(self, columns: int, rows: int) -> Self:
        """Have the terminal another size, and wait until no more comes of it."""
        self._screen.resize(rows, columns)
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._settle()
        return self

    def _settle(self) -> None:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            if self._ready(_QUIET):
                if not self._read(0):
                    return
            elif self._asleep():
                return

    def _asleep(self) -> bool:
        """Whether the program waits for something, and not only for its turn on a busy machine."""
        threads = Path(f"/proc/{self._process}/task").glob("*/stat")
        try:
            return all(thread.read_text().rpartition(") ")[2][0] != "R" for thread in threads)
        except OSError:
            # A thread has ended meanwhile.
            return False

    @property
    def lines(self) -> list[str]:
        """The screen, line by line."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def cells(self) -> list[list[pyte.screens.Char]]:
        """The screen, cell by cell: what stands there, and how."""
        screen = self._screen
        return [[screen.buffer[row][column] for column in range(screen.columns)] for row in range(screen.lines)]

    @property
    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.lines)

    @property
    def code(self) -> int:
        """The exit code, once the program has ended."""
        end = time.monotonic() + _PATIENCE
        while self._code is None and self._read(1):
            if time.monotonic() > end:
                raise AssertionError(f"it never ended: {self.text!r}")
        if self._code is None:
            _, status = os.waitpid(self._process, 0)
            self._code = os.waitstatus_to_exitcode(status)
        return self._code

    @property
    def left(self) -> str:
        """What the program has said when it had given the screen back."""
        assert self.code is not None
        said = self.raw.rpartition(b"\x1b[?1006l")[2].decode()
        # The shape of the mouse's pointer is given back at about the same time.
        return re.sub(r"\x1b\]22;[^\x07]*\x07", "", said).replace("\r\n", "\n")

    def _ready(self, seconds: float) -> bool:
        return bool(select.select([self._file], [], [], seconds)[0])

    def _read(self, seconds: float) -> bool:
        """Take what is written within some seconds; whether the program may write more."""
        if not self._ready(seconds):
            return True
        try:
            written = os.read(self._file, 65536)
        except OSError:
            return False
        self.raw += written
        self._stream.feed(written)
        return bool(written)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """What surrounds a person's shell, and no more of what surrounds this one than it takes to run."""
    ours = ("HF_", "COLUMNS", "LINES", "NO_COLOR", "TEXTUAL")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    clean |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_TELEMETRY": "1"}
    return clean | dict(more)
