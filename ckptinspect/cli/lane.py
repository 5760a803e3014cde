"""A fast lane through typer for plain values.

Typer 0.26 and later hand every value to pydantic, whose import takes longer than reading a checkpoint's
headers. A text, a whole number of 0 or more, or a choice needs none of that; anything else goes typer's own
way. See docs/decisions/typer.md.
"""

import sys
from enum import Enum
from functools import partial
from typing import Any

from typer.core import TyperCommand

from ckptinspect.errors import RefError
from ckptinspect.text import encodable, quoted


class OneTooManyError(RefError):
    """More arguments than the verb takes."""


class LeanCommand(TyperCommand):
    """A command whose plain values are taken as they are."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for parameter in self.params:
            _shorten(parameter)

    def get_help(self, ctx: Any) -> str:
        # Typer writes UTF-8 to a stream of ASCII.
        return encodable(str(super().get_help(ctx)), getattr(sys.stdout, "encoding", None) or "utf-8")

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        from ckptinspect.cli.helptext import usage_of

        return usage_of(self)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        from ckptinspect.cli.helptext import parts_of

        for part in parts_of(self, ctx):
            with formatter.section(part.heading):
                formatter.write_dl([tuple(entry) for entry in part.entries])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            raise self._one_too_many(quoted(rest[0]))
        return rest

    def _one_too_many(self, extra: str) -> OneTooManyError:
        taken = [str(parameter.metavar) for parameter in self.params if parameter.param_type_name == "argument"]
        if not taken:
            return OneTooManyError(f"{self.name} takes no REF; {extra} is one too many")
        if len(taken) == 1:
            return OneTooManyError(f"{self.name} takes one {taken[0]} at a time; {extra} is the second")
        return OneTooManyError(f"{self.name} takes {' and '.join(taken)}; {extra} is one too many")

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)
        _shorten(option)
        return option


def _shorten(parameter: Any) -> None:
    descriptor = getattr(parameter, "type_descriptor", None)
    if descriptor is not None and descriptor.annotation == list[str] and parameter.param_type_name == "argument":
        # The help of an argument that may come several times says so by its dots.
        parameter.display_type_rich = _unsaid
    if descriptor is not None and not isinstance(parameter.process_value, partial):
        parameter.process_value = partial(_processed, parameter, descriptor.annotation, parameter.process_value)


def _unsaid(ctx: Any) -> str:
    return ""


def _processed(parameter: Any, annotation: Any, slow: Any, context: Any, value: Any) -> Any:
    if value is None and not parameter.required:
        return None
    if parameter.callback is not None:
        return slow(context, value)
    if annotation == list[str] and value and all(isinstance(item, str) for item in value):
        return list(value)
    if not isinstance(annotation, type) or parameter.nargs != 1:
        return slow(context, value)
    if isinstance(value, annotation):
        return value
    if isinstance(value, str) and issubclass(annotation, Enum):
        return _choice(parameter, annotation, value)
    if isinstance(value, str) and annotation is int:
        return _whole(parameter, value)
    return slow(context, value)


def _choice(parameter: Any, choices: type[Enum], value: str) -> Enum:
    for member in choices:
        if member.value == value:
            return member
    there_are = ", ".join(str(member.value) for member in choices)
    raise RefError(f"{quoted(value)} is no choice", _spelling(parameter), f"choose one of {there_are}")


_LONGEST = 16


def _whole(parameter: Any, value: str) -> int:
    if value.isascii() and value.isdigit():
        if len(value) < _LONGEST:
            return int(value)
        raise RefError(f"{quoted(value)} is too large", _spelling(parameter), "write a smaller number")
    raise RefError(f"{quoted(value)} is no whole number of 0 or more", _spelling(parameter), "write it in digits")


def _spelling(parameter: Any) -> str:
    return str(max(parameter.opts, key=len))
