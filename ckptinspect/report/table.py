"""The terminal's renderer: aligned columns, exact integers with separators, colour where it is wanted.

Columns are laid out here rather than by rich: a list of 92,000 tensors takes rich half a minute.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import singledispatch
from itertools import accumulate, chain
from typing import NamedTuple, TextIO

from ckptinspect.report.cells import written
from ckptinspect.report.document import Branch, Cell, Column, Figure, Figures, Formulas, Lines, Report, Sum, Table, Tree
from ckptinspect.text import bytes_text, encodable, escaped

_GAP = "  "
_INDENT = "    "
# What there may be no room for, by its place among a figure's cells.
_SPARE = {1: "exact value", 3: "binary units"}
_FACTORS, _OPERANDS = re.compile(r"(?<=\*)"), re.compile(r"(?<=[(+-])|(?<=//)")
_NARROWEST = 8
# However long a name is, so much of it is shown, and so much room is left beside it.
_LEGIBLE, _OTHERS = 24, 40
# Beyond this a name in a pipe makes its own row longer and no other.
_PADDED = 120
_ONE_CELL = str.maketrans("", "", "│├└×…")
_BOLD, _DIM, _CYAN, _YELLOW, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[33m", "\x1b[0m"


class Screen:
    """Where lines go: how wide it is (0: as wide as it takes), whether it shows colour, what it can encode.

    ``left_out`` gathers the titles of columns that had no room.
    """

    def __init__(self, out: TextIO, *, width: int = 0, colour: bool = False) -> None:
        self.out = out
        self.width = width
        self.colour = colour
        self.encoding = getattr(out, "encoding", None) or "utf-8"
        self.dots = encodable("…", self.encoding)
        self.left_out: list[str] = []

    def styled(self, text: str, style: str) -> str:
        """The text in a style, where the screen shows any."""
        return f"{style}{text}{_RESET}" if self.colour and text else text

    def text(self, text: str) -> str:
        """Any text as it comes out here: inert whatever it holds, and as wide as it will be."""
        return encodable(escaped(text), self.encoding)


def render(report: Report, out: TextIO, *, width: int = 0, colour: bool = False, quiet: bool = False) -> None:
    """Write a report for people. Names from files come out inert whatever they hold."""
    screen = Screen(out, width=width, colour=colour)
    sections = [_lines(block, screen) for block in report.blocks]
    if report.title:
        sections.insert(0, (screen.styled(line, _BOLD) for line in _wrapped(screen.text(report.title), screen.width)))
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
        what = "the column" if len(screen.left_out) == 1 else "the columns"
        yield f"no room for {what} {', '.join(screen.left_out)}"


def _notes(notes: Sequence[str], screen: Screen) -> Iterator[str]:
    for note in notes:
        head, *rest = _wrapped(screen.text(note), _left_of(screen, 6))
        yield f"{screen.styled('note:', _YELLOW)} {head}"
        yield from (f"      {line}" for line in rest)


@singledispatch
def _lines(block: object, screen: Screen) -> Iterator[str]:
    raise TypeError(f"no way to draw a {type(block).__name__} on {screen}")


@_lines.register
def _(block: Table, screen: Screen) -> Iterator[str]:
    if block.title:
        yield screen.styled(screen.text(block.title), _BOLD)
    body, foot = (_texts(rows, block.columns, screen) for rows in (block.rows, block.foot))
    titles = [screen.text(column.title) for column in block.columns]
    widths = _natural_widths(block.columns, chain([titles], body, foot), screen.width)
    kept = _kept(block.columns, widths, screen.width)
    screen.left_out += [title for index, title in enumerate(titles) if index not in kept]
    columns = [block.columns[index] for index in kept]
    body, foot = [[[row[index] for index in kept] for row in rows] for rows in (body, foot)]
    layout = _Layout(columns, _fitted(columns, [widths[index] for index in kept], screen.width), screen)
    yield screen.styled(layout.row([titles[index] for index in kept]), _DIM)
    for row in body:
        yield layout.row(row)
    for row in foot:
        yield screen.styled(layout.row(row), _BOLD)


def _texts(rows: Sequence[Sequence[Cell]], columns: Sequence[Column], screen: Screen) -> list[list[str]]:
    return [[screen.text(written(value, column)) for value, column in zip(row, columns, strict=True)] for row in rows]


def _natural_widths(columns: Sequence[Column], rows: Iterable[Sequence[str]], room: int) -> list[int]:
    """Each column as wide as its widest value; in a pipe, names beyond all measure left aside."""
    widths = [0] * len(columns)
    for row in rows:
        for index, text in enumerate(row):
            if (width := _width(text)) > widths[index] and (room or width <= _PADDED):
                widths[index] = width
    return widths


def _kept(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """The columns that have room, the least spare ones first; a long name leaves some room to the others."""
    everything = list(range(len(columns)))
    if not room:
        return everything
    claims = [
        width if column.is_number or column.spare else min(width, max(_LEGIBLE, room - _OTHERS))
        for column, width in zip(columns, widths, strict=True)
    ]
    wanted = sorted(everything, key=lambda index: columns[index].spare)
    while wanted and columns[wanted[-1]].spare and _total([claims[index] for index in wanted]) > room:
        wanted.pop()
    return sorted(wanted)


def _fitted(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """The widths, with the longest names cut as far as the screen is too narrow for them."""

    def cut(limit: int) -> list[int]:
        return [width if column.is_number else min(width, limit) for column, width in zip(columns, widths, strict=True)]

    if not room:
        return list(widths)
    limits = range(max(room, _NARROWEST), _NARROWEST, -1)
    return next((fitting for limit in limits if _total(fitting := cut(limit)) <= room), cut(_NARROWEST))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


class _Layout(NamedTuple):
    """Columns with their widths on a screen."""

    columns: Sequence[Column]
    widths: Sequence[int]
    screen: Screen

    def row(self, row: Sequence[str]) -> str:
        return _GAP.join(
            _padded(text, width, self.screen, right=column.is_number)
            for text, column, width in zip(row, self.columns, self.widths, strict=True)
        )


def _padded(text: str, width: int, screen: Screen, *, right: bool) -> str:
    taken = _width(text)
    if taken > width and screen.width:
        text = _shortened(text, width, screen.dots)
        taken = _width(text)
    space = " " * (width - taken)
    return space + text if right else text + space


def _shortened(text: str, width: int, dots: str) -> str:
    """Cut in the middle: the ends of a tensor's name say more than its middle."""
    room = max(width - len(dots), 0)
    head, tail = text[: room // 2], text[len(text) - (room - room // 2) :]
    while _width(head) + _width(tail) > room:
        if _width(head) >= _width(tail):
            head = head[:-1]
        else:
            tail = tail[1:]
    return f"{head}{dots}{tail}"


def _width(text: str) -> int:
    if text.isascii() or text.translate(_ONE_CELL).isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


@_lines.register
def _(block: Sum, screen: Screen) -> Iterator[str]:
    if block.title:
        yield screen.styled(screen.text(block.title), _BOLD)
    terms = [(f"{value:,}", what) for value, what in block.terms]
    total, what = f"{block.total[0]:,}", block.total[1]
    width = max(len(text) for text, _ in [*terms, (total, "")])
    for text, name in terms:
        head, *rest = _wrapped(screen.text(name), _left_of(screen, width + len(_GAP)))
        yield f"{text:>{width}}{_GAP}{head}"
        yield from (" " * (width + len(_GAP)) + line for line in rest)
    if len(terms) > 1:
        yield "─" * width
    yield screen.styled(f"{total:>{width}}  {screen.text(what)}", _BOLD)


@_lines.register
def _(block: Tree, screen: Screen) -> Iterator[str]:
    twigs = list(_twigs(block.root, "", "", screen))
    figures, room = _figures([twig.branch for twig in twigs], screen)
    drawn = _drawn(twigs, room, screen)
    widest = max(_measured((_width(lines[0]) for lines in drawn), room), default=0)
    for lines, figure in zip(drawn, figures, strict=True):
        yield f"{_padded(lines[0], widest, screen, right=False)}{figure}"
        yield from (
            _shortened(line, screen.width, screen.dots) if 0 < screen.width < _width(line) else line
            for line in lines[1:]
        )


def _figures(branches: Sequence[Branch], screen: Screen) -> tuple[list[str], int]:
    """What stands at the end of each branch's line, and the room that it leaves; 0 where there is no limit."""
    counts = [f"{branch.parameters:,}" for branch in branches]
    sizes = [bytes_text(branch.nbytes) for branch in branches]
    taken, more = (max(map(len, texts)) + len(_GAP) for texts in (counts, sizes))
    if screen.width and screen.width - taken - more < _LEGIBLE:
        screen.left_out.append("size")
        return [f"{count:>{taken}}" for count in counts], max(screen.width - taken, _NARROWEST)
    both = [f"{count:>{taken}}{size:>{more}}" for count, size in zip(counts, sizes, strict=True)]
    return both, screen.width - taken - more if screen.width else 0


def _measured(widths: Iterable[int], room: int) -> Iterator[int]:
    """The widths that others stand in line with: within the room or, in a pipe, those not beyond all measure."""
    return (min(width, room) if room else width for width in widths if room or width <= _PADDED)


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


def _twigs(branch: Branch, lead: str, below: str, screen: Screen) -> Iterator[_Twig]:
    names = [screen.text(name) or "''" for name in branch.names]
    yield _Twig(lead, below + ("│ " if branch.children else ""), names, branch)
    for number, child in enumerate(branch.children, start=1):
        last = number == len(branch.children)
        yield from _twigs(child, below + ("└ " if last else "├ "), below + ("  " if last else "│ "), screen)


def _drawn(twigs: Sequence[_Twig], room: int, screen: Screen) -> list[list[str]]:
    """The lines of each twig: in full where there is room for all, else in brief."""
    details = [screen.text(twig.branch.detail) for twig in twigs]
    labels = _measured((_width(twig.label) for twig in twigs if twig.branch.detail), room)
    column = max(labels, default=0) + len(_GAP)
    if room and (column > room or column + max(map(_width, details)) > room):
        details = [screen.text(twig.branch.brief) for twig in twigs]
        widths = [_width(detail) for detail in details]
        shortest = [twig.shortest(room - width) for twig, width in zip(twigs, widths, strict=True)]
        column = _best_column(shortest, widths, room)
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
        yield from _wrapped(screen.text(line), screen.width)


@_lines.register
def _(block: Formulas, screen: Screen) -> Iterator[str]:
    for number, (name, expression, value) in enumerate(block.equations):
        if number:
            yield ""
        yield screen.styled(screen.text(name), _BOLD) + f" = {value:,}"
        if expression != str(value):
            yield from (f"  {line}" for line in _folded(screen.text(expression), _left_of(screen, 2)))


def _folded(expression: str, width: int) -> Iterator[str]:
    """An expression on lines of this width: broken between terms, else between factors, else within one."""
    if width <= 0 or _width(expression) <= width:
        yield expression
        return
    from textwrap import wrap

    for line in wrap(expression, width, break_long_words=False, break_on_hyphens=False):
        text = ""
        for piece in _pieces(line, width):
            if text and _width(text + piece) > width:
                yield text
                text = ""
            text += piece
        yield text


def _pieces(line: str, width: int) -> Iterator[str]:
    for factor in _FACTORS.split(line):
        yield from [factor] if _width(factor) <= width else _OPERANDS.split(factor)


def _left_of(screen: Screen, taken: int) -> int:
    """The width that is left beside what is taken; 0, no limit, where the screen has none."""
    return max(screen.width - taken, _NARROWEST) if screen.width else 0


@_lines.register
def _(block: Figures, screen: Screen) -> Iterator[str]:
    ledger = _ledger([figure for group in block.groups for figure in group.figures], screen)
    for number, group in enumerate(block.groups):
        if number:
            yield ""
        yield from (screen.styled(line, _BOLD) for line in _wrapped(screen.text(group.title), screen.width))
        yield from (line for about in group.about for line in _hanging("  ", screen.text(about), screen))
        for figure in group.figures:
            yield from ledger.entry(figure)
        for mark, remark in enumerate(group.remarks, start=1):
            lines = _hanging(f"  [{mark}] ", screen.text(remark), screen)
            yield from (screen.styled(line, _DIM) for line in lines)
    yield ""
    yield from (screen.styled(line, _DIM) for line in _wrapped(screen.text(block.legend), screen.width))


def _ledger(figures: Sequence[Figure], screen: Screen) -> "_Ledger":
    """The columns that have room: the value in binary units goes first, then the exact one; then names are wrapped."""
    cells = [_cells(figure, screen) for figure in figures]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    kept = [index for index, width in enumerate(widths) if width]
    for index in sorted(_SPARE, reverse=True):
        if screen.width and index in kept and _total([widths[at] for at in kept]) > screen.width:
            kept.remove(index)
    screen.left_out += [what for index, what in _SPARE.items() if widths and widths[index] and index not in kept]
    if screen.width and kept:
        widths[0] = min(widths[0], _left_of(screen, _total([widths[at] for at in kept]) - widths[0]))
    return _Ledger(kept, widths, screen)


def _cells(figure: Figure, screen: Screen) -> tuple[str, str, str, str]:
    value = f"{figure.value:,}" if figure.value is not None else "–"
    return screen.text(figure.name), screen.text(value), figure.short, figure.binary


class _Ledger(NamedTuple):
    """Which of a figure's cells are shown on a screen, and how wide each is."""

    kept: Sequence[int]
    widths: Sequence[int]
    screen: Screen

    def entry(self, figure: Figure) -> Iterator[str]:
        """A figure, with its derivation beside it where there is room, else below."""
        screen = self.screen
        name, *numbers = _cells(figure, screen)
        name, *more = _wrapped(name, self.widths[0])
        cells = (name, *numbers)
        line = _GAP.join(_padded(cells[index], self.widths[index], screen, right=index > 0) for index in self.kept)
        derivation = screen.text(" ".join(figure.derivation))
        for text in () if more else (line, line.rstrip()):
            if screen.width and _width(text) + len(_GAP) + _width(derivation) <= screen.width:
                yield f"{text}{_GAP}{screen.styled(derivation, _DIM)}"
                return
        yield line.rstrip()
        yield from (f"  {line}" for line in more)
        together = not screen.width or len(_INDENT) + _width(derivation) <= screen.width
        for part in (derivation,) if together else map(screen.text, figure.derivation):
            lines = self._reason(part) if figure.value is None else self._formula(part)
            yield from (screen.styled(f"{_INDENT}{line}", _DIM) for line in lines)

    def _reason(self, text: str) -> Iterator[str]:
        yield from _wrapped(text, _left_of(self.screen, len(_INDENT)))

    def _formula(self, text: str) -> Iterator[str]:
        """A sign, and the expression behind it on as many lines as it takes."""
        sign, _, expression = text.partition(" ")
        lead = f"{sign} "
        for line in _folded(expression, _left_of(self.screen, len(_INDENT) + _width(lead))):
            yield lead + line
            lead = " " * _width(lead)


def _hanging(lead: str, text: str, screen: Screen) -> Iterator[str]:
    """The text behind a lead; further lines stand below its beginning."""
    head, *rest = _wrapped(text, _left_of(screen, _width(lead)))
    yield lead + head
    yield from (" " * _width(lead) + line for line in rest)


def _wrapped(text: str, width: int) -> list[str]:
    if width <= 0 or _width(text) <= width:
        return [text]
    from textwrap import wrap

    return wrap(text, width, break_long_words=True, break_on_hyphens=False)
