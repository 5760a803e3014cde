"""A fast lane through typer for plain values.

Typer 0.26 and later hand every value to pydantic, whose import takes longer than reading a checkpoint's
headers. A text, a whole number of 0 or more, or a choice needs none of that; anything else goes typer's own
way. See docs/decisions/typer.md.
"""

from enum import Enum
from functools import partial
from typing import Any

from typer.core import TyperCommand

from ckptinspect.errors import RefError
from ckptinspect.text import quoted


class LeanCommand(TyperCommand):
    """A command whose plain values are taken as they are."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for parameter in self.params:
            _shorten(parameter)

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)
        _shorten(option)
        return option


def _shorten(parameter: Any) -> None:
    descriptor = getattr(parameter, "type_descriptor", None)
    if descriptor is not None and parameter.nargs == 1 and not isinstance(parameter.process_value, partial):
        parameter.process_value = partial(_processed, parameter, descriptor.annotation, parameter.process_value)


def _processed(parameter: Any, annotation: Any, slow: Any, context: Any, value: Any) -> Any:
    if value is None and not parameter.required:
        return None
    if parameter.callback is not None or not isinstance(annotation, type):
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


def _whole(parameter: Any, value: str) -> int:
    if value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    raise RefError(f"{quoted(value)} is no whole number of 0 or more", _spelling(parameter), "write it in digits")


def _spelling(parameter: Any) -> str:
    return str(max(parameter.opts, key=len))
