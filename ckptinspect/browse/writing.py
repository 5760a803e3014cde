"""Text as it comes out on the screen: inert whatever a file holds, in the terminal's alphabet, cut to its room."""

import sys

from rich.style import Style
from rich.text import Text

from ckptinspect.report.screen import shortened, width_of
from ckptinspect.text import encodable, escaped
from ckptinspect.text import shortened as shortened_text

PLAIN, BOLD, DIM = Style(), Style(bold=True), Style(dim=True)
ACCENT = Style(bold=True, color="magenta")
"""The one colour, and one that is legible on light terminals as on dark ones; nothing is told by it alone."""
CURSOR, LEFT_CURSOR = Style(reverse=True), Style(underline=True)
"""The line that keys act on, and the one in a pane that they do not act on now; both seen without colours."""

Piece = tuple[str, Style]

# What is longer is no name that anybody reads.
_LONGEST, _LONGEST_WORDS = 10_000, 1000
# Of the last words of a name, so much says something.
_LEGIBLE = 10


def inert(text: str) -> str:
    """Any text as it is shown: nothing in it acts on the terminal, and every letter is one that the terminal has."""
    return spelled(escaped(shortened_text(text, _LONGEST)))


def spelled(text: str) -> str:
    """A text that is inert already, in the terminal's alphabet."""
    return encodable(text, getattr(sys.__stderr__, "encoding", None) or "utf-8")


def fitted(text: str, width: int, *, right: bool = False) -> str:
    """An inert text in a room of this width: cut in the middle, or filled with spaces.

    >>> fitted("abc", 5), fitted("abc", 5, right=True), fitted("abcdefg", 5)
    ('abc  ', '  abc', 'ab…fg')
    """
    taken = width_of(text)
    if taken > width:
        text = shortened(text, width, inert("…")) if width > 2 else text[: max(width, 0)]
        taken = width_of(text)
    space = " " * (width - taken)
    return space + text if right else text + space


def abbreviated(name: str, width: int, last: int = 2) -> str:
    """A name that fits: its words are cut to a letter, from the first on, and then the ``last`` ones in their middle.

    Numbers stay: which layer and which expert it is says more than how those are spelled.

    >>> abbreviated("model.layers.17.mlp.experts.3.down_proj.weight", 32)
    'm.l.17.m.e.3.down_proj.weight'
    >>> abbreviated("model.layers.17.mlp.experts.3.down_proj.weight_scale_inv", 26)
    'm.l.17.m.e.3.down_p…le_inv'
    """
    if width_of(name) <= width or len(name) > _LONGEST_WORDS:
        return name
    words = name.split(".")
    for at, word in enumerate(words[:-last]):
        if word.isidentifier():
            words[at] = word[:1]
            if width_of(".".join(words)) <= width:
                return ".".join(words)
    ahead = "".join(f"{word}." for word in words[:-last])
    room = width - width_of(ahead)
    return ahead + fitted(".".join(words[-last:]), room).rstrip() if room >= _LEGIBLE else ".".join(words)


def line_of(*pieces: Piece) -> Text:
    """Pieces of inert text as one that is never wrapped."""
    return Text.assemble(*pieces, no_wrap=True, overflow="crop", end="")


def ends(left: str, right: str, width: int) -> str:
    """Two texts at the ends of a line; the left one is cut where there is no room for both."""
    room = width - width_of(right)
    return fitted(left, room - 2) + "  " + right if right and room > 10 else fitted(left, width)
