"""``ckptinspect tensors``."""

from ckptinspect.cli.options import (
    DebugOpt,
    FormatOpt,
    LimitOpt,
    MatchOpt,
    NoColorOpt,
    OfflineOpt,
    OutputFormat,
    OutputOpt,
    QuietOpt,
    RefArg,
    SortOpt,
    VerboseOpt,
)
from ckptinspect.cli.output import emit
from ckptinspect.cli.reading import read, told

EXAMPLES = (
    "ckptinspect tensors openai-community/gpt2 --match 'h.0.*'",
    "ckptinspect tensors ./llama --sort=-bytes --limit 10",
    "ckptinspect tensors org/name -f csv -o tensors.csv",
)


def run(
    ref: RefArg,
    match: MatchOpt = None,
    sort: SortOpt = None,
    limit: LimitOpt = None,
    form: FormatOpt = OutputFormat.TABLE,
    output: OutputOpt = None,
    offline: OfflineOpt = False,
    quiet: QuietOpt = False,
    verbose: VerboseOpt = False,
    no_color: NoColorOpt = False,
    debug: DebugOpt = False,
) -> int:
    """List every tensor: name, dtype, shape, elements, parameters, bytes, offsets, module and file."""
    from ckptinspect.report.tensors import tensors_report

    checkpoint = read(ref, names=True, via="ranges", offline=offline, quiet=quiet)
    emit(tensors_report(checkpoint, match, sort, limit), form, output, quiet=quiet, no_color=no_color)
    return told(checkpoint, verbose=verbose)
