"""The machine's renderers: json, jsonl and csv, from the data alone. Same input, same bytes."""

import csv
from collections.abc import Mapping
from typing import TextIO

import msgspec

from ckptinspect.errors import RefError
from ckptinspect.report.document import Report
from ckptinspect.report.v1 import SCHEMA
from ckptinspect.text import escaped, spelled_out

# The last four are the wide forms that East Asian spreadsheets take for the first four.
_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_encoder = msgspec.json.Encoder(order="sorted")


def json(report: Report, out: TextIO) -> None:
    """The whole answer as one object: ``{"schema": …, "kind": VERB, "data": …}``."""
    whole = encoded({"schema": SCHEMA, "kind": report.kind, "data": report.data})
    out.write(msgspec.json.format(whole).decode() + "\n")


def jsonl(report: Report, out: TextIO) -> None:
    """The main list, one object a line."""
    out.writelines(encoded(row).decode() + "\n" for row in _rows(report, "jsonl"))


def encoded(value: object) -> bytes:
    """JSON. What is no Unicode, such as a byte of a file's name that is not UTF-8, is written as an escape."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_spelled_out(msgspec.to_builtins(value)))


def _spelled_out(value: object) -> object:
    if isinstance(value, str):
        return spelled_out(value)
    if isinstance(value, Mapping):
        return {_spelled_out(key): _spelled_out(item) for key, item in value.items()}
    return [_spelled_out(item) for item in value] if isinstance(value, list | tuple) else value


def csv_rows(report: Report, out: TextIO) -> None:
    """The main list as a table; lists in a cell are joined by spaces, lists of sentences by semicolons. What a
    spreadsheet or a terminal would act on is made harmless; names to the letter are in json and jsonl.
    """
    writer = csv.writer(out, lineterminator="\n")
    rows = _rows(report, "csv")
    columns = report.columns or tuple(next(map(_values, rows), ()))
    writer.writerow([_flat(column) for column in columns])
    writer.writerows([_flat(values[column]) for column in columns] for values in map(_values, rows))


def _values(row: msgspec.Struct | Mapping[str, object]) -> Mapping[str, object]:
    return msgspec.structs.asdict(row) if isinstance(row, msgspec.Struct) else row


def _rows(report: Report, form: str) -> list[msgspec.Struct | Mapping[str, object]]:
    if form == "jsonl" and report.objects is not None:
        return list(report.objects())
    if report.rows is None:
        raise RefError(f"{report.kind} has no list to give as {form}", hint="use json, table, markdown or html")
    return list(report.rows())


def _flat(value: object) -> object:
    if isinstance(value, tuple):
        items = [str(_flat(item)) for item in value]
        return ("; " if any(" " in item for item in items) else " ").join(items)
    if isinstance(value, msgspec.Struct):
        return ":".join(str(_flat(item)) for item in msgspec.structs.astuple(value) if not isinstance(item, tuple))
    if isinstance(value, str):
        # Spreadsheets run a cell that begins like a formula (OWASP, "CSV Injection"); a sign alone is none.
        return escaped("'" + value if value[:1] in _FORMULA and len(value) > 1 else value)
    return value
