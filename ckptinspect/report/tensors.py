"""``tensors``: every tensor of a checkpoint."""

import re
from collections.abc import Callable, Sequence
from fnmatch import translate
from operator import attrgetter

from ckptinspect.analysis.count import count
from ckptinspect.analysis.keys import natural
from ckptinspect.analysis.names import rows_by_tensor
from ckptinspect.model import Checkpoint, Note
from ckptinspect.report import v1
from ckptinspect.report.common import failed_data, notes_data, ref_data, sorted_rows, title_of
from ckptinspect.report.document import Cell, Column, Format, Report, Table
from ckptinspect.text import escaped, number_of, quoted, shape_text

_COLUMNS = (
    Column("name", Format.NAME),
    Column("dtype", Format.NAME, spare=2),
    Column("shape", Format.NAME, spare=1),
    Column("elements", Format.COUNT, spare=6),
    Column("parameters", Format.COUNT, spare=4),
    Column("bytes", Format.COUNT, spare=3),
    Column("begin", Format.COUNT, spare=8),
    Column("end", Format.COUNT, spare=9),
    Column("module", Format.NAME, spare=5),
    Column("file", Format.NAME, spare=7),
)


def tensors_report(
    checkpoint: Checkpoint, match: str | None = None, sort: str | None = None, limit: int | None = None
) -> Report:
    """The tensors whose name matches the glob, in the order of the files unless a column is given."""
    counted = count(checkpoint)
    pattern = re.compile(translate(match)) if match is not None else None
    found = [
        v1.TensorData(
            name=tensor.name,
            dtype=tensor.dtype.code,
            shape=tensor.shape,
            elements=tensor.elements,
            parameters=row.parameters,
            bytes=tensor.nbytes,
            begin=tensor.begin,
            end=tensor.end,
            file=row.shard,
            module=row.place.module,
        )
        for tensor, row in rows_by_tensor(checkpoint, counted)
        if pattern is None or pattern.match(tensor.name)
    ]
    found.sort(key=attrgetter("file", "begin", "end", "name") if sort is None else _by_name)
    tensors = tuple(sorted_rows(found, sort, _sortable())[:limit])
    notes = [*checkpoint.notes]
    if match is not None and not found:
        notes.append(no_match(match))
    data = v1.TensorsData(
        ref=ref_data(checkpoint.ref),
        tensors=tensors,
        left_out=len(found) - len(tensors),
        failed=failed_data(checkpoint),
        notes=notes_data(notes),
    )
    table = Table(_COLUMNS, [_row(tensor) for tensor in tensors], _foot(data))
    return Report(
        "tensors",
        data,
        title_of(checkpoint),
        (table,),
        tuple(note.message for note in notes),
        lambda: tensors,
        v1.TensorData.__struct_fields__,
    )


def no_match(match: str) -> Note:
    """That a glob is no tensor's name, and what may have been meant.

    >>> no_match("mlp").message
    "no name matches 'mlp'; a GLOB is for whole names: try '*mlp*'"
    """
    hint = "" if "*" in match or not match else f"; a GLOB is for whole names: try '*{escaped(match)}*'"
    return Note("no-match", f"no name matches {quoted(match)}{hint}")


def _by_name(tensor: v1.TensorData) -> tuple[tuple[int, str], ...]:
    return natural(tensor.name)


def _sortable() -> dict[str, Callable[[v1.TensorData], object]]:
    plain = [column.title for column in _COLUMNS if column.title != "name"]
    return {"name": _by_name} | {name: attrgetter(name) for name in plain}


def _row(tensor: v1.TensorData) -> Sequence[Cell]:
    return (
        *(tensor.name or "''", tensor.dtype, shape_text(tensor.shape)),
        *(tensor.elements, tensor.parameters, tensor.bytes),
        *(tensor.begin, tensor.end, tensor.module, tensor.file),
    )


def _foot(data: v1.TensorsData) -> tuple[Sequence[Cell], ...]:
    shown = len(data.tensors)
    every = number_of(shown + data.left_out, "tensor")
    what = f"{shown:,} of {every}" if data.left_out else every
    elements, parameters, nbytes = (
        sum(map(attrgetter(name), data.tensors)) for name in ("elements", "parameters", "bytes")
    )
    return ((what, None, None, elements, parameters, nbytes, None, None, None, None),)
