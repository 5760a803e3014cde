"""``ckptinspect show``."""

from typing import Annotated

import typer

from ckptinspect.cli.options import (
    DebugOpt,
    FormatOpt,
    LimitOpt,
    NoColorOpt,
    OfflineOpt,
    OutputFormat,
    OutputOpt,
    QuietOpt,
    RefArg,
    SortOpt,
    VerboseOpt,
    Via,
    ViaOpt,
)
from ckptinspect.cli.output import emit
from ckptinspect.cli.reading import read, told

EXAMPLES = (
    "ckptinspect Qwen/Qwen3-0.6B",
    "ckptinspect model.safetensors --by dtype",
    "ckptinspect show ./llama --by layer,role --sort=-bytes --limit 10",
    "ckptinspect hf://org/name@v1.0/unet -f json",
)

ByOpt = Annotated[
    str | None,
    typer.Option(
        metavar="KEYS", help="Group by any of module, dtype, layer, role, shard, depth:N, with commas between."
    ),
]


def run(
    ref: RefArg,
    by: ByOpt = None,
    sort: SortOpt = None,
    limit: LimitOpt = None,
    form: FormatOpt = OutputFormat.TABLE,
    output: OutputOpt = None,
    via: ViaOpt = Via.AUTO,
    offline: OfflineOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = False,
    no_color: NoColorOpt = False,
    debug: DebugOpt = False,
) -> int:
    """Show what is in a checkpoint: modules and dtypes with parameters and bytes, and how the count comes about."""
    from ckptinspect.analysis.keys import keys_of
    from ckptinspect.report.show import show_report

    keys = keys_of(by) if by else ()
    checkpoint = read(ref, names=any(key.needs_names for key in keys), via=via, offline=offline, quiet=quiet)
    emit(show_report(checkpoint, keys, sort, limit), form, output, quiet=quiet, no_color=no_color)
    return told(checkpoint, verbose=verbose)
