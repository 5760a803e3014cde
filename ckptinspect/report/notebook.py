"""What a notebook shows of a value."""

from functools import singledispatch
from io import StringIO

from ckptinspect.analysis.count import Count
from ckptinspect.analysis.diff import Diff
from ckptinspect.model import Checkpoint
from ckptinspect.notebook import Columns
from ckptinspect.report.diff import diff_report
from ckptinspect.report.document import Cell, Column, Format, Report, Table
from ckptinspect.report.html import fragment
from ckptinspect.report.show import show_report


def html_of(value: object) -> str:
    """The tables of a value as HTML, without page or style around them."""
    out = StringIO()
    fragment(_report(value), out)
    return out.getvalue()


@singledispatch
def _report(value: object) -> Report:
    raise TypeError(f"no way to show a {type(value).__name__}")


@_report.register
def _(value: Checkpoint) -> Report:
    return show_report(value)


@_report.register
def _(value: Diff) -> Report:
    return diff_report(value)


@_report.register
def _(value: Count) -> Report:
    return Report("count", value, f"{value.total.parameters:,} parameters", (_table(value.columns("module,dtype")),))


def _table(columns: Columns) -> Table:
    """Columns of names and of whole numbers as a table."""
    heads = tuple(
        Column(name.replace("_", " "), Format.COUNT if all(isinstance(value, int) for value in values) else Format.NAME)
        for name, values in columns.items()
    )
    rows: list[tuple[Cell, ...]] = [
        tuple(value if isinstance(value, int) else str(value) for value in row)
        for row in zip(*columns.values(), strict=True)
    ]
    return Table(heads, rows)
