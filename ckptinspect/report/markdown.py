"""Markdown, to paste into an issue or a model card."""

from collections.abc import Iterator, Sequence
from functools import singledispatch
from typing import TextIO

from ckptinspect.report.cells import written
from ckptinspect.report.document import (
    Branch,
    Cell,
    Column,
    Figures,
    Formulas,
    Lines,
    Plot,
    Remarks,
    Report,
    Sum,
    Table,
    Tree,
)
from ckptinspect.text import bytes_text, escaped

_ACTIVE = str.maketrans({char: f"\\{char}" for char in "\\`*_{}[]<>()#+!|~$&"})


def render(report: Report, out: TextIO) -> None:
    """Write a report as Markdown; names from files come out as text, whatever markup they hold."""
    out.write(f"## {_text(report.title)}\n")
    for block in report.blocks:
        if isinstance(block, Plot):
            continue
        out.write("\n")
        out.writelines(f"{line}\n" for line in _lines(block))
    if report.notes:
        # Without a heading the notes would go on with the list of a tree.
        out.write("\n### Notes\n\n")
    out.writelines(f"- {_text(note)}\n" for note in report.notes)


def _text(text: str) -> str:
    return escaped(text).translate(_ACTIVE)


@singledispatch
def _lines(block: object) -> Iterator[str]:
    raise TypeError(f"no way to write a {type(block).__name__}")


@_lines.register
def _(block: Table) -> Iterator[str]:
    if block.title:
        yield from (f"### {_text(block.title)}", "")
    yield _row([_text(column.title) for column in block.columns])
    yield _row(["---:" if column.is_number else "---" for column in block.columns])
    for row in block.rows:
        yield _row(_cells(row, block.columns))
    for row in block.foot:
        yield _row([f"**{cell}**" if cell else "" for cell in _cells(row, block.columns)])


def _cells(row: Sequence[Cell], columns: Sequence[Column]) -> list[str]:
    return [_text(written(value, column)) for value, column in zip(row, columns, strict=True)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


@_lines.register
def _(block: Sum) -> Iterator[str]:
    if block.title:
        yield from (f"### {_text(block.title)}", "")
    yield _row(["elements", "what"])
    yield _row(["---:", "---"])
    for stage in block.stages:
        for value, what in stage.terms:
            yield _row([f"{value:,}", _text(what)])
        yield _row([f"**{stage.total[0]:,}**", f"**{_text(stage.total[1])}**"])


@_lines.register
def _(block: Tree) -> Iterator[str]:
    yield from _branch(block.root, 0)


def _branch(branch: Branch, depth: int) -> Iterator[str]:
    detail = f" {_text(branch.detail)}" if branch.detail else ""
    figures = f"{branch.parameters:,} parameters, {bytes_text(branch.nbytes)}"
    yield f"{'  ' * depth}- **{_text(branch.label)}**{detail}: {figures}"
    for child in branch.children:
        yield from _branch(child, depth + 1)


@_lines.register
def _(block: Lines) -> Iterator[str]:
    for line in block.lines:
        yield _text(line)
        yield ""


@_lines.register
def _(block: Formulas) -> Iterator[str]:
    for name, expression, value in block.equations:
        same = "" if expression == str(value) else f" = `{expression}`"
        yield f"- **{_text(name)}** = {value:,}{same}"


@_lines.register
def _(block: Figures) -> Iterator[str]:
    for group in block.groups:
        yield from (f"### {_text(group.title)}", "")
        yield from (line for about in group.about for line in (_text(about), ""))
        yield _row(["figure", "value", "", "", "formula"])
        yield _row(["---", "---:", "---:", "---:", "---"])
        for figure in group.figures:
            value = f"{figure.value:,}" if figure.value is not None else "–"
            yield _row(
                [_text(text) for text in (figure.name, value, figure.short, figure.binary, " ".join(figure.derivation))]
            )
        yield ""
        yield from (f"{mark}. {_text(remark)}" for mark, remark in enumerate(group.remarks, start=1))
        yield from ("",) if group.remarks else ()
    yield _text(block.legend)


@_lines.register
def _(block: Remarks) -> Iterator[str]:
    if block.title:
        yield from (f"### {_text(block.title)}", "")
    for place, remarks in block.places:
        yield f"- **{_text(place)}**" if place else "-"
        for remark in remarks:
            hint = f" *Try: {_text(remark.hint)}.*" if remark.hint else ""
            yield f"  - {_text(remark.severity)} `{remark.rule}` {_text(remark.text)}.{hint}"
