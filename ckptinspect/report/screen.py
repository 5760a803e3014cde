"""A screen for text: how wide it is, what it can show, and how text is measured, cut and wrapped for it."""

from collections.abc import Iterator, Sequence
from typing import TextIO

from ckptinspect.text import encodable, escaped

GAP = "  "
"""What stands between two columns."""
NARROWEST = 8
"""However little room there is, so much is taken."""
LEGIBLE = 24
"""However long a name is, so much of it is shown."""
PADDED = 120
"""Beyond this a name in a pipe makes its own row longer and no other."""
BOLD, DIM, RED, YELLOW, CYAN = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[33m", "\x1b[36m"
_RESET = "\x1b[0m"
_ONE_CELL = str.maketrans("", "", "│├└×…")


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

    def room_beside(self, taken: int) -> int:
        """The width that is left beside what is taken; 0, no limit, where the screen has none."""
        return max(self.width - taken, NARROWEST) if self.width else 0


def width_of(text: str) -> int:
    """The columns that a text takes.

    >>> width_of("h (0-11)"), width_of("12 ×"), width_of("重み")
    (8, 4, 4)
    """
    if text.isascii() or text.translate(_ONE_CELL).isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def row_width(widths: Sequence[int]) -> int:
    """The columns that cells of these widths take side by side.

    >>> row_width([4, 3])
    9
    """
    return sum(widths) + len(GAP) * (len(widths) - 1)


def padded(text: str, width: int, screen: Screen, *, right: bool) -> str:
    """The text in a cell of this width, to its right or left; cut where the screen has an end."""
    taken = width_of(text)
    if taken > width and screen.width:
        text = shortened(text, width, screen.dots)
        taken = width_of(text)
    space = " " * (width - taken)
    return space + text if right else text + space


def shortened(text: str, width: int, dots: str) -> str:
    """Cut in the middle: the ends of a tensor's name say more than its middle.

    >>> shortened("model.layers.0.mlp.up_proj.weight", 16, "…")
    'model.l…j.weight'
    """
    room = max(width - len(dots), 0)
    head, tail = text[: room // 2], text[len(text) - (room - room // 2) :]
    while width_of(head) + width_of(tail) > room:
        if width_of(head) >= width_of(tail):
            head = head[:-1]
        else:
            tail = tail[1:]
    return f"{head}{dots}{tail}"


def wrapped(text: str, width: int) -> list[str]:
    """A sentence on lines of this width; 0: on one.

    >>> wrapped("the figures are the header's", 16)
    ['the figures are', "the header's"]
    """
    if width <= 0 or width_of(text) <= width:
        return [text]
    from textwrap import wrap

    return wrap(text, width, break_long_words=True, break_on_hyphens=False)


def hanging(lead: str, text: str, screen: Screen) -> Iterator[str]:
    """The text behind a lead; further lines stand below its beginning."""
    head, *rest = wrapped(text, screen.room_beside(width_of(lead)))
    yield lead + head
    yield from (" " * width_of(lead) + line for line in rest)
