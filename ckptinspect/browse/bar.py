"""One line across the screen."""

from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from ckptinspect.browse.keys import reminders
from ckptinspect.browse.writing import ACCENT, DIM, PLAIN, fitted, inert, line_of
from ckptinspect.report.screen import width_of

_GAP = "  "
# What is left of a text is told as long as it is so long.
_LEGIBLE = 10


class Bar(Widget):
    """A text at the left of a line and another one at its right."""

    DEFAULT_CSS = "Bar { height: 1; }"

    def __init__(self, *, id: str, style: Style = PLAIN, end: Style = PLAIN) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self.style, self.end = style, end
        self.lefts: tuple[str, ...] = ("",)
        self.right = ""

    @property
    def left(self) -> str:
        """The text at the left, in full."""
        return self.lefts[0]

    def say(self, *lefts: str, right: str = "") -> None:
        """Show other texts; of several at the left the first that there is room for."""
        if (lefts, right) != (self.lefts, self.right):
            self.lefts, self.right = lefts, right
            self.refresh()

    def render(self) -> Text:
        """The line; the right gives way to the left."""
        width, lefts, right = self.size.width, list(map(inert, self.lefts)), inert(self.right)
        beside = len(_GAP) + width_of(right) if right else 0
        left = next((text for text in lefts if width_of(text) + beside <= width), lefts[-1])
        room = width - width_of(left) - len(_GAP)
        if not right or room < min(_LEGIBLE, width_of(right)):
            return line_of((fitted(left, width), self.style))
        return line_of((left + _GAP, self.style), (fitted(right, room, right=True), self.end))


class KeysBar(Widget):
    """The keys that are needed most, as many of them as there is room for."""

    DEFAULT_CSS = "KeysBar { height: 1; }"

    def render(self) -> Text:
        """The line."""
        pieces = []
        for key, what in reminders(self.size.width):
            pieces += [(key, ACCENT), (f" {what}{_GAP}", DIM)]
        return line_of(*pieces)
