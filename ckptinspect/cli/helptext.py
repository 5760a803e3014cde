"""A verb's help in parts: its arguments, its own options, those that verbs share.

The terminal's help and the site's pages are made of the same parts. Where typer and click differ between versions in
how they spell an argument, this does not.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ckptinspect.cli.options import COMMON

OWN = "Options"
_NO_NEWS = re.compile(r"\s*\[x>=0\]$")


class Entry(NamedTuple):
    """An argument or option: how it is written (``-f, --format FORMAT``), and what it does."""

    spelling: str
    text: str


class Part(NamedTuple):
    """Entries under a heading."""

    heading: str
    entries: tuple[Entry, ...]


def usage_of(command: Any) -> list[str]:
    """What follows the verb's name: ``[OPTIONS] REF``."""
    return ["[OPTIONS]", *(_placeholder(parameter) for parameter in command.params if _is_argument(parameter))]


def parts_of(command: Any, context: Any) -> tuple[Part, ...]:
    """The parts of a command's help, in their order; empty ones left out."""
    entries: dict[str, list[Entry]] = {"Arguments": [], OWN: []}
    common: list[Entry] = []
    for parameter in command.get_params(context):
        for entry in _entries(parameter, context):
            heading = _heading(parameter)
            (common if heading == COMMON else entries.setdefault(heading, [])).append(entry)
    entries[COMMON] = common
    return tuple(Part(heading, tuple(found)) for heading, found in entries.items() if found)


def _entries(parameter: Any, context: Any) -> Iterator[Entry]:
    """The entry of a parameter; none for a hidden one."""
    if (record := parameter.get_help_record(context)) is None:
        return
    if _is_argument(parameter):
        yield Entry(str(parameter.metavar), str(parameter.help))
    else:
        spelling, text = record
        # Choices are written as the others are: auto|cpu, not <auto|cpu>.
        yield Entry(spelling.replace("<", "").replace(">", ""), _NO_NEWS.sub("", text))


def _heading(parameter: Any) -> str:
    if _is_argument(parameter):
        return "Arguments"
    if "--help" in parameter.opts:
        return COMMON
    return getattr(parameter, "rich_help_panel", None) or OWN


def _is_argument(parameter: Any) -> bool:
    return str(parameter.param_type_name) == "argument"


def _placeholder(parameter: Any) -> str:
    name = str(parameter.metavar) + ("…" if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"
