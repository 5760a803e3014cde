"""Answers as HTML elements, without a page around them: what a notebook shows, and what a page is made of.

Nothing in it starts a script or a request, whatever the names from a file are.
"""

from collections.abc import Iterator, Sequence
from functools import singledispatch
from html import escape
from typing import TextIO

from ckptinspect.report.cells import written
from ckptinspect.report.document import (
    Branch,
    Cell,
    Column,
    Figure,
    Figures,
    Format,
    Formulas,
    Lines,
    Plot,
    Remark,
    Remarks,
    Report,
    Sum,
    Table,
    Tree,
)
from ckptinspect.text import bytes_text, escaped

# Names up to this stay on one line; the table scrolls for them.
_LONG = 100


def fragment(report: Report, out: TextIO) -> None:
    """Write a report's elements."""
    out.write(f"<h1>{text_of(report.title)}</h1>\n")
    for block in report.blocks:
        out.writelines(f"{line}\n" for line in elements(block))
    out.writelines(f"{line}\n" for line in notes_of(report))


def notes_of(report: Report) -> Iterator[str]:
    """The notes as a list, where there are any."""
    if report.notes:
        yield '<h2>Notes</h2>\n<ul class="notes">'
        yield from (f"<li>{text_of(note)}</li>" for note in report.notes)
        yield "</ul>"


def text_of(text: str) -> str:
    """Text as it may stand in an element or an attribute, with what could act or reorder written as an escape."""
    return escape(escaped(text), quote=True)


@singledispatch
def elements(block: object) -> Iterator[str]:
    """The elements of a block, a line for each."""
    raise TypeError(f"no way to write a {type(block).__name__}")


@elements.register
def _(block: Table) -> Iterator[str]:
    if block.title:
        yield f"<h2>{text_of(block.title)}</h2>"
    yield '<div class="wide"><table class="rows">'
    heads = "".join(f'<th scope="col"{_class(column)}>{text_of(column.title)}</th>' for column in block.columns)
    yield f"<thead><tr>{heads}</tr></thead>\n<tbody>"
    for row in block.rows:
        yield _row(row, block.columns)
    yield "</tbody>"
    if block.foot:
        yield "<tfoot>"
        yield from (_row(row, block.columns) for row in block.foot)
        yield "</tfoot>"
    yield "</table></div>"


def _row(row: Sequence[Cell], columns: Sequence[Column]) -> str:
    return f"<tr>{''.join(_cell(value, column) for value, column in zip(row, columns, strict=True))}</tr>"


def _cell(value: Cell, column: Column) -> str:
    """A cell; a number that is written in short, or as a share, has its value beside it, to be sorted by."""
    text = text_of(written(value, column))
    exact = column.format is not Format.COUNT and isinstance(value, int | float)
    return f"<td{_class(column, text)}{_value(value) if exact else ''}>{text}</td>"


def _value(value: Cell) -> str:
    return f' data-value="{value}"'


def _class(column: Column, text: str = "") -> str:
    if column.is_number:
        return ' class="n"'
    if len(text) > _LONG:
        return ' class="name long"'
    return ' class="name"' if column.format is Format.NAME else ""


@elements.register
def _(block: Sum) -> Iterator[str]:
    columns = (Column("elements"), Column("what"))
    yield f'{f"<h2>{text_of(block.title)}</h2>" if block.title else ""}<div class="wide"><table>'
    yield f'<thead><tr><th scope="col" class="n">{columns[0].title}</th><th scope="col">what</th></tr></thead>'
    for stage in block.stages:
        yield "<tbody>"
        for value, what in stage.terms:
            yield f'<tr><td class="n">{value:,}</td><td>{text_of(what)}</td></tr>'
        value, what = stage.total
        yield f'<tr class="sum"><td class="n">{value:,}</td><td>{text_of(what)}</td></tr></tbody>'
    yield "</table></div>"


@elements.register
def _(block: Tree) -> Iterator[str]:
    if block.title:
        yield f"<h2>{text_of(block.title)}</h2>"
    yield '<div class="tree"><ul>'
    yield from _branch(block.root)
    yield "</ul></div>"


def _branch(branch: Branch) -> Iterator[str]:
    figures = f'<span class="figures">{branch.parameters:,} · {bytes_text(branch.nbytes)}</span>'
    line = f"<strong>{text_of(branch.label)}</strong> {text_of(branch.detail)} {figures}"
    if not branch.children:
        yield f"<li>{line}</li>"
        return
    yield f"<li><details open><summary>{line}</summary><ul>"
    for child in branch.children:
        yield from _branch(child)
    yield "</ul></details></li>"


@elements.register
def _(block: Lines) -> Iterator[str]:
    yield from (f"<p>{text_of(line)}</p>" for line in block.lines)


@elements.register
def _(block: Formulas) -> Iterator[str]:
    for name, expression, value in block.equations:
        same = "" if expression == str(value) else f" =<br><code>{text_of(expression)}</code>"
        yield f"<p><strong>{text_of(name)}</strong> = {value:,}{same}</p>"


@elements.register
def _(block: Figures) -> Iterator[str]:
    for group in block.groups:
        yield f"<h2>{text_of(group.title)}</h2>"
        yield from (f"<p>{text_of(about)}</p>" for about in group.about)
        yield '<div class="wide"><table>'
        yield '<thead><tr><th scope="col">figure</th><th scope="col" class="n">value</th><td></td><td></td>'
        yield '<th scope="col">formula</th></tr></thead>'
        yield "<tbody>"
        yield from map(_figure, group.figures)
        yield "</tbody></table></div>"
        if group.remarks:
            yield f"<ol>{''.join(f'<li>{text_of(remark)}</li>' for remark in group.remarks)}</ol>"
    yield f"<p>{text_of(block.legend)}</p>"


def _figure(figure: Figure) -> str:
    value = f"{figure.value:,}" if figure.value is not None else "–"
    numbers = "".join(f'<td class="n">{text_of(text)}</td>' for text in (value, figure.short, figure.binary))
    derivation = [text_of(part) for part in figure.derivation]
    as_name = _class(Column("formula", Format.NAME), max(derivation, key=len))
    return f"<tr><td>{text_of(figure.name)}</td>{numbers}<td{as_name}>{'<br>'.join(derivation)}</td></tr>"


@elements.register
def _(block: Remarks) -> Iterator[str]:
    yield '<section class="findings">'
    if block.title:
        yield f"<h2>{text_of(block.title)}</h2>"
    for place, remarks in block.places:
        yield f'<div class="place">{f"<h3><code>{text_of(place)}</code></h3>" if place else ""}<ul>'
        yield from map(_remark, remarks)
        yield "</ul></div>"
    yield "</section>"


def _remark(remark: Remark) -> str:
    severity, rule = text_of(remark.severity), text_of(remark.rule)
    hint = f' <span class="hint">Try: {text_of(remark.hint)}.</span>' if remark.hint else ""
    said = f'<strong class="{severity}">{severity}</strong> <code>{rule}</code> {text_of(remark.text)}.{hint}'
    return f'<li data-severity="{severity}" data-rule="{rule}">{said}</li>'


@elements.register
def _(block: Plot) -> Iterator[str]:
    from ckptinspect.report.plot import svg

    yield f"<h2>{text_of(block.title)}</h2>"
    yield f'<div class="wide">{svg(block)}</div>'
