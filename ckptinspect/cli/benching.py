"""From the options of ``bench`` to a run, its progress on a terminal, and the exit code it asks for."""

import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Self

from ckptinspect.bench import units
from ckptinspect.bench.base import Cache
from ckptinspect.bench.files import ALIGNMENT
from ckptinspect.bench.plan import Settings
from ckptinspect.bench.run import Outcome, Step, bench
from ckptinspect.bench.subject import found_at
from ckptinspect.bench.synthetic import synthetic as made
from ckptinspect.bench.worker import storage_reads
from ckptinspect.cli.bench import Asked
from ckptinspect.cli.main import FORMAT, PARTIAL, SOURCE, USAGE
from ckptinspect.cli.output import write_whole
from ckptinspect.errors import RefError
from ckptinspect.report import plot
from ckptinspect.report.bench import bench_report
from ckptinspect.report.document import Plot, Report
from ckptinspect.text import bytes_text, escaped, quoted

_CODES = {"usage": USAGE, "source": SOURCE, "format": FORMAT}
_DEVICE = re.compile(r"auto|cpu|cuda(?::[0-9]{1,3})?")
_MOST_THREADS = 16
_TOLD = 3


def settings_of(asked: Asked) -> Settings:
    """What the options ask for. Raises RefError for what has no meaning."""
    if _DEVICE.fullmatch(asked.device) is None:
        raise RefError(f"{quoted(asked.device)} is no device", "--device", "write auto, cpu or cuda:N")
    if asked.numa not in {"auto", "none"} and not (asked.numa.isascii() and asked.numa.isdigit()):
        raise RefError(f"{quoted(asked.numa)} is no memory node", "--numa", "write auto, none or a number")
    return Settings(
        device="cuda:0" if asked.device == "cuda" else asked.device,
        methods=units.several(asked.methods, str, "--methods") if asked.methods is not None else None,
        peers=_peers(asked.peers),
        caches=units.several(asked.cache, _cache, "--cache"),
        rounds=asked.rounds,
        budget=units.seconds(asked.budget, "--budget"),
        threads=_threads(asked.threads),
        chunk=_chunk(asked.chunk),
        max_bytes=units.size(asked.max_bytes, "--max-bytes"),
        check=asked.verify,
        evicts=not asked.no_evict,
        numa=asked.numa,
        seed=int.from_bytes(os.urandom(4)) if asked.seed is None else asked.seed,
    )


def _peers(text: str) -> tuple[str, ...] | None:
    if text == "auto":
        return None
    return () if text == "none" else units.several(text.replace("peer:", ""), str, "--peers")


def _cache(text: str) -> Cache:
    try:
        return Cache(text)
    except ValueError:
        hint = f"choose from {', '.join(Cache)}"
        raise RefError(f"{quoted(text)} is no state of the cache", "--cache", hint) from None


def _chunk(text: str) -> int:
    chunk = units.size(text, "--chunk")
    if chunk % ALIGNMENT or chunk > 1 << 30:
        raise RefError(f"{chunk} bytes are no multiple of {ALIGNMENT} up to 1 GiB", "--chunk", "write it as 16MiB")
    return chunk


def _threads(text: str | None) -> tuple[int, ...]:
    """The numbers of threads to try; 1, 2, 4, … up to twice the processors where none are given."""
    if text is not None:
        return units.several(text, units.threads, "--threads")
    most = min(_MOST_THREADS, 2 * len(os.sched_getaffinity(0)))
    return tuple(1 << power for power in range(most.bit_length()))


def measured(
    paths: Sequence[str], synthetic: str | None, folder: str, settings: Settings, *, quiet: bool
) -> tuple[Report, Outcome]:
    """Run it on the files named, or on one made for it."""
    if (synthetic is None) == (not paths):
        what = "name files to measure, or a --synthetic SIZE" if not paths else "either files or --synthetic, not both"
        raise RefError(what, hint="see ckptinspect bench --help")
    with unwinding(), ExitStack() as until, _Line(quiet=quiet) as line:
        if synthetic is not None:
            size = units.size(synthetic, "--synthetic")
            line.say(f"writing {bytes_text(size)} of random bytes")
            paths = [until.enter_context(made(size, folder, settings.seed))]
        outcome = bench(found_at(paths, settings.max_bytes), settings, line)
        return bench_report(outcome), outcome


@contextmanager
def unwinding() -> Iterator[None]:
    """A request to end (SIGTERM, SIGHUP) unwinds as an interrupt does: files made are deleted, warmth is given back.

    What somebody else takes care of, or ignores (nohup), is left to them.
    """

    def ended(number: int, _: object) -> None:
        sys.exit(128 + number)

    ours = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, ended)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def check_drawable(path: str) -> None:
    """Raise before a long run what would be raised behind it: for a picture of no kind, or one that cannot be drawn."""
    if not path.endswith((".png", ".svg")):
        raise RefError("a plot is an .svg or a .png", "--plot", f"call it {os.path.basename(path)}.svg")
    if path.endswith(".png"):
        plot.need_matplotlib()


def draw(report: Report, path: str) -> None:
    """Write the plots to a file, if anything was measured."""
    if plots := [block for block in report.blocks if isinstance(block, Plot)]:
        write_whole(path, plot.png(plots) if path.endswith(".png") else plot.page(plots).encode())
    else:
        sys.stderr.write("note: nothing was measured, so there is nothing to draw\n")


def finished(outcome: Outcome) -> int:
    """Say which files could not be measured; the exit code."""
    files = [item for item in outcome.skipped if item.path is not None]
    for item in files[:_TOLD]:
        told = item.reason.removeprefix(f"{item.path}: ")
        sys.stderr.write(f"error: {escaped(f'{item.path}: {told}')}\n")
    if len(files) > _TOLD:
        sys.stderr.write(f"error: {len(files) - _TOLD} more files could not be measured\n")
    wrong = any(trial.bytes == "differ" for trial in outcome.trials)
    if files and not outcome.trials:
        return max(_CODES.get(item.kind or "", SOURCE) for item in files)
    return PARTIAL if files else int(wrong)


class _Line:
    """One line on a terminal that tells how far a run is; nothing where nobody watches.

    How fast a load is going is read from the kernel's count of its process: the load itself is not asked.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.watched = not quiet and sys.stderr.isatty()
        self._step: Step | None = None
        self._began = 0.0
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.say("")

    def say(self, text: str) -> None:
        """Put this on the line."""
        if self.watched:
            room = os.get_terminal_size(sys.stderr.fileno()).columns - 1
            sys.stderr.write(f"\r\x1b[2K{escaped(text)[:room]}")
            sys.stderr.flush()

    def begin(self, step: Step) -> None:
        """A load is about to start."""
        self._step, self._began, self._read = step, 0.0, 0
        self.say(self._text())

    def tick(self, process: int) -> None:
        """It runs."""
        read = storage_reads(process) or 0
        now = time.monotonic()
        if not self._began:
            self._began, self._read = now, read
        elif (gone := now - self._began) > 0:
            self.say(f"{self._text()}  {(read - self._read) / gone / 1e6:,.0f} MB/s from storage")

    def _text(self) -> str:
        step = self._step
        if step is None:
            return ""
        which = f"round {step.round}/{step.rounds}" if step.round else "warm-up"
        left = f"  about {step.left:.0f} s left" if step.left is not None else ""
        return f"{which}  {step.number}/{step.total}  {step.cache} {step.method}{left}"
