"""Rows -> Parquet: one small part a batch and table, which appears whole or not at all.

A writer that is killed before it closes its file leaves nothing that can be read, hence many small files and not one
that grows. ``COPY (FROM 'findings/*.parquet') TO …`` makes one of them, when there is time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ckptinspect.audit.rows import (
    TABLES,
    file_rows,
    finding_rows,
    header_hash,
    index_rows,
    repo_row,
    tensor_rows,
)
from ckptinspect.errors import UnavailableError
from ckptinspect.report.v1 import AuditedData
from ckptinspect.store.runs import Run, write_part

if TYPE_CHECKING:
    from ckptinspect.audit.subject import Subject

SCHEMA_VERSION = 1
_EXTRA = "pip install 'ckptinspect[parquet]'"
_AT_ONCE = 100_000
"""Rows of a group; so many are in memory at a time."""

Looked = tuple[AuditedData, "Sequence[Subject]", float]


def check_available() -> None:
    """Raise UnavailableError where Parquet cannot be written."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise UnavailableError("--store takes a package that is not installed", None, _EXTRA) from None
    del pyarrow


def write_tables(run: Run, batch: str, looks: Sequence[Looked]) -> None:
    """The parts of all tables for a batch; one without rows has its part as well, so that a query finds its columns."""
    rows: dict[str, Callable[[], Iterable[msgspec.Struct]]] = {
        "repos": lambda: (repo_row(*look) for look in looks),
        "files": lambda: (row for data, subjects, _ in looks for row in file_rows(data, subjects)),
        "tensors": lambda: _tensors(looks),
        "index": lambda: (row for data, subjects, _ in looks for row in index_rows(data, subjects)),
        "findings": lambda: (row for data, _, _ in looks for row in finding_rows(data)),
    }
    for table, of_batch in rows.items():
        _write(run, batch, table, of_batch())


def _tensors(looks: Sequence[Looked]) -> Iterator[msgspec.Struct]:
    """The tensors of each header of the batch, once."""
    seen = set()
    for weight in (weight for _, subjects, _ in looks for subject in subjects for weight in subject.weights):
        sha256 = header_hash(weight.header) if weight.header is not None else None
        if sha256 is not None and sha256 not in seen:
            seen.add(sha256)
            yield from tensor_rows(weight, sha256)


def _write(run: Run, batch: str, table: str, rows: Iterable[msgspec.Struct]) -> None:
    from pyarrow import parquet

    schema = _schema(table)
    fixed = _fixed(run)

    def write(path: str) -> None:
        with parquet.ParquetWriter(path, schema, compression="zstd", compression_level=3) as writer:
            for group in _groups(rows):
                writer.write_table(_table(schema, fixed, group))

    write_part(run.part(batch, table, "parquet"), write, sync=True)


def _groups(rows: Iterable[msgspec.Struct]) -> Iterator[list[msgspec.Struct]]:
    group: list[msgspec.Struct] = []
    for row in rows:
        group.append(row)
        if len(group) == _AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def _fixed(run: Run) -> dict[str, object]:
    """What all rows of a batch have in common."""
    from datetime import UTC, datetime

    from ckptinspect import __version__

    # Without a time zone, which some readers cannot give without another package; it is UTC.
    now = datetime.now(UTC).replace(tzinfo=None)
    return {"run_id": run.name, "schema_version": SCHEMA_VERSION, "audited_at": now, "tool_version": __version__}


def _table(schema: Any, fixed: dict[str, object], rows: list[msgspec.Struct]) -> Any:
    import pyarrow as pa

    columns = []
    for field in schema:
        if field.name in fixed:
            values: list[object] = [fixed[field.name]] * len(rows)
        elif field.name == "metadata":
            values = [list(getattr(row, field.name).items()) for row in rows]
        else:
            values = [getattr(row, field.name) for row in rows]
        columns.append(pa.array(values, field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _schema(table: str) -> Any:
    """The columns of a table, from the fields of its rows."""
    import pyarrow as pa

    fields = [pa.field("run_id", pa.string()), pa.field("schema_version", pa.int32())]
    if table == "repos":
        fields.append(pa.field("audited_at", pa.timestamp("ms")))
        fields.append(pa.field("tool_version", pa.string()))
    lists = {"shape": pa.list_(pa.int64()), "architectures": pa.list_(pa.string())}
    maps = {"metadata": pa.map_(pa.string(), pa.string())}
    plain = {"int": pa.int64(), "str": pa.string(), "bool": pa.bool_()}
    for field in msgspec.structs.fields(TABLES[table]):
        name = next((plain[kind] for kind in plain if kind in _spelled(field.type)), None)
        fields.append(pa.field(field.name, lists.get(field.name) or maps.get(field.name) or name))
    return pa.schema(fields)


def _spelled(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
