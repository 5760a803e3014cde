"""What other installed packages add: entry points of the groups ``ckptinspect.<folder>``.

Importing importlib.metadata takes about as long as all of a small run, so it is asked only where an installed
package says in its ``entry_points.txt`` that it has something for us. See docs/decisions/extensions.md.
"""

import os
import sys
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from ckptinspect.errors import UnavailableError
from ckptinspect.text import quoted

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_MENTION = b"[ckptinspect."
_METADATA = (".dist-info", ".egg-info")


def extension(folder: str, name: str, *needs: str) -> Any:
    """What an installed package adds to ``folder`` under ``name``, imported; None where there is no such thing.

    ``needs`` are the attributes that it must have. Raises UnavailableError where it lacks one or cannot be imported.
    """
    return next((_loaded(folder, entry, needs) for entry in _entries(folder) if entry.name == name), None)


@cache
def extensions(folder: str, *needs: str) -> tuple[Any, ...]:
    """All that installed packages add to ``folder``, imported, in the order of their names; else as ``extension``."""
    return tuple(_loaded(folder, entry, needs) for entry in _entries(folder))


def names_of(folder: str) -> tuple[str, ...]:
    """The names of all that installed packages add to ``folder``; none of it is imported."""
    return tuple(entry.name for entry in _entries(folder))


def _entries(folder: str) -> "tuple[EntryPoint, ...]":
    if not _is_mentioned():
        return ()
    from importlib.metadata import entry_points

    return tuple(sorted(entry_points(group=f"ckptinspect.{folder}"), key=lambda entry: (entry.name, entry.value)))


def _loaded(folder: str, entry: "EntryPoint", needs: tuple[str, ...]) -> Any:
    try:
        found = entry.load()
    except Exception as error:
        raise _unusable(folder, entry, f"cannot be imported: {type(error).__name__}: {error}") from error
    if lacking := [name for name in needs if not hasattr(found, name)]:
        raise _unusable(folder, entry, f"has no {lacking[0]}")
    return found


def _unusable(folder: str, entry: "EntryPoint", why: str) -> UnavailableError:
    what = f"the extension {quoted(entry.name)}, {quoted(entry.value)}, {why}"
    return UnavailableError(what, f"ckptinspect.{folder}", "update or uninstall the package that brings it")


@cache
def _is_mentioned() -> bool:
    return any(_MENTION in text for folder in sys.path for text in _declarations(folder))


def _declarations(folder: str) -> Iterator[bytes]:
    """The ``entry_points.txt`` of every package that is installed in a folder of ``sys.path``."""
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return
    for name in names:
        if name.endswith(_METADATA):
            try:
                with open(os.path.join(folder, name, "entry_points.txt"), "rb") as file:
                    yield file.read()
            except OSError:
                continue
