"""The terminal's renderer: aligned columns, exact integers with separators, colour where it is wanted.

Columns are laid out here rather than by rich: a list of 92,000 tensors takes rich half a minute.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import singledispatch
from itertools import chain
from typing import NamedTuple, TextIO

from ckptinspect.report.branches import tree_lines
from ckptinspect.report.cells import written
from ckptinspect.report.document import Cell, Column, Lines, Plot, Report, Table
from ckptinspect.report.equations import figures_lines, formulas_lines, sum_lines
from ckptinspect.report.remarks import remarks_lines
from ckptinspect.report.screen import (
    BOLD,
    DIM,
    GAP,
    LEGIBLE,
    NARROWEST,
    PADDED,
    YELLOW,
    Screen,
    padded,
    row_width,
    width_of,
    wrapped,
)

# However long a name is, so much room is left beside it.
_OTHERS = 40


def render(report: Report, out: TextIO, *, width: int = 0, colour: bool = False, quiet: bool = False) -> None:
    """Write a report for people. Names from files come out inert whatever they hold."""
    screen = Screen(out, width=width, colour=colour)
    sections = [_lines(block, screen) for block in report.blocks if not isinstance(block, Plot)]
    if report.title:
        sections.insert(0, (screen.styled(line, BOLD) for line in wrapped(screen.text(report.title), screen.width)))
    number = 0
    for number, section in enumerate(sections, start=1):
        _section(section, number, out)
    notes = () if quiet else (*report.notes, *_about(screen))
    if notes:
        _section(_notes(notes, screen), number + 1, out)


def _section(lines: Iterable[str], number: int, out: TextIO) -> None:
    if number > 1:
        out.write("\n")
    out.writelines(line.rstrip() + "\n" for line in lines)


def _about(screen: Screen) -> Iterator[str]:
    """What is to be said of the drawing itself."""
    if screen.left_out:
        titles = list(dict.fromkeys(screen.left_out))
        what = "the column" if len(titles) == 1 else "the columns"
        yield f"no room for {what} {', '.join(titles)}"


def _notes(notes: Sequence[str], screen: Screen) -> Iterator[str]:
    for note in notes:
        head, *rest = wrapped(screen.text(note), screen.room_beside(6))
        yield f"{screen.styled('note:', YELLOW)} {head}"
        yield from (f"      {line}" for line in rest)


@singledispatch
def _lines(block: object, screen: Screen) -> Iterator[str]:
    raise TypeError(f"no way to draw a {type(block).__name__} on {screen}")


_lines.register(sum_lines)
_lines.register(tree_lines)
_lines.register(formulas_lines)
_lines.register(figures_lines)
_lines.register(remarks_lines)


@_lines.register
def _(block: Lines, screen: Screen) -> Iterator[str]:
    for line in block.lines:
        yield from wrapped(screen.text(line), screen.width)


@_lines.register
def _(block: Table, screen: Screen) -> Iterator[str]:
    if block.title:
        yield screen.styled(screen.text(block.title), BOLD)
    body, foot = (_texts(rows, block.columns, screen) for rows in (block.rows, block.foot))
    titles = [screen.text(column.title) for column in block.columns]
    widths = _natural_widths(block.columns, chain([titles], body, foot), screen.width)
    if block.folds and 0 < screen.width < row_width(widths):
        yield from _last_below(block.columns, [titles, *body], widths, screen)
        return
    kept = _kept(block.columns, widths, screen.width)
    screen.left_out += [title for index, title in enumerate(titles) if index not in kept]
    columns = [block.columns[index] for index in kept]
    body, foot = [[[row[index] for index in kept] for row in rows] for rows in (body, foot)]
    layout = _Layout(columns, _fitted(columns, [widths[index] for index in kept], screen.width), screen)
    yield screen.styled(layout.row([titles[index] for index in kept]), DIM)
    for row in body:
        yield layout.row(row)
    for row in foot:
        yield screen.styled(layout.row(row), BOLD)


def _last_below(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], widths: Sequence[int], screen: Screen
) -> Iterator[str]:
    """The rows, titles first, with their last cell behind them where it has room, else below."""
    layout = _Layout(columns[:-1], _fitted(columns[:-1], widths[:-1], screen.width), screen)
    indent = " " * min(row_width(layout.widths[:-1]) + len(GAP), screen.width // 4)
    room = screen.width - row_width(layout.widths) - len(GAP)
    for number, (*row, last) in enumerate(rows):
        beside = f"{GAP}{last}" if width_of(last) <= room else ""
        lines = [(layout.row(row) + beside).rstrip()]
        if last and not beside:
            lines += [indent + line for line in wrapped(last, screen.room_beside(len(indent)))]
        yield from lines if number else (screen.styled(line, DIM) for line in lines)


def _texts(rows: Sequence[Sequence[Cell]], columns: Sequence[Column], screen: Screen) -> list[list[str]]:
    return [[screen.text(written(value, column)) for value, column in zip(row, columns, strict=True)] for row in rows]


def _natural_widths(columns: Sequence[Column], rows: Iterable[Sequence[str]], room: int) -> list[int]:
    """Each column as wide as its widest value; in a pipe, names beyond all measure left aside."""
    widths = [0] * len(columns)
    for row in rows:
        for index, text in enumerate(row):
            if (width := width_of(text)) > widths[index] and (room or width <= PADDED):
                widths[index] = width
    return widths


def _kept(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """The columns that have room, the least spare ones first; a long name leaves some room to the others."""
    everything = list(range(len(columns)))
    if not room:
        return everything
    claims = [
        width if column.is_number or column.spare else min(width, max(LEGIBLE, room - _OTHERS))
        for column, width in zip(columns, widths, strict=True)
    ]
    wanted = sorted(everything, key=lambda index: columns[index].spare)
    while wanted and columns[wanted[-1]].spare and row_width([claims[index] for index in wanted]) > room:
        wanted.pop()
    return sorted(wanted)


def _fitted(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """The widths, with the longest names cut as far as the screen is too narrow for them."""

    def cut(limit: int) -> list[int]:
        return [width if column.is_number else min(width, limit) for column, width in zip(columns, widths, strict=True)]

    if not room:
        return list(widths)
    limits = range(max(room, NARROWEST), NARROWEST, -1)
    return next((fitting for limit in limits if row_width(fitting := cut(limit)) <= room), cut(NARROWEST))


class _Layout(NamedTuple):
    """Columns with their widths on a screen."""

    columns: Sequence[Column]
    widths: Sequence[int]
    screen: Screen

    def row(self, row: Sequence[str]) -> str:
        return GAP.join(
            padded(text, width, self.screen, right=column.is_number)
            for text, column, width in zip(row, self.columns, self.widths, strict=True)
        )
