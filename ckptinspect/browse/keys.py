"""The keys of the browser: how they are bound, and what its help tells of them."""

from textual.binding import Binding


def bound(keys: str, action: str) -> Binding:
    """Keys that act at once: what one of them does is done before the next one is looked at.

    Textual's other keys act when their message has been round the screen, after any that came with it.
    """
    return Binding(keys, action, show=False, priority=True)


KEYS = (
    ("/", "search: all words of it stand in the name, * for any characters, ? for one"),
    ("Tab", "to the other pane"),
    ("arrows, j k", "move; PgUp PgDn or b Space, Home End or g G"),
    ("Right Left, l h", "in the tree: open and close; * opens all below"),
    ("Enter", "in the tree: to its tensors; at a tensor: all about it"),
    ("i", "all about the tensor, or the line of the tree"),
    ("s", "sort: choose a column"),
    ("r", "the other way round"),
    ("f", "only the tensors of one file: choose it"),
    ("w", "where the tensor stands in the tree"),
    ("t", "with the tree, or without"),
    ("c, y", "copy the name, by way of the terminal (OSC 52)"),
    ("n", "notes on the checkpoint"),
    ("Esc", "undo: the search, then the file, then the line of the tree"),
    ("?", "these keys"),
    ("q", "quit"),
)
"""What each key does."""

REMINDER = "/ search  Tab pane  s sort  f file  c copy  i all  n notes  ? keys  q quit"
"""The line at the bottom of the screen."""
