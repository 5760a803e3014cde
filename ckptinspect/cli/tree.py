"""``ckptinspect tree``."""

from typing import Annotated

import typer

from ckptinspect.cli.options import (
    DebugOpt,
    FormatOpt,
    NoColorOpt,
    OfflineOpt,
    OutputFormat,
    OutputOpt,
    QuietOpt,
    RefArg,
    VerboseOpt,
)
from ckptinspect.cli.output import emit
from ckptinspect.cli.reading import read, told

EXAMPLES = (
    "ckptinspect tree Qwen/Qwen3-0.6B",
    "ckptinspect tree ./llama --depth 2",
    "ckptinspect tree org/name --module visual",
    "ckptinspect tree openai-community/gpt2 -f html -o gpt2.html",
)

ModuleOpt = Annotated[
    str | None, typer.Option("--module", metavar="MODULE", help="Only this module, as show names it.")
]
DepthOpt = Annotated[
    int | None, typer.Option("--depth", metavar="N", min=0, help="Draw N levels; deeper ones are summed up.")
]


def run(
    ref: RefArg,
    depth: DepthOpt = None,
    module: ModuleOpt = None,
    form: FormatOpt = OutputFormat.TABLE,
    output: OutputOpt = None,
    offline: OfflineOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = False,
    no_color: NoColorOpt = False,
    debug: DebugOpt = False,
) -> int:
    """Draw the module tree as print(model) would, from names and shapes alone: repeated layers folded, with sums."""
    from ckptinspect.report.tree import tree_report

    checkpoint = read(ref, names=True, via="ranges", offline=offline, quiet=quiet)
    emit(tree_report(checkpoint, module, depth), form, output, quiet=quiet, no_color=no_color)
    return told(checkpoint, verbose=verbose)
