"""Where the cache lies on this machine, and how large it may grow."""

import os
import sys

from ckptinspect.errors import RefError
from ckptinspect.text import quoted

DEFAULT_LIMIT = 2_000_000_000
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def cache_place() -> str:
    """The folder of the cache: CKPTINSPECT_CACHE, or ``ckptinspect`` where the platform keeps caches."""
    if given := os.environ.get("CKPTINSPECT_CACHE"):
        return os.path.abspath(os.path.expanduser(given))
    if sys.platform == "darwin":
        base = "~/Library/Caches"
    elif sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return os.path.join(os.path.expanduser(base), "ckptinspect")


def cache_limit() -> int:
    """The bytes that the header cache may take: CKPTINSPECT_CACHE_SIZE (``500M``, ``2G``), or 2 GB.

    Raises RefError for what is no size.
    """
    given = os.environ.get("CKPTINSPECT_CACHE_SIZE", "").strip().upper().removesuffix("B")
    if not given:
        return DEFAULT_LIMIT
    digits = given.rstrip("KMGT")
    unit = given[len(digits) :]
    if not digits.isascii() or not digits.isdigit() or unit not in _UNITS or len(digits) > 15:
        raise RefError(f"{quoted(given)} is no size", "CKPTINSPECT_CACHE_SIZE", "write it as 500M or 2G")
    return int(digits) * _UNITS[unit]
