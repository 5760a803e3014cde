"""The fields of a verb's JSON as tables, a type each, from the same types as the schemas."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ckptinspect.report.schema import schemas


def field_tables(verb: str) -> Iterator[str]:
    """Lines of Markdown: the answer itself first, the types in it as they come up."""
    schema = json.loads(schemas()[verb])
    types = schema["$defs"]
    for name in _reached(_type_of(schema["properties"]["data"]["$ref"]), types):
        yield from (f"### {name}", "", *_paragraphs(types[name].get("description", "")))
        yield from ("| field | is |", "|---|---|")
        yield from (f"| `{field}` | {_kind(types[name]['properties'][field])} |" for field in types[name]["required"])
        yield ""


def _reached(root: str, types: Mapping[str, Any]) -> tuple[str, ...]:
    """The types below ``root``, in the order in which a reader meets them."""
    order: dict[str, None] = {}
    waiting = [root]
    while waiting:
        name = waiting.pop(0)
        if name not in order:
            order[name] = None
            fields = types[name]["properties"]
            waiting += [found for field in types[name]["required"] for found in _named(fields[field])]
    return tuple(order)


def _named(schema: object) -> Iterator[str]:
    """The types that a field's schema names."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            yield from (_type_of(value),) if key == "$ref" else _named(value)
    elif isinstance(schema, list):
        yield from (name for value in schema for name in _named(value))


def _kind(schema: Mapping[str, Any]) -> str:
    """What a field is, in a word or two."""
    if "$ref" in schema:
        name = _type_of(schema["$ref"])
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        parts = schema.get("prefixItems")
        return f"[{', '.join(map(_kind, parts))}]" if parts else f"list of {_kind(schema['items'])}"
    if isinstance(inner := schema.get("additionalProperties"), dict) and inner:
        return f"object of {_kind(inner)}"
    return str(schema.get("type", "anything"))


def _type_of(reference: str) -> str:
    return reference.rpartition("/")[2]


def _paragraphs(docstring: str) -> Iterator[str]:
    for paragraph in docstring.split("\n\n"):
        yield from (" ".join(paragraph.split()), "")
