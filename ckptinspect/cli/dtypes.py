"""``ckptinspect dtypes``."""

from ckptinspect.cli.output import Writer

EXAMPLES = (
    "ckptinspect dtypes",
    "ckptinspect dtypes -f csv",
)


def run(writer: Writer) -> int:
    """Explain the number formats: width, sign, exponent and mantissa bits, largest and smallest values."""
    from ckptinspect.report.dtypes import dtypes_report

    writer.write(dtypes_report())
    return 0
