"""The careful header reader: every pair kept, every rule of the reference applied, every error worded.

What serde_json and the reference's types accept and refuse was found by asking them (safetensors 0.8.0);
``tests/conformance`` asks again.
"""

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager

from ckptinspect.errors import HeaderError
from ckptinspect.header import Page, Parsed
from ckptinspect.model import Defect, Shape
from ckptinspect.text import quoted

_MAX_DEPTH = 127
_WORD = 1 << 64
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_FIELDS = ("dtype", "shape", "data_offsets")


class Pairs(list[tuple[str, object]]):
    """A JSON object with all of its pairs, duplicates included."""


def parse_carefully(raw: bytes) -> Parsed:
    """The header as one page, or a HeaderError that names the field that is wrong."""
    pairs = _loaded(raw)
    metadata: dict[str, str] | None = None
    entries: dict[str, tuple[str, Shape, tuple[int, int]]] = {}
    defects: list[Defect] = []
    if raw[:1] != b"{":
        defects.append(Defect("leading-padding", "white space stands before the '{' of the header", fatal=False))
    for name, value in pairs:
        if name == "__metadata__":
            if metadata is not None:
                raise HeaderError("'__metadata__' appears twice")
            metadata = _metadata(value)
            continue
        if name in entries:
            defects.append(
                Defect("duplicate-name", f"{quoted(name)} appears twice; the last counts", name, fatal=False)
            )
        entries[name] = _entry(name, value)
    values = entries.values()
    page = Page(
        list(entries),
        [code for code, _, _ in values],
        [shape for _, shape, _ in values],
        [span for _, _, span in values],
    )
    return Parsed(iter((page,)), metadata or {}, defects)


def _loaded(raw: bytes) -> Pairs:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise HeaderError(f"the header is not UTF-8 at byte {error.start}") from None
    try:
        value = json.loads(
            text,
            object_pairs_hook=Pairs,
            parse_int=_number,
            parse_float=_number,
            parse_constant=_constant,
        )
    except json.JSONDecodeError as error:
        # The position is that of a character; the line and column add nothing in a header without lines.
        raise HeaderError(f"the header is not JSON at character {error.pos}: {error.msg}") from None
    except RecursionError:
        raise HeaderError(f"the header nests deeper than {_MAX_DEPTH} levels") from None
    _refuse_lone_surrogates(raw)
    if not isinstance(value, Pairs):
        raise HeaderError(f"the header is {_type(value)}, not an object")
    return value


def _number(text: str) -> int | float:
    """A number as serde_json sees it: an integer where it fits 64 bits, else a float, which must be finite."""
    if text.lstrip("-").isdigit() and len(text) <= 20 and text != "-0":
        number = int(text)
        if -(_WORD >> 1) <= number < _WORD:
            return number
    if math.isinf(approximate := float(text)):
        raise HeaderError("a number is out of range")
    return approximate


def _constant(text: str) -> object:
    raise HeaderError(f"{text} is not JSON")


def _refuse_lone_surrogates(raw: bytes) -> None:
    high_ends = -1
    for match in _ESCAPE.finditer(raw):
        code = int(match[1], 16) if match[1] else 0
        follows = match.start() == high_ends
        if follows != (0xDC00 <= code <= 0xDFFF):
            raise HeaderError("an escape stands for half a character (a lone surrogate)")
        high_ends = match.end() if 0xD800 <= code <= 0xDBFF else -1
    if high_ends >= 0:
        raise HeaderError("an escape stands for half a character (a lone surrogate)")


def _metadata(value: object) -> dict[str, str]:
    with _at("__metadata__"):
        if value is None:
            return {}
        if not isinstance(value, Pairs):
            raise HeaderError(f"expected an object, got {_type(value)}")
        for key, text in value:
            if not isinstance(text, str):
                raise HeaderError(f"expected a string, got {_type(text)}", quoted(key))
        return {key: str(text) for key, text in value}


def _entry(name: str, value: object) -> tuple[str, Shape, tuple[int, int]]:
    with _at(quoted(name)):
        fields = _fields(value)
        with _at("dtype"):
            code = _code(fields["dtype"])
        with _at("shape"):
            shape = _integers(fields["shape"])
        with _at("data_offsets"):
            offsets = _integers(fields["data_offsets"])
            if len(offsets) != 2:
                raise HeaderError(f"expected 2 integers, got {len(offsets)}")
        return code, shape, (offsets[0], offsets[1])


def _fields(value: object) -> dict[str, object]:
    # serde reads a struct from an array of its fields as well as from an object.
    if isinstance(value, list) and not isinstance(value, Pairs):
        if len(value) != len(_FIELDS):
            raise HeaderError(f"expected {len(_FIELDS)} fields, got {len(value)}")
        return dict(zip(_FIELDS, value, strict=True))
    if not isinstance(value, Pairs):
        raise HeaderError(f"expected an object, got {_type(value)}")
    fields: dict[str, object] = {}
    for key, field in value:
        if key not in _FIELDS:
            _refuse_depth(field)
        elif key in fields:
            raise HeaderError(f"{quoted(key)} appears twice")
        else:
            fields[key] = field
    for key in _FIELDS:
        if key not in fields:
            raise HeaderError(f"{quoted(key)} is missing")
    return fields


def _refuse_depth(value: object) -> None:
    """Ignored fields may hold anything, but not nest deeper than the reference's parser goes."""
    level, depth = [value], 2
    while containers := [item for item in level if isinstance(item, list)]:
        depth += 1
        if depth > _MAX_DEPTH:
            raise HeaderError(f"the header nests deeper than {_MAX_DEPTH} levels")
        level = [child for item in containers for child in _children(item)]


def _children(container: list[object]) -> list[object]:
    if isinstance(container, Pairs):
        return [value for _, value in container]
    return container


def _code(value: object) -> str:
    # serde reads an enum from {"F32": null} as well as from "F32".
    if isinstance(value, Pairs) and len(value) == 1 and value[0][1] is None:
        return value[0][0]
    if not isinstance(value, str):
        raise HeaderError(f"expected a string, got {_type(value)}")
    return value


def _integers(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or isinstance(value, Pairs):
        raise HeaderError(f"expected an array, got {_type(value)}")
    for index, item in enumerate(value):
        if type(item) is not int:
            raise HeaderError(f"expected a whole number, got {_type(item)}", f"[{index}]")
        if item < 0:
            raise HeaderError(f"expected a whole number of 0 or more, got {item}", f"[{index}]")
    return tuple(value)


def _type(value: object) -> str:
    if isinstance(value, Pairs):
        return "an object"
    if value is None:
        return "null"
    if isinstance(value, float) and value == int(value) and abs(value) >= _WORD >> 1:
        return "a number beyond 64 bits"
    return {bool: "true or false", int: "an integer", float: "a fraction", str: "a string", list: "an array"}[
        type(value)
    ]


@contextmanager
def _at(where: str) -> Iterator[None]:
    try:
        yield
    except HeaderError as error:
        raise error.at(where) from None
