"""What other installed packages add: entry points of the groups ``ckptinspect.<folder>``.

Importing importlib.metadata takes about as long as all of a small run, so it is asked only where an installed
package says in its ``entry_points.txt`` that it has something for us. See docs/decisions/extensions.md.
"""

import os
import sys
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from ckptinspect.errors import UnavailableError
from ckptinspect.text import quoted

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_MENTION = b"[ckptinspect."
_METADATA = (".dist-info", ".egg-info")


def extension(folder: str, name: str) -> object | None:
    """What an installed package adds to ``folder`` under ``name``, imported; None where there is no such thing.

    Raises UnavailableError where it cannot be imported.
    """
    return next((_loaded(folder, entry) for entry in _entries(folder) if entry.name == name), None)


@cache
def extensions(folder: str) -> tuple[object, ...]:
    """All that installed packages add to ``folder``, imported, in the order of their names.

    Raises UnavailableError where one cannot be imported.
    """
    return tuple(_loaded(folder, entry) for entry in _entries(folder))


def names_of(folder: str) -> tuple[str, ...]:
    """The names of all that installed packages add to ``folder``; none of it is imported."""
    return tuple(entry.name for entry in _entries(folder))


def _entries(folder: str) -> "tuple[EntryPoint, ...]":
    if not _is_mentioned():
        return ()
    from importlib.metadata import entry_points

    return tuple(sorted(entry_points(group=f"ckptinspect.{folder}"), key=lambda entry: (entry.name, entry.value)))


def _loaded(folder: str, entry: "EntryPoint") -> object:
    try:
        return entry.load()
    except Exception as error:
        what = f"the extension {quoted(entry.name)} ({quoted(entry.value)}) cannot be imported: {error}"
        raise UnavailableError(what, f"ckptinspect.{folder}", "update or uninstall the package it is of") from error


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
