"""``ckptinspect bench``."""

import sys
from typing import Annotated

import msgspec
import typer

from ckptinspect.bench.verify import Check
from ckptinspect.cli.output import Writer
from ckptinspect.errors import UnavailableError

EXAMPLES = (
    "ckptinspect bench ./llama",
    "ckptinspect bench --synthetic 4GiB --dir /mnt/nvme",
    "ckptinspect bench model.safetensors --cache cold --rounds 15 --budget 10m",
    "ckptinspect bench ./llama --device cuda:0 --peers none -f html -o load.html",
)

PathsArg = Annotated[
    list[str] | None,
    typer.Argument(metavar="PATH", help="Files, folders or indexes on this machine.", show_default=False),
]
SyntheticOpt = Annotated[
    str | None, typer.Option("--synthetic", metavar="SIZE", help="Make a file of random bytes, measure it, delete it.")
]
DirOpt = Annotated[str, typer.Option("--dir", metavar="DIR", help="Where to make it: on the storage to be measured.")]
DeviceOpt = Annotated[str, typer.Option(metavar="auto|cpu|cuda:N", help="Where to load to.")]
MethodsOpt = Annotated[
    str | None, typer.Option(metavar="NAMES", help="Only these methods; globs, with commas between (read-*,gds).")
]
PeersOpt = Annotated[
    str,
    typer.Option(metavar="auto|none|NAMES", help="Other packages' loaders: all that are installed, none, or these."),
]
CacheOpt = Annotated[str, typer.Option(metavar="STATES", help="Any of cold, warm, as-is, with commas between.")]
RoundsOpt = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Rounds after the warm-up; 7, and more if time, where not given.")
]
BudgetOpt = Annotated[str, typer.Option(metavar="TIME", help="No new round that would end later than this.")]
ThreadsOpt = Annotated[
    str | None, typer.Option(metavar="N,…", help="Numbers of threads to try; the warm-up picks one for each pattern.")
]
ChunkOpt = Annotated[str, typer.Option(metavar="SIZE", help="Bytes of one read.")]
MaxBytesOpt = Annotated[str, typer.Option(metavar="SIZE", help="Load no more than this: whole files, at least one.")]
VerifyOpt = Annotated[Check, typer.Option(help="How many of the bytes that arrived to compare with the file.")]
NoEvictOpt = Annotated[bool, typer.Option("--no-evict", help="Drop nothing from the page cache: no cold rounds.")]
NumaOpt = Annotated[str, typer.Option(metavar="auto|none|N", help="Run next to this memory node; auto: the GPU's.")]
SeedOpt = Annotated[int | None, typer.Option(metavar="N", min=0, help="Repeat the order of an earlier run.")]
PlotOpt = Annotated[
    str | None, typer.Option(metavar="FILE", help="Draw every round to a .svg or, with matplotlib, a .png.")
]


class Asked(msgspec.Struct, frozen=True):
    """How to measure, as it was typed."""

    device: DeviceOpt = "auto"
    methods: MethodsOpt = None
    peers: PeersOpt = "auto"
    cache: CacheOpt = "cold,warm"
    rounds: RoundsOpt = None
    budget: BudgetOpt = "120s"
    threads: ThreadsOpt = None
    chunk: ChunkOpt = "16MiB"
    max_bytes: MaxBytesOpt = "8GiB"
    verify: VerifyOpt = Check.SAMPLE
    no_evict: NoEvictOpt = False
    numa: NumaOpt = "auto"
    seed: SeedOpt = None


def run(
    asked: Asked,
    writer: Writer,
    paths: PathsArg = None,
    synthetic: SyntheticOpt = None,
    dir: DirOpt = ".",  # noqa: A002 - it is what the option is called
    plot: PlotOpt = None,
) -> int:
    """Measure how fast a checkpoint loads, beside what the storage and the link could do.

    Every load is a fresh process, its cache state is proved, its bytes are checked. Files are only ever read;
    cold rounds drop them, and nothing else, from the page cache, and what was cached is cached again.
    """
    if sys.platform != "linux":
        raise UnavailableError("bench needs Linux: it proves the state of the page cache by what Linux tells of it")
    from ckptinspect.cli.benching import check_drawable, draw, finished, measured, settings_of

    if plot is not None:
        check_drawable(plot)
    report, outcome = measured(paths or [], synthetic, dir, settings_of(asked), quiet=writer.quiet)
    writer.write(report)
    if plot is not None:
        draw(report, plot)
    return finished(outcome)
