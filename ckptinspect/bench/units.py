"""Sizes, times and lists as people type them."""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from ckptinspect.errors import RefError
from ckptinspect.text import quoted

T = TypeVar("T")

_NUMBER = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,6})?) ?(?P<unit>[A-Za-z]*)")
_BYTES = {"": 1, "b": 1}
_BYTES |= {f"{letter}b": 1000**power for power, letter in enumerate("kmgt", start=1)}
_BYTES |= {f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", start=1)}
_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}


def size(text: str, option: str) -> int:
    """A number of bytes.

    >>> size("16MiB", "--chunk"), size("1.5 GB", "--synthetic")
    (16777216, 1500000000)
    """
    return int(_scaled(text, option, _BYTES, "write it as 16MiB or 2GB"))


def seconds(text: str, option: str) -> float:
    """A time in seconds.

    >>> seconds("2m", "--budget"), seconds("90", "--budget")
    (120.0, 90.0)
    """
    return float(_scaled(text, option, _SECONDS, "write it as 120s or 5m"))


def _scaled(text: str, option: str, units: Mapping[str, int], hint: str) -> float:
    match = _NUMBER.fullmatch(text.strip())
    if match is None or match["unit"].lower() not in units:
        raise RefError(f"{quoted(text)} has no meaning here", option, hint)
    value = float(match["number"]) * units[match["unit"].lower()]
    if value <= 0:
        raise RefError("it must be more than 0", option, hint)
    return value


def several(text: str, one: Callable[[str], T], option: str) -> tuple[T, ...]:
    """A list with commas between, each item once.

    >>> several("4, 1,4", int, "--threads")
    (4, 1)
    """
    items = [part.strip() for part in text.split(",") if part.strip()]
    if not items:
        raise RefError("the list is empty", option, "write one or more, with commas between")
    return tuple(dict.fromkeys(map(one, items)))


def threads(text: str) -> int:
    """One number of threads."""
    if text.isascii() and text.isdigit() and 0 < int(text[:6]) <= 1024:
        return int(text[:6])
    raise RefError(f"{quoted(text)} is no number of threads", "--threads", "write 1 to 1024")
