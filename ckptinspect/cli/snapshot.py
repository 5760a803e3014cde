"""``ckptinspect snapshot``."""

from typing import Annotated

import typer

from ckptinspect.cli.options import RefArg
from ckptinspect.cli.output import write_whole
from ckptinspect.cli.reading import Reader, bar

EXAMPLES = (
    "ckptinspect snapshot Qwen/Qwen3-0.6B -o qwen3.snap",
    "ckptinspect show qwen3.snap",
)

SnapshotOpt = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Where to put the snapshot.")]


def run(ref: RefArg, output: SnapshotOpt, reader: Reader) -> int:
    """Keep the headers, config and index in one small file that every verb takes as a REF."""
    from ckptinspect.opening import explained, source_of
    from ckptinspect.refs import parse_ref
    from ckptinspect.report.snapshot import snapshot_report
    from ckptinspect.snapshot import take
    from ckptinspect.sources.base import run as run_with

    asked = parse_ref(ref)
    parsed, source = source_of(asked, offline=reader.offline)
    with explained(asked), bar(quiet=reader.quiet) as progress:
        snapshot = run_with(source, take(source, parsed, progress))
    write_whole(output, snapshot.content)
    reader.confirm(snapshot_report(snapshot, output))
    return reader.told(snapshot.checkpoint)
