"""How long ``browse`` takes to open, against ``show``, and how long a search takes to answer a key.

``python benchmarks/browse.py [--runs N]``, in an environment with ``ckptinspect[test]``. What is read is made on the
spot: DeepSeek-V3 at its full size as sparse files, a file of 100,000 tensors. The screen is a pseudo-terminal of 80
columns and 24 lines.
"""

import argparse
import fcntl
import os
import pty
import resource
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import NamedTuple, Self

from pairs import run

from ckptinspect.browse.catalogue import Catalogue, Scope
from ckptinspect.browse.orders import Order
from ckptinspect.browse.search import Query
from ckptinspect.browse.wanted import Wanted
from ckptinspect.opening import open_checkpoint

ROOT = Path(__file__).parents[1]
OURS = [sys.executable, "-m", "ckptinspect"]
# What stands on the screen once the tensors are there, and once the tree is.
TENSORS, TREE = b"tensors, ", b"layers ("
# What people type, and what costs most: letters that every name has, many parts, signs for any character.
TYPED = ("experts.17. w", "layers.60", "weight_scale_inv", "*e*e*e*e*", "l?yers ?.w")
BACK, CLEAR, INTERRUPT = "\x7f", "\x15", "\x03"
QUIET = 0.25
BOUND = 100


class Opened(NamedTuple):
    """Seconds from the start of the process to what stands on its screen, and of a processor's work to the first."""

    tensors: float
    tree: float
    busy: float


class Answer(NamedTuple):
    """Seconds until an answer stands, and how much of them a processor worked for it: the rest waits for others."""

    wall: float
    busy: float


class Screen:
    """``browse`` on a terminal."""

    def __init__(self, folder: str) -> None:
        self.began, self.seen = time.perf_counter(), b""
        self.process, self.file = pty.fork()
        if self.process == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            os.execvpe(OURS[0], [*OURS, "browse", folder], os.environ | {"TERM": "xterm-256color"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self.file, INTERRUPT.encode())
        try:
            while os.read(self.file, 65536):
                pass
        except OSError:
            os.waitpid(self.process, 0)

    def until(self, mark: bytes) -> float:
        """When this was on the screen, in seconds from the start."""
        while mark not in self.seen:
            self.seen += os.read(self.file, 65536)
        return time.perf_counter() - self.began

    def settled(self) -> float:
        """When the last of what is being written came."""
        last = time.perf_counter()
        while select.select([self.file], [], [], QUIET)[0]:
            os.read(self.file, 65536)
            last = time.perf_counter()
        return last

    def answer(self, key: str) -> Answer:
        """What it takes from a key to the last of what comes of it."""
        begin, busy = time.perf_counter(), self.busy()
        os.write(self.file, key.encode())
        return Answer(self.settled() - begin, self.busy() - busy)

    def rest(self) -> None:
        """Wait until the process has nothing left to work out."""
        before = -1.0
        while self.busy() - before > QUIET / 10:
            before = self.busy()
            self.settled()

    def busy(self) -> float:
        """Seconds that the process has had a processor, by its own clock (``clock_getcpuclockid`` of Linux)."""
        return time.clock_gettime((~self.process << 3) | 2)


def opening(folder: str, runs: int) -> None:
    """The lines on opening: ``show`` and ``browse`` take turns, after a run of each that does not count."""
    once(folder), shown(folder)
    pairs = [(once(folder), shown(folder)) for _ in range(runs)]
    for name, bound in (("the first frame, with tensors", " (bound 2.0)"), ("the tree", "")):
        field = name.rpartition(" ")[2]
        ratio = median(getattr(opened, field) / base.wall for opened, base in pairs)
        ours, base = (median(times) for times in zip(*((getattr(o, field), b.wall) for o, b in pairs), strict=True))
        print(f"DeepSeek-V3, to {name}: {ratio:.2f} x show{bound}; {ours:.3f} s against {base:.3f} s", flush=True)
    worked = median(opened.busy / base.busy for opened, base in pairs)
    print(f"DeepSeek-V3, to the first frame, a processor's work: {worked:.2f} x show", flush=True)


def shown(folder: str) -> Answer:
    """What ``show`` takes, whole."""
    begin = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = run([*OURS, folder]).seconds
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Answer(wall, end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime)


def once(folder: str) -> Opened:
    """Open it, and leave it."""
    with Screen(folder) as screen:
        first, busy = screen.until(TENSORS), screen.busy()
        opened = Opened(first, screen.until(TREE), busy)
        screen.settled()
        return opened


def searching(name: str, folder: str) -> None:
    """The lines on searching: what is looked for alone, and from the key to the screen."""
    catalogue = Wanted().of(open_checkpoint(folder))
    catalogue.read_names()
    catalogue.sort_names()
    what = f"{name}, {len(catalogue):,} tensors"
    told(f"{what}, a search alone", [looked_up(catalogue, text) for text in beginnings()])

    with Screen(folder) as screen:
        screen.until(TENSORS)
        first = 1000 * screen.answer("/w").wall
        print(f"{what}, / and a letter as soon as they are there: {first:.0f} ms", flush=True)
        screen.rest()
        answers = []
        for text in TYPED:
            screen.answer(CLEAR)
            answers += [screen.answer(key) for key in (*text, *BACK * 3)]
        told(f"{what}, from key to screen", answers)


def beginnings() -> Iterable[str]:
    """Every beginning of every text that is typed."""
    return (text[:end] for text in TYPED for end in range(1, len(text) + 1))


def looked_up(catalogue: Catalogue, text: str) -> Answer:
    """What it takes to find what has the words of a text, and to sum it up."""
    begin, busy = time.perf_counter(), time.process_time()
    catalogue.figures(catalogue.found(Scope(Query.of(text)), Order("bytes", down=True)))
    return Answer(time.perf_counter() - begin, time.process_time() - busy)


def told(name: str, answers: list[Answer]) -> None:
    """Print a line on the keys of a search."""
    worst, busiest, middle = (
        f"{1000 * seconds:.0f} ms"
        for seconds in (max(a.wall for a in answers), max(a.busy for a in answers), median(a.wall for a in answers))
    )
    count = f", {len(answers)} keys" * (len(answers) > 1)
    print(f"{name}{count}: worst {worst} (bound {BOUND}; processor {busiest}), median {middle}", flush=True)


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(ROOT / "benchmarks" / "inputs.py"), folder], check=True)
        opening(f"{folder}/deepseek", arguments.runs)
        searching("DeepSeek-V3", f"{folder}/deepseek")
        searching("one file", f"{folder}/wide")


if __name__ == "__main__":
    main()
