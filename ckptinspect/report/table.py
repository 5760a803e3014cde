"""The terminal's renderer: aligned columns, exact integers with separators, colour where it is wanted.

Columns are laid out here rather than by rich: a list of 92,000 tensors takes rich half a minute.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import singledispatch
from itertools import accumulate, chain
from typing import NamedTuple, TextIO

from ckptinspect.report.cells import written
from ckptinspect.report.document import Branch, Cell, Column, Figure, Figures, Formulas, Lines, Report, Sum, Table, Tree
from ckptinspect.text import bytes_text, escaped

_GAP = "  "
_INDENT = "    "
_NARROWEST = 8
_ONE_CELL = str.maketrans("", "", "│├└×…")
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
    if text.isascii() or text.translate(_ONE_CELL).isascii():
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
    twigs = list(_twigs(block.root, "", ""))
    figures = [(f"{twig.branch.parameters:,}", bytes_text(twig.branch.nbytes)) for twig in twigs]
    counts, sizes = (max(map(len, column)) for column in zip(*figures, strict=True))
    room = max(screen.width - counts - sizes - 2 * len(_GAP), 2 * _NARROWEST) if screen.width else 0
    drawn = _drawn(twigs, room)
    widest = max(min(_width(lines[0]), room or _width(lines[0])) for lines in drawn)
    for lines, (count, size) in zip(drawn, figures, strict=True):
        yield f"{_padded(lines[0], widest, right=False)}{_GAP}{count:>{counts}}{_GAP}{size:>{sizes}}"
        yield from (_shortened(line, screen.width) if 0 < screen.width < _width(line) else line for line in lines[1:])


class _Twig(NamedTuple):
    """A line of a tree to be drawn: the branches that lead to it, those that go on below it, its names."""

    lead: str
    below: str
    names: list[str]
    branch: Branch

    @property
    def label(self) -> str:
        return self.lead + ", ".join(self.names)

    def shortest(self, room: int) -> int:
        """The width of the label; of its first line, where it fits on several lines only."""
        width = _width(self.label)
        return width if width < room or len(self.names) == 1 else _width(f"{self.lead}{self.names[0]},")

    def labels(self, room: int) -> Iterator[str]:
        """The label on as many lines as its names need to fit."""
        line = self.lead
        for number, name in enumerate(self.names):
            text = name + "," * (number + 1 < len(self.names))
            if number and _width(f"{line} {text}") > room:
                yield line
                line = f"{self.below}  {text}"
            else:
                line += f" {text}" if number else text
        yield line


def _twigs(branch: Branch, lead: str, below: str) -> Iterator[_Twig]:
    yield _Twig(
        lead, below + ("│ " if branch.children else ""), [escaped(name) or "''" for name in branch.names], branch
    )
    for number, child in enumerate(branch.children, start=1):
        last = number == len(branch.children)
        yield from _twigs(child, below + ("└ " if last else "├ "), below + ("  " if last else "│ "))


def _drawn(twigs: Sequence[_Twig], room: int) -> list[list[str]]:
    """The lines of each twig: in full where there is room for all, else in brief."""
    details = [escaped(twig.branch.detail) for twig in twigs]
    column = max((_width(twig.label) for twig in twigs if twig.branch.detail), default=0) + len(_GAP)
    if room and column + max(map(_width, details)) > room:
        details = [escaped(twig.branch.brief) for twig in twigs]
        widths = [_width(detail) for detail in details]
        labels = [twig.shortest(room - width) for twig, width in zip(twigs, widths, strict=True)]
        column = _best_column(labels, widths, room)
    return [_detailed(twig, detail, column, room) for twig, detail in zip(twigs, details, strict=True)]


def _best_column(labels: Sequence[int], details: Sequence[int], room: int) -> int:
    """The column in which the most details can stand: behind their labels, and not beyond the room."""
    changes = [0] * (room + 2)
    for label, detail in zip(labels, details, strict=True):
        if detail and label + len(_GAP) <= room - detail:
            changes[label + len(_GAP)] += 1
            changes[room - detail + 1] -= 1
    covered = list(accumulate(changes))
    return covered.index(max(covered))


def _detailed(twig: _Twig, detail: str, column: int, room: int) -> list[str]:
    """A twig with its detail beside it or, where that does not fit, below; only names that fit nowhere are cut."""
    beside = _beside(twig.label, detail, column, room)
    if beside is not None:
        return [beside]
    first, *others = twig.labels(column - len(_GAP))
    beside = _beside(first, detail, column, room) if others else None
    if beside is not None:
        return [beside, *others]
    return [*twig.labels(room), *([f"{twig.below}  {detail}"] if detail else [])]


def _beside(label: str, detail: str, column: int, room: int) -> str | None:
    """Label and detail on one line, in the column if they can; None where there is no room for both."""
    width = _width(label)
    gap = len(_GAP)
    if detail and width + gap <= column and (not room or column + _width(detail) <= room):
        gap = column - width
    elif room and width + gap + _width(detail) > room:
        gap = 1
    line = label + " " * gap + detail if detail else label
    return line if not room or _width(line) <= room else None


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


@_lines.register
def _(block: Figures, screen: Screen) -> Iterator[str]:
    figures = [figure for group in block.groups for figure in group.figures]
    widths = [max((_width(text) for text in column), default=0) for column in zip(*map(_cells, figures), strict=True)]
    # Where there is no room for all, the value in binary units goes first, then the exact one.
    kept = [index for index in range(len(widths)) if widths[index]]
    for index in (3, 1):
        if screen.width and index in kept and _total([widths[at] for at in kept]) > screen.width:
            kept.remove(index)
    for number, group in enumerate(block.groups):
        if number:
            yield ""
        yield from (screen.styled(line, _BOLD) for line in _wrapped(escaped(group.title), screen.width))
        yield from (line for about in group.about for line in _hanging("  ", escaped(about), screen.width))
        for figure in group.figures:
            yield from _figure(figure, kept, widths, screen)
        for mark, remark in enumerate(group.remarks, start=1):
            lines = _hanging(f"  [{mark}] ", escaped(remark), screen.width)
            yield from (screen.styled(line, _DIM) for line in lines)
    yield ""
    yield from (screen.styled(line, _DIM) for line in _wrapped(block.legend, screen.width))


def _cells(figure: Figure) -> tuple[str, str, str, str]:
    value = f"{figure.value:,}" if figure.value is not None else "–"
    return escaped(figure.name), value, figure.short, figure.binary


def _figure(figure: Figure, kept: Sequence[int], widths: Sequence[int], screen: Screen) -> Iterator[str]:
    """A figure, with its derivation beside it where there is room, else below."""
    cells = _cells(figure)
    line = _GAP.join(_padded(cells[index], widths[index], right=index > 0) for index in kept)
    parts = tuple(map(escaped, figure.derivation))
    derivation = " ".join(parts)
    for text in (line, line.rstrip()):
        if screen.width and _width(text) + len(_GAP) + _width(derivation) <= screen.width:
            yield f"{text}{_GAP}{screen.styled(derivation, _DIM)}"
            return
    yield line.rstrip()
    together = not screen.width or len(_INDENT) + _width(derivation) <= screen.width
    for part in (derivation,) if together else parts:
        yield from (screen.styled(text, _DIM) for text in _hanging(_INDENT, part, screen.width))


def _hanging(lead: str, text: str, width: int) -> Iterator[str]:
    """The text behind a lead; further lines stand below its beginning."""
    head, *rest = _wrapped(text, max(width - _width(lead), _NARROWEST) if width else 0)
    yield lead + head
    yield from (" " * _width(lead) + line for line in rest)


def _wrapped(text: str, width: int) -> list[str]:
    if width <= 0 or _width(text) <= width:
        return [text]
    from textwrap import wrap

    return wrap(text, width, break_long_words=True, break_on_hyphens=False)
