"""Blocks as a page shows them: those of ``html``, with the data from which its scripts draw and list."""

from collections.abc import Iterator, Sequence
from functools import singledispatch

import msgspec

from ckptinspect.report.cells import written
from ckptinspect.report.document import Bars, Block, Cell, Column, Format, Inside, Sum, Table
from ckptinspect.report.html import elements, text_of
from ckptinspect.report.page.inside import inside_data
from ckptinspect.text import escaped, number_of

# A table of more rows is data, of which a script shows a part at a time: browsers choke on 92,000 rows.
MOST_ROWS = 300
_EXACT = 2**53
_MOST = 10**300


def needs_charts(block: Block) -> bool:
    """Whether there is something to draw that only a charting library draws."""
    return isinstance(block, Sum | Bars | Inside)


@singledispatch
def section(block: Block) -> Iterator[str]:
    """The elements of a block, and its data."""
    yield from elements(block)


@section.register
def _(block: Table) -> Iterator[str]:
    if len(block.rows) <= MOST_ROWS:
        yield from elements(block)
        return
    if block.title:
        yield f"<h2>{text_of(block.title)}</h2>"
    data = {
        "columns": [
            [escaped(column.title), column.is_number, column.format is Format.NAME] for column in block.columns
        ],
        "rows": [_row(row, block.columns) for row in block.rows],
        "foot": [_row(row, block.columns) for row in block.foot],
    }
    yield f'<div class="long-table">{_data(data)}{_needs_script(number_of(len(block.rows), "row"))}</div>'


def _row(row: Sequence[Cell], columns: Sequence[Column]) -> list[object]:
    return [_cell(value, column) for value, column in zip(row, columns, strict=True)]


def _cell(value: Cell, column: Column) -> object:
    """A text or a count as it is; any other number as it is written, with its value."""
    if isinstance(value, int | float) and (column.format is not Format.COUNT or abs(value) >= _EXACT):
        return [written(value, column), _roughly(value)]
    return value if isinstance(value, int) else escaped(written(value, column))


def _roughly(value: float) -> float:
    """The value as far as a script can hold it: what is beyond all measure sorts and is drawn as very much."""
    return float(max(-_MOST, min(value, _MOST)))


@section.register
def _(block: Sum) -> Iterator[str]:
    yield from elements(block)
    data = {"title": block.title, "lines": list(_lines(block))}
    yield f'<div class="chart" data-chart="waterfall" hidden>{_data(data)}</div>'


def _lines(block: Sum) -> Iterator[list[object]]:
    """Each line's value, how it is written and what it is; whether it is what the lines before it come to."""
    for stage in block.stages:
        for value, what in stage.terms:
            yield [_roughly(value), f"{value:,}", escaped(what), False]
        value, what = stage.total
        yield [_roughly(value), f"{value:,}", escaped(what), True]


@section.register
def _(block: Bars) -> Iterator[str]:
    data = {
        "title": block.title,
        "sides": block.sides,
        "rows": [[escaped(name), values] for name, values in block.rows],
    }
    yield f'<div class="chart" data-chart="bars" hidden><h2>{text_of(block.title)}</h2>{_data(data)}</div>'


@section.register
def _(block: Inside) -> Iterator[str]:
    tensors = number_of(block.contents.total.tensors, "tensor")
    yield '<section class="inside">'
    yield f"<h2>What is where</h2>{_data(inside_data(block))}{_needs_script(tensors)}"
    yield "</section>"


def _data(data: object) -> str:
    """Data for a script, in which nothing can end the element that it stands in."""
    text = msgspec.json.encode(data).decode()
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return f'<script type="application/json">{text}</script>'


def _needs_script(what: str) -> str:
    return f"<noscript><p>{what}: to list them here takes JavaScript; -f csv gives them as a file.</p></noscript>"
