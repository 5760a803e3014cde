"""From a REF on the command line to its checkpoint, with progress on a terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from ckptinspect.checkpoint import Progress, Reading
from ckptinspect.cli.main import PARTIAL
from ckptinspect.cli.options import OfflineOpt, VerboseOpt
from ckptinspect.cli.output import Writer
from ckptinspect.model import Checkpoint
from ckptinspect.opening import open_reading
from ckptinspect.refs import parse_ref
from ckptinspect.report.document import Report
from ckptinspect.text import bytes_text, escaped

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

    from ckptinspect.audit.batch import BatchReport

_WORTH_A_BAR = 8
_PATIENCE = 0.3
_TOLD = 20


class Reader(Writer, frozen=True):
    """How a checkpoint is read and its answer written: the options of every verb that takes a REF."""

    offline: OfflineOpt = False
    verbose: VerboseOpt = False

    def read(self, ref: str, *, names: bool = True, via: str = "ranges") -> Checkpoint:
        """The checkpoint at ``ref``; a bar on stderr where there are many shards and somebody watches."""
        with bar(quiet=self.quiet) as progress:
            return open_reading(parse_ref(ref), Reading(names, via, progress), offline=self.offline)

    def answer(self, report: Report, *checkpoints: Checkpoint) -> int:
        """Write what was found in these checkpoints; the exit code that the reading of them asks for."""
        self.write(report)
        return max(self.told(checkpoint) for checkpoint in checkpoints)

    def told(self, checkpoint: Checkpoint) -> int:
        """Say on stderr which shards failed and, if asked, what was read; the exit code that this asks for."""
        failed = [shard for shard in checkpoint.shards if shard.error is not None]
        for shard in failed[:_TOLD]:
            sys.stderr.write(f"error: {escaped(str(shard.error))}\n")
        if len(failed) > _TOLD:
            sys.stderr.write(f"error: {len(failed) - _TOLD} more shards could not be read\n")
        if self.verbose:
            way = f"{checkpoint.requests} requests, " if checkpoint.requests else ""
            sys.stderr.write(f"read {bytes_text(checkpoint.bytes_read)} ({way}via {checkpoint.via})\n")
        return PARTIAL if failed else 0


@contextmanager
def bar(*, quiet: bool, what: str = "reading headers") -> Iterator[Progress | None]:
    """What to call with shards done and in all; None where nobody watches. Drawn once it is worth looking at."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    began = time.monotonic()
    with ExitStack() as drawn:
        draw: list[Progress] = []

        def advance(done: int, total: int) -> None:
            if not draw and total >= _WORTH_A_BAR and time.monotonic() - began > _PATIENCE:
                draw.append(_drawn(drawn, total, what))
            for shown in draw:
                shown(done, total)

        yield advance


@contextmanager
def byte_bar(*, quiet: bool, what: str = "comparing contents") -> Iterator[Progress | None]:
    """The same for bytes, drawn at once: reading whole files takes its time."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import DownloadColumn, TimeRemainingColumn, TransferSpeedColumn

    with ExitStack() as drawn:
        draw: list[Progress] = []

        def advance(done: int, total: int) -> None:
            if not draw:
                draw.append(_drawn(drawn, total, what, DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()))
            draw[0](done, total)

        yield advance


@contextmanager
def standing(total: int | None, *, quiet: bool) -> "Iterator[Callable[[BatchReport], None]]":
    """What to call with each batch of a run; where somebody watches, it shows rate, time to go and findings."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    from ckptinspect.report.fleet import Course

    figures = TextColumn("{task.fields[figures]}", markup=False)
    columns = (TextColumn("auditing"), BarColumn(), MofNCompleteColumn(), figures)
    course = Course(total, time.monotonic())
    with Bar(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total, figures="")

        def advance(report: "BatchReport") -> None:
            course.add(report)
            progress.update(task, completed=course.done, figures=course.text(time.monotonic()))

        yield advance


def _drawn(until: ExitStack, total: int, what: str, *figures: "ProgressColumn") -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    shown = figures or (MofNCompleteColumn(), TimeElapsedColumn())
    progress = until.enter_context(
        Bar(TextColumn(what), BarColumn(), *shown, console=Console(stderr=True), transient=True)
    )
    task = progress.add_task("", total=total)
    return lambda done, _: progress.update(task, completed=done)
