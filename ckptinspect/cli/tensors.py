"""``ckptinspect tensors``."""

from ckptinspect.cli.options import LimitOpt, MatchOpt, RefArg, SortOpt
from ckptinspect.cli.reading import Reader

EXAMPLES = (
    "ckptinspect tensors openai-community/gpt2 --match 'h.0.*'",
    "ckptinspect tensors ./llama --sort=-bytes --limit 10",
    "ckptinspect tensors Qwen/Qwen3-0.6B -o tensors.csv",
)


def run(ref: RefArg, reader: Reader, match: MatchOpt = None, sort: SortOpt = None, limit: LimitOpt = None) -> int:
    """List every tensor: name, dtype, shape, elements, parameters, bytes, offsets, module and file."""
    from ckptinspect.report.tensors import tensors_report

    checkpoint = reader.read(ref)
    return reader.answer(tensors_report(checkpoint, match, sort, limit), checkpoint)
