"""``ckptinspect diff``."""

from typing import Annotated

import typer
from msgspec.structs import replace

from ckptinspect.cli.options import ByOpt, LimitOpt, MatchOpt
from ckptinspect.cli.reading import Reader
from ckptinspect.errors import CkptInspectError
from ckptinspect.model import Checkpoint

DIFFERENT = 1

EXAMPLES = (
    "ckptinspect diff Qwen/Qwen2-VL-7B-Instruct ./finetuned",
    "ckptinspect diff ./llama ./finetuned --by layer --limit 10",
    "ckptinspect diff ./llama ./finetuned --match '*.self_attn.*' --ignore-dtype",
    "ckptinspect diff ./llama openai-community/gpt2 -o diff.html",
)

OldArg = Annotated[str, typer.Argument(metavar="OLD", help="What was before: any REF, as show takes it.")]
NewArg = Annotated[str, typer.Argument(metavar="NEW", help="What it became: any other.")]
IgnoreDtypeOpt = Annotated[
    bool, typer.Option("--ignore-dtype", help="The same shape in another dtype is no difference.")
]
AllOpt = Annotated[bool, typer.Option("--all", help="A line for each tensor, also for those that are alike.")]


def run(
    old: OldArg,
    new: NewArg,
    reader: Reader,
    by: ByOpt = None,
    match: MatchOpt = None,
    ignore_dtype: IgnoreDtypeOpt = False,
    limit: LimitOpt = None,
    all: AllOpt = False,  # noqa: A002 - what the option is called
) -> int:
    """Tell what changed from OLD to NEW, by their headers: tensors added, removed, renamed, of another shape or dtype.

    It begins with a sentence on what happened; values are not compared. Exits 1 where the two differ.
    """
    from ckptinspect.analysis.diff import diff
    from ckptinspect.analysis.keys import keys_of
    from ckptinspect.report.diff import diff_report

    keys = keys_of(*by) if by else ()
    before, after = _read(reader, old), _read(reader, new)
    found = diff(before, after, match=match, ignore_dtype=ignore_dtype)
    code = reader.answer(diff_report(found, keys, limit, each=all), before, after)
    return max(code, 0 if found.equal else DIFFERENT)


def _read(reader: Reader, ref: str) -> Checkpoint:
    """One side, whose errors say which of the two they are of."""
    try:
        checkpoint = reader.read(ref)
    except CkptInspectError as error:
        raise error if ref in (error.where or "") else error.at(ref) from None
    shards = (replace(s, error=s.error.at(ref)) if s.error is not None else s for s in checkpoint.shards)
    return replace(checkpoint, shards=tuple(shards))
