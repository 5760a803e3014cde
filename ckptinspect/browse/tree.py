"""The pane of the tree: the lines of an outline that are to be seen."""

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from textual.binding import BindingType

from ckptinspect.browse.keys import bound
from ckptinspect.browse.lines import LinesPane
from ckptinspect.browse.outline import ROOT, Item, Outline
from ckptinspect.browse.writing import BOLD, DIM, PLAIN, Piece, abbreviated, ends, inert
from ckptinspect.report.screen import width_of
from ckptinspect.text import count_text

# How far a line stands in from the one above it; less where there is little room.
_INDENT, _ROOMY = 2, 36


class TreePane(LinesPane):
    """The tree, one line of it a line; keys open and close them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bound("right,l,plus", "open"),
        bound("left,h,minus", "close"),
        bound("asterisk", "open_all"),
    ]

    def __init__(self, moved: Callable[[], None]) -> None:
        super().__init__(moved, id="tree")
        self.empty = "the tree is being worked out"
        self._outline: Outline | None = None
        self._root = ""
        self._visible: list[int] = []

    @property
    def number(self) -> int:
        """The line under the cursor; the root as long as there is no tree."""
        return self._visible[self.cursor] if self._visible else ROOT

    def draw(self, outline: Outline, name: str) -> None:
        """Show a tree; ``name`` is what its root is called."""
        self._outline, self._root = outline, name
        self._relist(ROOT)

    def reveal(self, number: int) -> None:
        """Put the cursor on a line, wherever it is."""
        if self._outline is not None:
            self._outline.reveal(number)
            self._relist(number)

    def _relist(self, number: int) -> None:
        assert self._outline is not None
        self._visible = self._outline.visible()
        self.show(len(self._visible), self._visible.index(number))

    def pieces(self, number: int, width: int) -> Iterator[Piece]:
        """A line: whether it can be opened, its names, how often it is there, its parameters."""
        assert self._outline is not None
        number = self._visible[number]
        item = self._outline.items[number]
        sign = " " if not item.line.children else "-" if number in self._outline.opened else "+"
        # However deep a line is, something of its name is to be seen.
        indent = min(item.depth * (_INDENT if width >= _ROOMY else 1), width // 3)
        figure = count_text(item.line.tally.parameters)
        label = inert(self._root) if number == ROOT else _label(item, width - indent - len(sign) - len(figure) - 3)
        yield " " * indent + sign + " ", DIM
        yield ends(label, figure, width - indent - len(sign) - 1), BOLD if item.line.children else PLAIN

    def chosen(self) -> None:
        """Open or close the line under the cursor, which was clicked on."""
        if self._outline is not None:
            number = self.number
            if not self._outline.close(number):
                self._outline.open(number)
            self._relist(number)

    def action_open(self) -> None:
        """Open the line under the cursor; step into it, where it is open."""
        if self._outline is None:
            return
        if self._outline.open(self.number):
            self._relist(self.number)
        elif self._outline.items[self.number].line.children:
            self.go(self.cursor + 1)

    def action_close(self) -> None:
        """Close the line under the cursor; step out of it, where it is closed."""
        if self._outline is None:
            return
        number = self.number
        self._relist(number if self._outline.close(number) else self._outline.items[number].above)

    def action_open_all(self) -> None:
        """Open the line under the cursor and all below it."""
        if self._outline is not None:
            for number in range(self.number, self._outline.items[self.number].end):
                self._outline.open(number)
            self._relist(self.number)


def _label(item: Item, width: int) -> str:
    """The names of a line, and how often it stands in the one above, as much of it as there is room for."""
    names = [inert(name) or "''" for name in item.line.names]
    times = f" {item.line.repeat:,} ×" if item.line.indices else ""
    more = f", {inert('…')}" * (len(names) > 1)
    for label in (", ".join(names) + inert(times), ", ".join(names), *_fewer(names), names[0]):
        if width_of(label) <= width:
            return label
    return abbreviated(names[0], width - width_of(more), last=1) + more


def _fewer(names: Sequence[str]) -> Iterator[str]:
    for count in range(len(names) - 1, 0, -1):
        yield f"{', '.join(names[:count])}, {inert('…')}"
