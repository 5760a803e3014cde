"""A card as it is drawn: as many facts a line as fit, or one a line."""

from collections.abc import Iterator, Sequence

from rich.text import Text
from textual.widget import Widget

from ckptinspect.browse.cards import Card
from ckptinspect.browse.writing import BOLD, DIM, PLAIN, Piece, inert
from ckptinspect.report.screen import width_of

_GAP = "   "


class CardPane(Widget):
    """A card in a pane: what there is no room for is left out, and dots say so."""

    def __init__(self) -> None:
        super().__init__(id="card")
        self.card = Card("")

    def show(self, card: Card) -> None:
        """Draw another card."""
        if card != self.card:
            self.card = card
            self.refresh()

    def render(self) -> Text:
        """The title, and the facts one behind the other."""
        width, height = self.size
        lines = [*titled(self.card, width), *flowing(self.card.facts, width)]
        text = text_of_lines(lines[:height])
        if len(lines) > height:
            dots = f" {inert('…')}"
            # In cells, each of which is at most one character.
            over = line_width(lines[height - 1]) + len(dots) - width
            if over > 0:
                text.right_crop(over)
            text.append(dots, DIM)
        return text


def line_width(line: Sequence[Piece]) -> int:
    """The columns that pieces take side by side."""
    return sum(width_of(text) for text, _ in line)


def text_of_lines(lines: Sequence[Sequence[Piece]]) -> Text:
    """Lines of pieces as one text; nothing in it is wrapped again."""
    text = Text(no_wrap=True, overflow="crop", end="")
    for number, line in enumerate(lines):
        text.append("\n" * bool(number))
        for piece in line:
            text.append(*piece)
    return text


def titled(card: Card, width: int) -> Iterator[list[Piece]]:
    """The title on as many lines as it takes."""
    yield from ([(line, BOLD)] for line in broken(inert(card.title), width))


def flowing(facts: Sequence[tuple[str, str]], width: int) -> Iterator[list[Piece]]:
    """As many facts a line as fit; one that is longer than a line goes on below."""
    line: list[Piece] = []
    taken = 0
    for name, said in facts:
        label, value = inert(name), inert(said)
        needs = width_of(label) + 1 + width_of(value)
        if line and taken + len(_GAP) + needs > width:
            yield line
            line, taken = [], 0
        if line:
            line.append((_GAP, PLAIN))
            taken += len(_GAP)
        if needs <= width - taken:
            line += [(f"{label} ", DIM), (value, PLAIN)]
            taken += needs
            continue
        yield from told(label, value, width)
    if line:
        yield line


def listed(facts: Sequence[tuple[str, str]], width: int) -> Iterator[list[Piece]]:
    """One fact a line, in two columns."""
    column = max((width_of(inert(name)) for name, _ in facts), default=0)
    for name, said in facts:
        label = inert(name)
        head, *rest = broken(inert(said), max(width - column - 2, 8))
        yield [(label + " " * (column - width_of(label) + 2), DIM), (head, PLAIN)]
        yield from ([(" " * (column + 2) + line, PLAIN)] for line in rest)


def told(label: str, value: str, width: int) -> Iterator[list[Piece]]:
    """A fact that takes several lines."""
    head, *rest = broken(value, max(width - width_of(label) - 1, 8))
    yield [(f"{label} ", DIM), (head, PLAIN)]
    yield from ([(line, PLAIN)] for line in broken("".join(rest), width) if line)


def broken(text: str, width: int) -> list[str]:
    """A text on lines of this width: broken between words where it can be, and anywhere else."""
    if width_of(text) <= width:
        return [text]
    from textwrap import wrap

    from rich.cells import chop_cells

    if " " not in text:
        return chop_cells(text, max(width, 1))
    lines = wrap(text, max(width, 1), break_long_words=True, break_on_hyphens=False)
    return [piece for line in lines for piece in chop_cells(line, max(width, 1))]
