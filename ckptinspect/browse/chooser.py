"""A list over the panes, of which one is chosen: a file, a column."""

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Key
from textual.screen import ModalScreen

from ckptinspect.browse.bar import Bar
from ckptinspect.browse.keys import bound
from ckptinspect.browse.lines import LinesPane
from ckptinspect.browse.search import Query, lowered
from ckptinspect.browse.writing import BOLD, DIM, PLAIN, Piece, ends, inert


class ChoicesPane(LinesPane, can_focus=False, inherit_bindings=False):
    """What can be chosen, each with a remark on it; letters are for the search."""

    def __init__(self, choices: Sequence[tuple[str, str]]) -> None:
        super().__init__(lambda: None, id="choices")
        self._choices = choices
        self._names = lowered([name for name, _ in choices])
        self._found: Sequence[int] = ()

    @property
    def number(self) -> int | None:
        """What the cursor stands on."""
        return self._found[self.cursor] if self._found else None

    @property
    def total(self) -> int:
        """How many there are to choose from."""
        return len(self._choices)

    def search(self, text: str, cursor: int | None = None) -> None:
        """Show what has all the words of a text."""
        self._found = Query.of(text).among(range(len(self._choices)), self._names)
        self.show(len(self._found), self._found.index(cursor) if cursor in self._found else 0)

    def pieces(self, number: int, width: int) -> Iterator[Piece]:
        """A name and the remark on it."""
        name, remark = self._choices[self._found[number]]
        yield ends(inert(name), inert(remark), width), PLAIN


class Chooser(ModalScreen[None]):
    """One of several: ``chosen`` is called with its number. Letters search."""

    DEFAULT_CSS = """
    Chooser { background: ansi_default; padding: 0 1; }
    Chooser ChoicesPane { margin: 1 0; height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bound("enter", "choose"),
        bound("escape", "leave"),
        bound("backspace", "shorten"),
        bound("down", "to('move', 1)"),
        bound("up", "to('move', -1)"),
        bound("pagedown", "to('page', 1)"),
        bound("pageup", "to('page', -1)"),
        bound("home", "to('first')"),
        bound("end", "to('last')"),
    ]

    def __init__(self, title: str, choices: Sequence[tuple[str, str]], now: int, chosen: Callable[[int], None]) -> None:
        super().__init__()
        self.heading = title
        self.typed = ""
        self._now = now
        self._chosen = chosen
        self._pane = ChoicesPane(choices)

    def compose(self) -> ComposeResult:
        """A title, the list, and what the keys do."""
        yield Bar(id="heading", style=BOLD)
        yield self._pane
        yield Bar(id="leaving", style=DIM)

    def on_mount(self) -> None:
        """Show all of them, the cursor on what holds now."""
        self.query_one("#leaving", Bar).say("Enter choose   Esc back   letters search")
        self._search("", self._now)

    def _search(self, text: str, cursor: int | None = None) -> None:
        self.typed = text
        self._pane.search(text, cursor)
        found = f"{self._pane.count:,} of {self._pane.total:,}" if text else ""
        self.query_one("#heading", Bar).say(self.heading + text, right=found)

    def take(self, event: Key) -> bool:
        """Search by what is typed; whether a key is a letter."""
        if not event.is_printable or event.character is None:
            return False
        self._search(self.typed + event.character)
        return True

    def action_shorten(self) -> None:
        """Take back a letter."""
        self._search(self.typed[:-1])

    def action_to(self, way: str, *steps: int) -> None:
        """Move the cursor."""
        getattr(self._pane, f"action_{way}")(*steps)

    def action_choose(self) -> None:
        """Take what the cursor stands on."""
        number = self._pane.number
        self.dismiss(None)
        if number is not None:
            self._chosen(number)

    def action_leave(self) -> None:
        """Take nothing."""
        self.dismiss(None)
