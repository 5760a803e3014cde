"""The process of one trial, seen from outside: questions, answers, and how it ended in words."""

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Self, TypeVar

import msgspec

from ckptinspect.bench.messages import Answer, Described, Failed, Looked, Question, Ready, Timed
from ckptinspect.text import escaped

A = TypeVar("A", Ready, Timed, Looked, Described)
Tick = Callable[[int], None]
"""Called a few times a second, while a load runs, with the number of its process."""

_TICK = 0.2
_SIGNALS = {
    signal.SIGBUS: "the file shrank under the map (SIGBUS)",
    signal.SIGKILL: "it was killed; the machine may have run out of memory (SIGKILL)",
    signal.SIGSEGV: "it crashed (SIGSEGV)",
}


class FailedError(Exception):
    """The process of a trial has given up; the message says why."""


class Process:
    """The process of a trial, seen from here. Ends with the block, whatever happens in it."""

    def __init__(self) -> None:
        read, write = os.pipe()
        self._answers = os.fdopen(read, "rb")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        command = [sys.executable, "-m", "ckptinspect.bench.worker", str(write)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=(write,),
                # A Ctrl-C is for the parent, which ends this process itself.
                start_new_session=True,
            )
        finally:
            os.close(write)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._answers.close()
        self._errors.close()

    def ask(self, question: Question, kind: type[A], within: float, tick: Tick | None = None) -> A:
        """The answer to a question; FailedError where there is another or none within so many seconds."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(question) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise FailedError(self._end()) from None
        self._wait(within, tick)
        line = self._answers.readline()
        if not line:
            raise FailedError(self._end())
        answer: Answer = msgspec.json.decode(line, type=Answer)
        if isinstance(answer, Failed):
            raise FailedError(answer.reason)
        assert isinstance(answer, kind)
        return answer

    def _wait(self, within: float, tick: Tick | None) -> None:
        until = time.monotonic() + within
        while not select.select([self._answers], [], [], _TICK if tick is not None else within)[0]:
            if time.monotonic() >= until:
                raise FailedError(f"it did not end within {within:.0f} seconds")
            if tick is not None:
                tick(self._process.pid)

    def _end(self) -> str:
        """Why the process is no more, in words."""
        code = self._process.wait()
        if code < 0:
            return _SIGNALS.get(signal.Signals(-code), f"it was ended by signal {-code}")
        self._errors.seek(0)
        lines = self._errors.read()[-2000:].decode(errors="replace").strip().splitlines()
        return f"it ended with {code}" + (f": {escaped(lines[-1])}" if lines else "")
