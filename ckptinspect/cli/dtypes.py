"""``ckptinspect dtypes``."""

from ckptinspect.cli.options import DebugOpt, FormatOpt, NoColorOpt, OutputFormat, OutputOpt, QuietOpt
from ckptinspect.cli.output import emit

EXAMPLES = (
    "ckptinspect dtypes",
    "ckptinspect dtypes -f csv",
)


def run(
    form: FormatOpt = OutputFormat.TABLE,
    output: OutputOpt = None,
    quiet: QuietOpt = False,
    no_color: NoColorOpt = False,
    debug: DebugOpt = False,
) -> int:
    """Explain the number formats: width, sign, exponent and mantissa bits, largest and smallest values."""
    from ckptinspect.report.dtypes import dtypes_report

    emit(dtypes_report(), form, output, quiet=quiet, no_color=no_color)
    return 0
