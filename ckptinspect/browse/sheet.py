"""A page over the panes, to be read: the keys, the overview, all of a card."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widget import Widget

from ckptinspect.browse.bar import Bar
from ckptinspect.browse.card import text_of_lines
from ckptinspect.browse.keys import bound
from ckptinspect.browse.pages import Lines
from ckptinspect.browse.writing import BOLD, DIM


class Page(Widget):
    """Lines laid out for whatever width there is."""

    DEFAULT_CSS = "Page { height: auto; }"

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self.lines = lines

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as it takes."""
        return len(self.lines(width))

    def render(self) -> Text:
        """All lines."""
        return text_of_lines(self.lines(self.size.width))


class Sheet(ModalScreen[None]):
    """A page with a title; most keys leave it."""

    DEFAULT_CSS = """
    Sheet { background: ansi_default; padding: 0 1; }
    Sheet VerticalScroll {
        margin: 1 0;
        scrollbar-size-vertical: 1;
        scrollbar-background: ansi_default;
        scrollbar-background-hover: ansi_default;
        scrollbar-background-active: ansi_default;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bound("escape,enter,q,i,o,question_mark", "leave"),
        bound("down,j", "scroll('scroll_down')"),
        bound("up,k", "scroll('scroll_up')"),
        bound("pagedown,space", "scroll('scroll_page_down')"),
        bound("pageup,b", "scroll('scroll_page_up')"),
        bound("home,g", "scroll('scroll_home')"),
        bound("end,G", "scroll('scroll_end')"),
    ]

    def __init__(self, title: str, lines: Lines) -> None:
        super().__init__()
        self.heading = title
        self.lines = lines

    def compose(self) -> ComposeResult:
        """A title, the page, and how to leave it."""
        yield Bar(id="heading", style=BOLD)
        yield VerticalScroll(Page(self.lines), can_focus=False)
        yield Bar(id="leaving", style=DIM)

    def on_mount(self) -> None:
        """Say what it is."""
        self.query_one("#heading", Bar).say(self.heading)
        self.query_one("#leaving", Bar).say("Esc back   arrows, PgUp, PgDn to read on")

    def action_leave(self) -> None:
        """Go back to the panes."""
        self.dismiss(None)

    def action_scroll(self, way: str) -> None:
        """Read on, or back."""
        getattr(self.query_one(VerticalScroll), way)(animate=False)
