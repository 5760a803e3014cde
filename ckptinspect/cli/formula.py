"""``ckptinspect formula``."""

from typing import Annotated

import typer

from ckptinspect.cli.options import ModuleOpt, RefArg
from ckptinspect.cli.reading import Reader

EXAMPLES = (
    "ckptinspect formula Qwen/Qwen3-0.6B",
    "ckptinspect formula ./llama --symbols",
    "ckptinspect formula Qwen/Qwen2-VL-7B-Instruct --module visual -f json",
)

SymbolsOpt = Annotated[bool, typer.Option("--symbols", help="Write the config's names instead of numbers.")]


def run(ref: RefArg, reader: Reader, module: ModuleOpt = None, symbols: SymbolsOpt = False) -> int:
    """Derive the closed form of the parameter count from the shapes, with numbers or with the config's names."""
    from ckptinspect.report.formula import formula_report

    checkpoint = reader.read(ref)
    return reader.answer(formula_report(checkpoint, module, symbols=symbols), checkpoint)
