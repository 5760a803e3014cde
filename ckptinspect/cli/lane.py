"""A fast lane through typer for plain values.

Typer 0.26 and later hand every value to pydantic, whose import takes longer than reading a checkpoint's
headers. A text, a whole number or a choice that is right needs none of that; whatever is not plainly right
goes typer's own way, which also words the errors. See docs/decisions/typer.md.
"""

from enum import Enum
from functools import partial
from typing import Any

from typer.core import TyperCommand


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
    plain = _plain(annotation, value)
    if plain is None or parameter.callback is not None:
        return slow(context, value)
    return plain


def _plain(annotation: Any, value: Any) -> Any:
    """The value that ``value`` plainly stands for; None where that is for typer to say."""
    if not isinstance(annotation, type):
        return None
    if isinstance(value, annotation):
        return value
    if isinstance(value, str) and issubclass(annotation, Enum):
        return next((member for member in annotation if member.value == value), None)
    if isinstance(value, str) and annotation is int and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    return None
