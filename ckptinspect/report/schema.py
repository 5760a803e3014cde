"""The JSON schemas of the contract, from the types in ``v1``: ``python -m ckptinspect.report.schema FOLDER``."""

import inspect
import os
import sys

import msgspec

from ckptinspect.report import v1, v1_bench

_DATA: dict[str, type[msgspec.Struct]] = {
    "show": v1.ShowData,
    "tensors": v1.TensorsData,
    "tree": v1.TreeData,
    "formula": v1.FormulaData,
    "estimate": v1.EstimatesData,
    "bench": v1_bench.BenchData,
    "diff": v1.DiffData,
    "snapshot": v1.SnapshotData,
    "dtypes": v1.DtypesData,
    "audit": v1.AuditData,
    "rule": v1.RulesData,
    "cache": v1.CacheData,
}


def schemas() -> dict[str, bytes]:
    """For each verb the schema of its whole answer, as the bytes of a file."""
    return {kind: _schema(kind, data) for kind, data in _DATA.items()}


def _schema(kind: str, data: type[msgspec.Struct]) -> bytes:
    (reference,), components = msgspec.json.schema_components([data], ref_template="#/$defs/{name}")
    for component in components.values():
        # Python 3.13 takes the indentation of docstrings away by itself.
        component["description"] = inspect.cleandoc(component["description"])
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{v1.SCHEMA} {kind}",
        "type": "object",
        "properties": {"schema": {"const": v1.SCHEMA}, "kind": {"const": kind}, "data": reference},
        "required": ["schema", "kind", "data"],
        "$defs": components,
    }
    return msgspec.json.format(msgspec.json.encode(schema, order="sorted")) + b"\n"


def main(folder: str) -> None:
    """Write one file a verb."""
    os.makedirs(folder, exist_ok=True)
    for kind, schema in schemas().items():
        with open(os.path.join(folder, f"{kind}.json"), "wb") as file:
            file.write(schema)


if __name__ == "__main__":
    main(sys.argv[1])
