"""``ckptinspect tree``."""

from typing import Annotated

import typer

from ckptinspect.cli.options import ModuleOpt, RefArg
from ckptinspect.cli.reading import Reader

EXAMPLES = (
    "ckptinspect tree Qwen/Qwen3-0.6B",
    "ckptinspect tree ./llama --depth 2",
    "ckptinspect tree Qwen/Qwen2-VL-7B-Instruct --module visual",
    "ckptinspect tree openai-community/gpt2 -o gpt2.html",
)

DepthOpt = Annotated[
    int | None, typer.Option("--depth", metavar="N", min=0, help="Draw N levels; deeper ones are summed up.")
]


def run(ref: RefArg, reader: Reader, depth: DepthOpt = None, module: ModuleOpt = None) -> int:
    """Draw the module tree as print(model) would, from names and shapes alone: repeated layers folded, with sums."""
    from ckptinspect.report.tree import tree_report

    checkpoint = reader.read(ref)
    return reader.answer(tree_report(checkpoint, module, depth), checkpoint)
