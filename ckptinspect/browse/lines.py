"""A pane of many lines, of which those that are seen are drawn: a hundred thousand cost no more than twenty."""

from collections.abc import Callable, Iterable
from typing import ClassVar

from rich.segment import Segment
from textual.binding import BindingType
from textual.events import Blur, Click, Focus, Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ckptinspect.browse.keys import bound
from ckptinspect.browse.writing import CURSOR, DIM, LEFT_CURSOR, Piece, inert


class LinesPane(ScrollView, can_focus=True):
    """Lines by their numbers, one of them under the cursor, below so many ``heads`` that do not scroll.

    Where there are none, ``empty`` is said. ``moved`` is called when the cursor stands on another line, or on the
    same one of other lines.
    """

    DEFAULT_CSS = """
    LinesPane {
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        scrollbar-background: ansi_default;
        scrollbar-background-hover: ansi_default;
        scrollbar-background-active: ansi_default;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bound("down,j", "move(1)"),
        bound("up,k", "move(-1)"),
        bound("pagedown,space,ctrl+f", "page(1)"),
        bound("pageup,b,ctrl+b", "page(-1)"),
        bound("ctrl+d", "page(0.5)"),
        bound("ctrl+u", "page(-0.5)"),
        bound("home,g", "first"),
        bound("end,G", "last"),
    ]
    heads = 0

    def __init__(self, moved: Callable[[], None], *, id: str) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self._moved = moved
        self.cursor = 0
        self.empty = ""
        self._count = 0

    def pieces(self, number: int, width: int) -> Iterable[Piece]:
        """A line as inert texts that fill the width."""
        raise NotImplementedError

    def head(self, width: int) -> Iterable[Piece]:
        """The line above all others."""
        raise NotImplementedError

    @property
    def count(self) -> int:
        """How many lines there are."""
        return self._count

    def show(self, count: int, cursor: int = 0) -> None:
        """Have so many lines, other ones than before, with the cursor on one of them."""
        self._count = count
        self.virtual_size = Size(1, count + self.heads)
        self.go(cursor)

    def go(self, number: int) -> None:
        """Put the cursor on a line, or on the nearest one that there is."""
        self.cursor = max(0, min(number, self._count - 1))
        self._keep_in_sight()
        self.refresh()
        self._moved()

    @property
    def _room(self) -> int:
        """How many lines are seen at once."""
        return max(self.size.height - self.heads, 1)

    def _keep_in_sight(self) -> None:
        top = round(self.scroll_y)
        # By force: of lines that have just come it is not yet known that they do not all fit.
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + self._room:
            self.scroll_to(y=self.cursor - self._room + 1, animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        """A line of the screen."""
        width = self.scrollable_content_region.width
        number = y - self.heads + round(self.scroll_y)
        if y < self.heads:
            return self._strip(self.head(width), width)
        if number >= self._count:
            empty = self._count == 0 and number == 0
            return self._strip([(inert(self.empty), DIM)] if empty else [], width)
        line = self._strip(self.pieces(number, width), width)
        if number != self.cursor:
            return line
        return line.apply_style(CURSOR if self.has_focus or not self.can_focus else LEFT_CURSOR)

    @staticmethod
    def _strip(pieces: Iterable[Piece], width: int) -> Strip:
        return Strip([Segment(text, style) for text, style in pieces]).adjust_cell_length(width)

    def action_move(self, lines: int) -> None:
        """Move the cursor by some lines."""
        self.go(self.cursor + lines)

    def action_page(self, pages: float) -> None:
        """Move the cursor by some screens."""
        self.go(self.cursor + round(pages * max(self._room - 1, 2)))

    def action_first(self) -> None:
        """Move the cursor to the first line."""
        self.go(0)

    def action_last(self) -> None:
        """Move the cursor to the last line."""
        self.go(self._count - 1)

    def on_click(self, event: Click) -> None:
        """Put the cursor where the mouse is."""
        if event.y >= self.heads and (number := event.y - self.heads + round(self.scroll_y)) < self._count:
            if number == self.cursor:
                self.chosen()
            self.go(number)

    def chosen(self) -> None:
        """Do what is to be done where the line under the cursor is clicked on."""

    def on_resize(self, _: Resize) -> None:
        """Keep the cursor in sight in another room."""
        self._keep_in_sight()

    def on_focus(self, _: Focus) -> None:
        """Show that keys act here."""
        self.refresh()

    def on_blur(self, _: Blur) -> None:
        """Show that keys act elsewhere."""
        self.refresh()
