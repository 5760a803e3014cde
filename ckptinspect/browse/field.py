"""The field in which a search is typed.

Textual's own takes a key when the messages before it have been round the screen, so that of keys that come in one
packet some would be taken for others. This one is told each key at once.
"""

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.events import Key, Paste
from textual.widget import Widget

from ckptinspect.browse.keys import bound
from ckptinspect.browse.writing import CURSOR, DIM, PLAIN, inert, line_of
from ckptinspect.report.screen import width_of

_HINT = "words of a name, * for any characters"


class SearchField(Widget, can_focus=True):
    """A line of text with a cursor; ``changed`` is called whenever the text is another."""

    DEFAULT_CSS = "SearchField { height: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [bound("down", "app.enter")]

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__(id="search")
        self.value = ""
        self.cursor = 0
        self._changed = changed

    def put(self, value: str, cursor: int | None = None) -> None:
        """Have another text, with the cursor at its end unless it is told where."""
        differs = value != self.value
        self.value = value
        self.cursor = len(value) if cursor is None else max(0, min(cursor, len(value)))
        self.refresh()
        if differs:
            self._changed()

    def take(self, event: Key) -> bool:
        """Do what a key does in a line of text; whether it does anything there."""
        before, behind = self.value[: self.cursor], self.value[self.cursor :]
        if event.is_printable and event.character is not None:
            self.put(before + event.character + behind, self.cursor + 1)
            return True
        match event.key:
            case "backspace":
                self.put(before[:-1] + behind, self.cursor - 1)
            case "delete":
                self.put(before + behind[1:], self.cursor)
            case "left":
                self.put(self.value, self.cursor - 1)
            case "right":
                self.put(self.value, self.cursor + 1)
            case "home" | "ctrl+a":
                self.put(self.value, 0)
            case "end" | "ctrl+e":
                self.put(self.value)
            case "ctrl+u":
                self.put(behind, 0)
            case "ctrl+w":
                rest = before.rstrip().rpartition(" ")
                self.put(rest[0] + rest[1] + behind, len(rest[0] + rest[1]))
            case _:
                return False
        return True

    def on_paste(self, event: Paste) -> None:
        """Take the first line of what is pasted."""
        first = next(iter(event.text.splitlines()), "")
        self.put(self.value[: self.cursor] + first + self.value[self.cursor :], self.cursor + len(first))
        event.stop()

    def render(self) -> Text:
        """As much of the text as there is room for, the cursor in sight; or what can be typed."""
        if not self.has_focus:
            return line_of(("/ ", DIM), (inert(self.value), PLAIN) if self.value else (_HINT, DIM))
        room = max(self.size.width - 3, 1)
        before = inert(self.value[: self.cursor])
        while width_of(before) > room:
            before = before[1:]
        under, behind = inert(self.value[self.cursor : self.cursor + 1]), inert(self.value[self.cursor + 1 :])
        if not self.value:
            under, behind = _HINT[0], _HINT[1:]
        style = PLAIN if self.value else DIM
        return line_of(("/ ", PLAIN), (before, PLAIN), (under or " ", CURSOR), (behind, style))
