"""Numbers with how they come about, on a screen: additions, formulas, figures with their derivations."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ckptinspect.report.document import Figure, Figures, Formulas, Sum
from ckptinspect.report.screen import BOLD, DIM, GAP, Screen, hanging, padded, row_width, width_of, wrapped

_INDENT = "    "
# What there may be no room for, by its place among a figure's cells.
_SPARE = {1: "exact value", 3: "binary units"}
_FACTORS, _OPERANDS = re.compile(r"(?<=\*)"), re.compile(r"(?<=[(+-])|(?<=//)")


def sum_lines(block: Sum, screen: Screen) -> Iterator[str]:
    """The addition as it is written by hand."""
    if block.title:
        yield screen.styled(screen.text(block.title), BOLD)
    stages = block.stages
    width = max(len(f"{value:,}") for stage in stages for value, _ in (*stage.terms, stage.total))
    for number, stage in enumerate(stages):
        for value, what in stage.terms:
            head, *rest = wrapped(screen.text(what), screen.room_beside(width + len(GAP)))
            yield f"{value:>{width},}{GAP}{head}"
            yield from (" " * (width + len(GAP)) + line for line in rest)
        if number or len(stage.terms) > 1:
            yield "─" * width
        value, what = stage.total
        yield screen.styled(f"{value:>{width},}{GAP}{screen.text(what)}", BOLD)


def formulas_lines(block: Formulas, screen: Screen) -> Iterator[str]:
    """Each equation by its name, with its expression below."""
    for number, (name, expression, value) in enumerate(block.equations):
        if number:
            yield ""
        yield screen.styled(screen.text(name), BOLD) + f" = {value:,}"
        if expression != str(value):
            yield from (f"  {line}" for line in _folded(screen.text(expression), screen.room_beside(2)))


def figures_lines(block: Figures, screen: Screen) -> Iterator[str]:
    """Each group of figures under its title, with the remarks that its derivations number below."""
    ledger = _ledger([figure for group in block.groups for figure in group.figures], screen)
    for number, group in enumerate(block.groups):
        if number:
            yield ""
        yield from (screen.styled(line, BOLD) for line in wrapped(screen.text(group.title), screen.width))
        yield from (line for about in group.about for line in hanging("  ", screen.text(about), screen))
        for figure in group.figures:
            yield from ledger.entry(figure)
        for mark, remark in enumerate(group.remarks, start=1):
            lines = hanging(f"  [{mark}] ", screen.text(remark), screen)
            yield from (screen.styled(line, DIM) for line in lines)
    yield ""
    yield from (screen.styled(line, DIM) for line in wrapped(screen.text(block.legend), screen.width))


def _ledger(figures: Sequence[Figure], screen: Screen) -> "_Ledger":
    """The columns that have room: the value in binary units goes first, then the exact one; then names are wrapped."""
    cells = [_cells(figure, screen) for figure in figures]
    widths = [max(map(width_of, column)) for column in zip(*cells, strict=True)]
    kept = [index for index, width in enumerate(widths) if width]
    for index in sorted(_SPARE, reverse=True):
        if screen.width and index in kept and row_width([widths[at] for at in kept]) > screen.width:
            kept.remove(index)
    screen.left_out += [what for index, what in _SPARE.items() if widths and widths[index] and index not in kept]
    if screen.width and kept:
        widths[0] = min(widths[0], screen.room_beside(row_width([widths[at] for at in kept]) - widths[0]))
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
        name, *more = wrapped(name, self.widths[0])
        cells = (name, *numbers)
        line = GAP.join(padded(cells[index], self.widths[index], screen, right=index > 0) for index in self.kept)
        derivation = screen.text(" ".join(figure.derivation))
        for text in () if more else (line, line.rstrip()):
            if screen.width and width_of(text) + len(GAP) + width_of(derivation) <= screen.width:
                yield f"{text}{GAP}{screen.styled(derivation, DIM)}"
                return
        yield line.rstrip()
        yield from (f"  {line}" for line in more)
        together = not screen.width or len(_INDENT) + width_of(derivation) <= screen.width
        for part in (derivation,) if together else map(screen.text, figure.derivation):
            lines = self._reason(part) if figure.value is None else self._formula(part)
            yield from (screen.styled(f"{_INDENT}{line}", DIM) for line in lines)

    def _reason(self, text: str) -> Iterator[str]:
        yield from wrapped(text, self.screen.room_beside(len(_INDENT)))

    def _formula(self, text: str) -> Iterator[str]:
        """A sign, and the expression behind it on as many lines as it takes."""
        sign, _, expression = text.partition(" ")
        lead = f"{sign} "
        for line in _folded(expression, self.screen.room_beside(len(_INDENT) + width_of(lead))):
            yield lead + line
            lead = " " * width_of(lead)


def _folded(expression: str, width: int) -> Iterator[str]:
    """An expression on lines of this width: broken between terms, else between factors, else within one."""
    if width <= 0 or width_of(expression) <= width:
        yield expression
        return
    from textwrap import wrap

    for line in wrap(expression, width, break_long_words=False, break_on_hyphens=False):
        text = ""
        for piece in _pieces(line, width):
            if text and width_of(text + piece) > width:
                yield text
                text = ""
            text += piece
        yield text


def _pieces(line: str, width: int) -> Iterator[str]:
    for factor in _FACTORS.split(line):
        yield from [factor] if width_of(factor) <= width else _OPERANDS.split(factor)
