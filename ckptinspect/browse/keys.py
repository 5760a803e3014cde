"""The keys of the browser: how they are bound, and what its help tells of them."""

from collections.abc import Sequence

from textual.binding import Binding


def bound(keys: str, action: str) -> Binding:
    """Keys that act at once: what one of them does is done before the next one is looked at.

    Textual's other keys act when their message has been round the screen, after any that came with it.
    """
    return Binding(keys, action, show=False, priority=True)


_COPYING = (
    "it is sent to the terminal (OSC 52), over ssh too, which does not say whether it took it; "
    "tmux does with set -s set-clipboard on"
)
KEYS = (
    ("/", "search: all words of it stand in the name, * for any characters, ? for one"),
    ("Tab", "to the other pane"),
    ("arrows, j k", "move; PgUp PgDn or b Space, ^U ^D half as far, Home End or g G"),
    ("Right Left, l h", "in the tree: open and close; * opens all below"),
    ("Enter", "in the tree: to its tensors; at a tensor: all about it"),
    ("i", "all about the tensor, or the line of the tree"),
    ("o", "overview: what show says, with the decomposition and the notes"),
    ("s, r", "sort: choose a column; the other way round"),
    ("f", "only the tensors of one file: choose it"),
    ("w", "where the tensor stands in the tree"),
    ("t", "with the tree, or without"),
    ("c, y", f"copy the name: {_COPYING}"),
    ("Esc", "undo: the search, then the file, then the line of the tree"),
    ("?", "these keys"),
    ("q", "quit"),
)
"""What each key does."""

_REMINDERS = (
    *(("/", "search"), ("Tab", "pane"), ("s", "sort"), ("f", "file"), ("c", "copy"), ("i", "all"), ("o", "overview")),
    *(("?", "keys"), ("q", "quit")),
)
# How to learn of the others, and how to get away.
_LAST = 2


def reminders(width: int) -> Sequence[tuple[str, str]]:
    """The keys to tell of on a line of this width, each with a word.

    >>> reminders(24)
    (('/', 'search'), ('?', 'keys'), ('q', 'quit'))
    """
    others = len(_REMINDERS) - _LAST
    shown = [_REMINDERS[:count] + _REMINDERS[others:] for count in range(others, 0, -1)]
    taken = [sum(len(key) + len(what) + 3 for key, what in some) - 2 for some in shown]
    return next((some for some, room in zip(shown, taken, strict=True) if room <= width), _REMINDERS[others:])
