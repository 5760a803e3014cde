"""One line across the screen."""

from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from ckptinspect.browse.writing import PLAIN, ends, fitted, inert, line_of


class Bar(Widget):
    """A text at the left of a line and another one at its right."""

    DEFAULT_CSS = "Bar { height: 1; }"

    def __init__(self, *, id: str, style: Style = PLAIN) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self.style = style
        self.left = self.right = ""

    def say(self, left: str, right: str = "") -> None:
        """Show other texts."""
        if (left, right) != (self.left, self.right):
            self.left, self.right = left, right
            self.refresh()

    def render(self) -> Text:
        """The line."""
        width = self.size.width
        return line_of((fitted(ends(inert(self.left), inert(self.right), width), width), self.style))
