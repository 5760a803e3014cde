"""The checkpoints of a local tree: ``audit DIR --recursive``."""

import os
from collections.abc import Collection, Iterator

from ckptinspect.errors import AccessError, NotFoundError
from ckptinspect.selection import sets_in

MAX_FOLDERS = 1_000_000
_LISTS = frozenset({"model_index.json", "modules.json"})


def checkpoints_below(folder: str) -> Iterator[str]:
    """The folders that hold a checkpoint, sorted; none inside another, hidden ones left out.

    Links to folders are not followed. Raises NotFoundError or AccessError for the first folder alone.
    """
    if not os.path.isdir(folder):
        raise NotFoundError("no such folder", folder, "check the spelling")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise AccessError("the folder cannot be read", folder, "check its permissions")
    seen = 0
    for here, folders, files in os.walk(folder):
        seen += 1
        if seen > MAX_FOLDERS:
            raise AccessError(f"more than {MAX_FOLDERS} folders below it", folder, "name folders further down")
        if is_checkpoint(files):
            folders.clear()
            yield here
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def is_checkpoint(names: Collection[str]) -> bool:
    """Whether a folder with files of these names holds a checkpoint."""
    return bool(sets_in(names)) or not _LISTS.isdisjoint(names)
