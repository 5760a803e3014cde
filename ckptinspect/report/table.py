"""The terminal's renderer: aligned columns, exact integers with separators, colour where it is wanted.

Columns are laid out here rather than by rich: a list of 92,000 tensors takes rich half a minute.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import singledispatch
from itertools import chain
from typing import TextIO

from ckptinspect.report.cells import written
from ckptinspect.report.document import Branch, Cell, Column, Formulas, Lines, Report, Sum, Table, Tree
from ckptinspect.text import bytes_text, escaped

_GAP = "  "
_NARROWEST = 8
_BOLD, _DIM, _CYAN, _YELLOW, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[33m", "\x1b[0m"


class Screen:
    """Where lines go: how wide it is (0: as wide as it takes) and whether it shows colour."""

    def __init__(self, out: TextIO, *, width: int = 0, colour: bool = False) -> None:
        self.out = out
        self.width = width
        self.colour = colour

    def styled(self, text: str, style: str) -> str:
        """The text in a style, where the screen shows any."""
        return f"{style}{text}{_RESET}" if self.colour and text else text


def render(report: Report, out: TextIO, *, width: int = 0, colour: bool = False) -> None:
    """Write a report for people. Names from files come out inert whatever they hold."""
    screen = Screen(out, width=width, colour=colour)
    sections = [_lines(block, screen) for block in report.blocks]
    if report.title:
        sections.insert(0, (screen.styled(line, _BOLD) for line in _wrapped(escaped(report.title), screen.width)))
    if report.notes:
        sections.append(_notes(report.notes, screen))
    for number, section in enumerate(sections):
        if number:
            out.write("\n")
        out.writelines(line.rstrip() + "\n" for line in section)


def _notes(notes: Sequence[str], screen: Screen) -> Iterator[str]:
    for note in notes:
        head, *rest = _wrapped(escaped(note), screen.width - 6 if screen.width else 0)
        yield f"{screen.styled('note:', _YELLOW)} {head}"
        yield from (f"      {line}" for line in rest)


@singledispatch
def _lines(block: object, screen: Screen) -> Iterator[str]:
    raise TypeError(f"no way to draw a {type(block).__name__} on {screen}")


@_lines.register
def _(block: Table, screen: Screen) -> Iterator[str]:
    if block.title:
        yield screen.styled(escaped(block.title), _BOLD)
    body = [[_cell(value, column) for value, column in zip(row, block.columns, strict=True)] for row in block.rows]
    foot = [[_cell(value, column) for value, column in zip(row, block.columns, strict=True)] for row in block.foot]
    widths = _natural_widths(block.columns, chain(body, foot))
    kept = _kept(block.columns, widths, screen.width)
    columns = [block.columns[index] for index in kept]
    body, foot = [[[row[index] for index in kept] for row in rows] for rows in (body, foot)]
    widths = _fitted(columns, [widths[index] for index in kept], screen.width)
    yield screen.styled(_row([column.title for column in columns], columns, widths), _DIM)
    for row in body:
        yield _row(row, columns, widths)
    for row in foot:
        yield screen.styled(_row(row, columns, widths), _BOLD)


def _cell(value: Cell, column: Column) -> str:
    return escaped(written(value, column))


def _natural_widths(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> list[int]:
    """Each column as wide as its widest value."""
    widths = [len(column.title) for column in columns]
    for row in rows:
        for index, text in enumerate(row):
            widths[index] = max(widths[index], _width(text))
    return widths


def _kept(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """The columns that have room: spare ones give way before any name is cut."""
    kept = list(range(len(columns)))
    while room and _total([widths[index] for index in kept]) > room:
        most_spare = max(kept, key=lambda index: columns[index].spare)
        if not columns[most_spare].spare:
            break
        kept.remove(most_spare)
    return kept


def _fitted(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """The widths, with the names cut where the screen is too narrow for them."""
    widths = list(widths)
    names = [index for index, column in enumerate(columns) if not column.is_number]
    while room and names and (over := _total(widths) - room) > 0:
        widest = max(names, key=lambda index: widths[index])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] = max(_NARROWEST, widths[widest] - over)
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _row(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    return _GAP.join(
        _padded(text, width, right=column.is_number) for text, column, width in zip(row, columns, widths, strict=True)
    )


def _padded(text: str, width: int, *, right: bool) -> str:
    taken = _width(text)
    if taken > width:
        text = _shortened(text, width)
        taken = _width(text)
    space = " " * (width - taken)
    return space + text if right else text + space


def _shortened(text: str, width: int) -> str:
    """Cut in the middle: the ends of a tensor's name say more than its middle."""
    head = text[: (width - 1) // 2]
    tail = text[len(text) - (width - 1 - len(head)) :]
    while _width(head + tail) > width - 1 and tail:
        tail = tail[1:]
    return f"{head}…{tail}"


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


@_lines.register
def _(block: Sum, screen: Screen) -> Iterator[str]:
    if block.title:
        yield screen.styled(escaped(block.title), _BOLD)
    terms = [(f"{value:,}", what) for value, what in block.terms]
    total, what = f"{block.total[0]:,}", block.total[1]
    width = max(len(text) for text, _ in [*terms, (total, "")])
    for text, name in terms:
        yield f"{text:>{width}}  {escaped(name)}"
    if len(terms) > 1:
        yield "─" * width
    yield screen.styled(f"{total:>{width}}  {escaped(what)}", _BOLD)


@_lines.register
def _(block: Tree, screen: Screen) -> Iterator[str]:
    lines = list(_branches(block.root, "", ""))
    label_room = max(_width(label) for label, _ in lines)
    figures = [(f"{branch.parameters:,}", bytes_text(branch.nbytes)) for _, branch in lines]
    counts = max(len(count) for count, _ in figures)
    sizes = max(len(size) for _, size in figures)
    if screen.width:
        label_room = min(label_room, max(20, screen.width - counts - sizes - 2 * len(_GAP)))
    for (label, _), (count, size) in zip(lines, figures, strict=True):
        yield f"{_padded(label, label_room, right=False)}{_GAP}{count:>{counts}}{_GAP}{size:>{sizes}}"


def _branches(branch: Branch, lead: str, below: str) -> Iterator[tuple[str, Branch]]:
    text = escaped(branch.label) + (f"  {escaped(branch.detail)}" if branch.detail else "")
    yield lead + text, branch
    for child in branch.children:
        last = child is branch.children[-1]
        yield from _branches(child, below + ("└ " if last else "├ "), below + ("  " if last else "│ "))


@_lines.register
def _(block: Lines, screen: Screen) -> Iterator[str]:
    for line in block.lines:
        yield from _wrapped(escaped(line), screen.width)


@_lines.register
def _(block: Formulas, screen: Screen) -> Iterator[str]:
    for number, (name, expression, value) in enumerate(block.equations):
        if number:
            yield ""
        yield screen.styled(escaped(name), _BOLD) + f" = {value:,}"
        yield from (f"  {line}" for line in _wrapped(expression, screen.width - 2 if screen.width else 0))


def _wrapped(text: str, width: int) -> list[str]:
    if width <= 0 or _width(text) <= width:
        return [text]
    from textwrap import wrap

    return wrap(text, width, break_long_words=True, break_on_hyphens=False)
