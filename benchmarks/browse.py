"""How long ``browse`` takes to open, against ``show``, and how long a search takes to answer a key.

``python benchmarks/browse.py [--runs N]``, in an environment with ``ckptinspect[test]``. The checkpoint is DeepSeek-V3
at its full size, as sparse files made on the spot; the terminal is a pseudo-terminal of 80 by 24.
"""

import argparse
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from pairs import run

from ckptinspect.analysis.count import count
from ckptinspect.browse.catalogue import Catalogue, Scope
from ckptinspect.browse.orders import Order
from ckptinspect.browse.search import Query
from ckptinspect.opening import open_checkpoint

ROOT = Path(__file__).parents[1]
OURS = [sys.executable, "-m", "ckptinspect"]
# What stands on the screen once the tensors are there, and once the tree is.
TENSORS, TREE = b"tensors, ", b"layers ("
# What people type, and what costs most: letters that every name has, many parts, signs for any character.
TYPED = ("experts.17. gate", "layers.60", "weight_scale_inv", "*e*e*e*e*", "l?yers ?.w")
QUIET = 0.25


class Opened(NamedTuple):
    """Seconds from the start of the process to what stands on its screen."""

    tensors: float
    tree: float


class Screen:
    """``browse`` on a terminal."""

    def __init__(self, folder: str) -> None:
        self.began = time.perf_counter()
        self.process, self.file = pty.fork()
        if self.process == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            os.execvpe(OURS[0], [*OURS, "browse", folder], os.environ | {"TERM": "xterm-256color"})

    def opened(self) -> Opened:
        """When the tensors and the tree are on the screen."""
        seen, at = b"", dict.fromkeys((TENSORS, TREE), 0.0)
        while not all(at.values()):
            seen += os.read(self.file, 65536)
            now = time.perf_counter() - self.began
            at = {mark: when or (now if mark in seen else 0.0) for mark, when in at.items()}
        return Opened(at[TENSORS], at[TREE])

    def settled(self) -> float:
        """When the last of what is being written came."""
        last = time.perf_counter()
        while select.select([self.file], [], [], QUIET)[0]:
            os.read(self.file, 65536)
            last = time.perf_counter()
        return last

    def answer(self, key: str) -> float:
        """Seconds from a key to the last of what comes of it."""
        begin = time.perf_counter()
        os.write(self.file, key.encode())
        return self.settled() - begin

    def close(self) -> None:
        """Leave it."""
        os.write(self.file, b"\x03")
        try:
            while os.read(self.file, 65536):
                pass
        except OSError:
            os.waitpid(self.process, 0)


def opening(folder: str, runs: int) -> None:
    """The lines on opening: ``show`` and ``browse`` take turns."""
    once(folder), run([*OURS, folder])
    pairs = [(once(folder), run([*OURS, folder]).seconds) for _ in range(runs)]
    base = median(seconds for _, seconds in pairs)
    for name, bound in (("tensors", " (bound 2.0)"), ("tree", "")):
        ratio = median(getattr(opened, name) / seconds for opened, seconds in pairs)
        ours = median(getattr(opened, name) for opened, _ in pairs)
        print(f"browse, to the {name}: {ratio:.2f} x show{bound}; {ours:.3f} s against {base:.3f} s", flush=True)


def once(folder: str) -> Opened:
    """Open it, and leave it."""
    screen = Screen(folder)
    opened = screen.opened()
    screen.settled()
    screen.close()
    return opened


def searching(folder: str) -> None:
    """The lines on searching: what is looked for alone, and from the key to the screen."""
    checkpoint = open_checkpoint(folder)
    catalogue = Catalogue(checkpoint, count(checkpoint))
    catalogue.found(Scope(Query.of("x")), Order())
    told("search, alone", len(catalogue), [looked_up(catalogue, text[:end]) for text, end in keystrokes()])

    screen = Screen(folder)
    screen.opened()
    screen.settled()
    screen.answer("/")
    seconds = []
    for text in TYPED:
        seconds += [screen.answer(key) for key in text]
        screen.answer("\x15")
    screen.close()
    told("search, from key to screen", len(catalogue), seconds)


def keystrokes() -> list[tuple[str, int]]:
    """Every beginning of every text that is typed."""
    return [(text, end) for text in TYPED for end in range(1, len(text) + 1)]


def looked_up(catalogue: Catalogue, text: str) -> float:
    """Seconds to find what has the words of a text, and to sum it up."""
    begin = time.perf_counter()
    catalogue.figures(catalogue.found(Scope(Query.of(text)), Order("bytes", down=True)))
    return time.perf_counter() - begin


def told(name: str, tensors: int, seconds: list[float]) -> None:
    """Print a line on the keys of a search."""
    worst, middle = 1000 * max(seconds), 1000 * median(seconds)
    print(f"{name}, {len(seconds)} keys, {tensors:,} tensors: worst {worst:.0f} ms (bound 100), median {middle:.0f} ms")


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        make = "import sys; from pathlib import Path; from fixtures import deepseek_v3 as d; d.write(Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", make, folder], cwd=ROOT, check=True)
        opening(folder, arguments.runs)
        searching(folder)


if __name__ == "__main__":
    main()
