"""One way to write each kind of value, for every renderer that people read."""

from ckptinspect.report.document import Cell, Column, Format
from ckptinspect.text import bytes_text, count_text


def written(value: Cell, column: Column) -> str:
    """A cell's text, not yet escaped for where it goes.

    >>> written(8291375616, Column("parameters", Format.COUNT))
    '8,291,375,616'
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if column.format is Format.SHARE:
        return f"{value * 100:.2f} %"
    if column.format is Format.SHORT_BYTES and isinstance(value, int):
        return bytes_text(value)
    if column.format is Format.SHORT_COUNT and isinstance(value, int):
        return count_text(value)
    if column.format is Format.COUNT_CHANGE and isinstance(value, int):
        return f"{value:+,}" if value else "0"
    if column.format is Format.BYTES_CHANGE and isinstance(value, int):
        return ("+" if value > 0 else "") + bytes_text(value)
    if column.format is Format.DECIMAL:
        return f"{value:.2f}" if value >= 1 else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
