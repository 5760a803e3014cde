"""One self-contained page: no script, no request, nothing in it that a name from a file could start."""

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
    Remarks,
    Report,
    Sum,
    Table,
    Tree,
)
from ckptinspect.text import bytes_text, escaped

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
# Names up to this stay on one line; the table scrolls for them.
_LONG = 100
_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 96rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th.n, td.n { text-align: right; white-space: nowrap; }
td.name, .tree, code { font-family: ui-monospace, monospace; font-size: .92em; }
td.name { white-space: nowrap; } .tree, code { overflow-wrap: anywhere; }
td.long { white-space: normal; overflow-wrap: anywhere; min-width: 24rem; }
tfoot td, tr.sum td { font-weight: 600; border-top: 2px solid var(--line); } tfoot td { border-bottom: 0; }
.tree ul { list-style: none; margin: 0; padding-left: 1.25rem; border-left: 1px solid var(--line); }
.tree > ul { border: 0; padding-left: 0; }
.tree li:not(:has(> details)) { padding-left: 1.1em; }
.tree .figures { opacity: .7; } details > summary { cursor: pointer; }
.error { color: #b3261e; } .warning { color: #8a5a00; } .info { color: #1f5fa8; } .hint { opacity: .7; }
@media (prefers-color-scheme: dark) {
.error { color: #ff8a80; } .warning { color: #ffca5f; } .info { color: #8ab8ff; }
}
.notes { padding-left: 1.2rem; } p { overflow-wrap: anywhere; }
svg { font: 12px system-ui, sans-serif; fill: currentColor; } svg .dot { fill-opacity: .55; }
svg .scale { stroke: var(--line); }
svg .limit { stroke: #c2410c; stroke-dasharray: 4 3; } svg .limit-name { fill: #c2410c; }
@media print { body { max-width: none; margin: 0; } }
"""


def render(report: Report, out: TextIO) -> None:
    """Write a report as one HTML page, for a browser that opens it from disk."""
    title = _text(report.title)
    out.write(
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
    )
    fragment(report, out)
    out.write("</main>\n</body>\n</html>\n")


def fragment(report: Report, out: TextIO) -> None:
    """Write what stands between ``<main>`` and ``</main>``: what a notebook shows."""
    out.write(f"<h1>{_text(report.title)}</h1>\n")
    for block in report.blocks:
        out.writelines(f"{line}\n" for line in _lines(block))
    if report.notes:
        out.write('<h2>Notes</h2>\n<ul class="notes">\n')
        out.writelines(f"<li>{_text(note)}</li>\n" for note in report.notes)
        out.write("</ul>\n")


def _text(text: str) -> str:
    return escape(escaped(text), quote=True)


@singledispatch
def _lines(block: object) -> Iterator[str]:
    raise TypeError(f"no way to write a {type(block).__name__}")


@_lines.register
def _(block: Table) -> Iterator[str]:
    if block.title:
        yield f"<h2>{_text(block.title)}</h2>"
    yield '<div class="wide"><table>'
    heads = "".join(f'<th scope="col"{_class(column)}>{_text(column.title)}</th>' for column in block.columns)
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
    cells = [(_text(written(value, column)), column) for value, column in zip(row, columns, strict=True)]
    return f"<tr>{''.join(f'<td{_class(column, text)}>{text}</td>' for text, column in cells)}</tr>"


def _class(column: Column, text: str = "") -> str:
    if column.is_number:
        return ' class="n"'
    if len(text) > _LONG:
        return ' class="name long"'
    return ' class="name"' if column.format is Format.NAME else ""


@_lines.register
def _(block: Sum) -> Iterator[str]:
    columns = (Column("elements"), Column("what"))
    yield f'{f"<h2>{_text(block.title)}</h2>" if block.title else ""}<div class="wide"><table>'
    yield f'<thead><tr><th scope="col" class="n">{columns[0].title}</th><th scope="col">what</th></tr></thead>'
    for stage in block.stages:
        yield "<tbody>"
        for value, what in stage.terms:
            yield f'<tr><td class="n">{value:,}</td><td>{_text(what)}</td></tr>'
        value, what = stage.total
        yield f'<tr class="sum"><td class="n">{value:,}</td><td>{_text(what)}</td></tr></tbody>'
    yield "</table></div>"


@_lines.register
def _(block: Tree) -> Iterator[str]:
    yield '<div class="tree"><ul>'
    yield from _branch(block.root)
    yield "</ul></div>"


def _branch(branch: Branch) -> Iterator[str]:
    figures = f'<span class="figures">{branch.parameters:,} · {bytes_text(branch.nbytes)}</span>'
    line = f"<strong>{_text(branch.label)}</strong> {_text(branch.detail)} {figures}"
    if not branch.children:
        yield f"<li>{line}</li>"
        return
    yield f"<li><details open><summary>{line}</summary><ul>"
    for child in branch.children:
        yield from _branch(child)
    yield "</ul></details></li>"


@_lines.register
def _(block: Lines) -> Iterator[str]:
    yield from (f"<p>{_text(line)}</p>" for line in block.lines)


@_lines.register
def _(block: Formulas) -> Iterator[str]:
    for name, expression, value in block.equations:
        same = "" if expression == str(value) else f" =<br><code>{_text(expression)}</code>"
        yield f"<p><strong>{_text(name)}</strong> = {value:,}{same}</p>"


@_lines.register
def _(block: Figures) -> Iterator[str]:
    for group in block.groups:
        yield f"<h2>{_text(group.title)}</h2>"
        yield from (f"<p>{_text(about)}</p>" for about in group.about)
        yield '<div class="wide"><table>'
        yield '<thead><tr><th scope="col">figure</th><th scope="col" class="n">value</th><th></th><th></th>'
        yield '<th scope="col">formula</th></tr></thead>'
        yield "<tbody>"
        yield from map(_figure, group.figures)
        yield "</tbody></table></div>"
        if group.remarks:
            yield f"<ol>{''.join(f'<li>{_text(remark)}</li>' for remark in group.remarks)}</ol>"
    yield f"<p>{_text(block.legend)}</p>"


def _figure(figure: Figure) -> str:
    value = f"{figure.value:,}" if figure.value is not None else "–"
    numbers = "".join(f'<td class="n">{_text(text)}</td>' for text in (value, figure.short, figure.binary))
    derivation = [_text(part) for part in figure.derivation]
    as_name = _class(Column("formula", Format.NAME), max(derivation, key=len))
    return f"<tr><td>{_text(figure.name)}</td>{numbers}<td{as_name}>{'<br>'.join(derivation)}</td></tr>"


@_lines.register
def _(block: Remarks) -> Iterator[str]:
    if block.title:
        yield f"<h2>{_text(block.title)}</h2>"
    for place, remarks in block.places:
        yield (f"<h3><code>{_text(place)}</code></h3>\n" if place else "") + "<ul>"
        for remark in remarks:
            severity = f'<strong class="{_text(remark.severity)}">{_text(remark.severity)}</strong>'
            hint = f' <span class="hint">Try: {_text(remark.hint)}.</span>' if remark.hint else ""
            yield f"<li>{severity} <code>{_text(remark.rule)}</code> {_text(remark.text)}.{hint}</li>"
        yield "</ul>"


@_lines.register
def _(block: Plot) -> Iterator[str]:
    from ckptinspect.report.plot import svg

    yield f"<h2>{_text(block.title)}</h2>"
    yield f'<div class="wide">{svg(block)}</div>'
