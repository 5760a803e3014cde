"""``ckptinspect formula``."""

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
    "ckptinspect formula Qwen/Qwen3-0.6B",
    "ckptinspect formula ./llama --symbols",
    "ckptinspect formula org/name --module visual -f json",
)

ModuleOpt = Annotated[
    str | None, typer.Option("--module", metavar="MODULE", help="Only this module, as show names it.")
]
SymbolsOpt = Annotated[bool, typer.Option("--symbols", help="Write the config's names instead of numbers.")]


def run(
    ref: RefArg,
    module: ModuleOpt = None,
    symbols: SymbolsOpt = False,
    form: FormatOpt = OutputFormat.TABLE,
    output: OutputOpt = None,
    offline: OfflineOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = False,
    no_color: NoColorOpt = False,
    debug: DebugOpt = False,
) -> int:
    """Derive the closed form of the parameter count from the shapes, with numbers or with the config's names."""
    from ckptinspect.report.formula import formula_report

    checkpoint = read(ref, names=True, via="ranges", offline=offline, quiet=quiet)
    emit(formula_report(checkpoint, module, symbols=symbols), form, output, quiet=quiet, no_color=no_color)
    return told(checkpoint, verbose=verbose)
