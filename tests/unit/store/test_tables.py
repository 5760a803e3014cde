"""The tables of a store: what the rows of an audit say, in columns, and the queries of the documentation."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from ckptinspect.audit.rows import TABLES
from ckptinspect.errors import UnavailableError
from ckptinspect.store.tables import check_available
from tests.e2e.command import ROOT, ckptinspect
from tests.fleet import repositories, rows_in, write_list
from tests.folders import write_json, write_safetensors
from tests.hub_server import TestHub

pytest.importorskip("pyarrow")
duckdb = pytest.importorskip("duckdb")

PAGE = (ROOT / "docs" / "audit-at-scale.md").read_text()
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two runs over repositories of every kind, one gated; before the second, one has changed."""
    folder = tmp_path_factory.mktemp("store")
    repos = repositories(folder / "kinds", 9)
    leftovers = folder / "leftovers"
    write_safetensors(leftovers / "model.safetensors", {"a.weight": ("BF16", (8, 8)), "b.weight": ("F32", (8, 8))})
    write_json(
        leftovers / "config.json", {"torch_dtype": "bfloat16", "model_type": "acme", "architectures": ["A", "B"]}
    )
    repos["org/name-009"] = leftovers
    with TestHub(repos) as hub:
        hub.gated = {"org/name-003"}
        names = write_list(folder / "names.txt", sorted(hub.repos))
        for _ in range(2):
            ran = ckptinspect(
                "audit",
                "--from",
                names,
                "--store",
                folder / "store",
                "-f",
                "jsonl",
                environment=hub.environment(folder / "home"),
            )
            assert ran.code == 5, ran.err
            (folder / "rows.jsonl").write_text(ran.out)
            (leftovers / "pytorch_model.bin").write_bytes(bytes(100))
            hub.repos["org/name-009"].commit = "9" * 40
    return folder / "store"


def asked(store: Path, query: str) -> list[dict[str, Any]]:
    """The answer to a query in a store's folder."""
    connection = duckdb.connect()
    connection.execute(f"set file_search_path = '{store}'")
    table = connection.execute(re.sub(r"to '(\w+\.parquet)'", rf"to '{store}/\1'", query))
    names = [column[0] for column in table.description]
    return [dict(zip(names, row, strict=True)) for row in table.fetchall()]


def test_every_table_has_the_columns_that_the_documentation_says(store: Path) -> None:
    documented = dict(re.findall(r"^\| `(\w+)` \| [^|]* \| `([^`]*)` \|$", PAGE, re.MULTILINE))

    assert set(documented) == set(TABLES)
    for table, columns in documented.items():
        described = [row["column_name"] for row in asked(store, f"describe from '{table}/*.parquet'")]
        assert sorted(described) == sorted(["run_id", "schema_version", *columns.replace(",", "").split()])


def test_the_tables_say_what_the_rows_say(store: Path) -> None:
    last = "(select max(run_id) from 'repos/*.parquet')"
    rows = rows_in((store.parent / "rows.jsonl").read_text())
    repos = asked(store, f"from 'repos/*.parquet' where run_id = {last} order by ref")
    findings = asked(
        store, f"select * exclude (run_id, schema_version) from 'findings/*.parquet' where run_id = {last}"
    )

    assert [(r["ref"], r["commit"], r["status"], r["kind"], r["reason"]) for r in repos] == [
        (r["ref"], r["commit"], r["status"], r["kind"], r["reason"]) for r in rows
    ]
    assert [(r["requests"], r["bytes_read"]) for r in repos] == [(r["requests"], r["bytes_read"]) for r in rows]
    assert [r["errors"] + r["warnings"] + r["infos"] for r in repos] == [len(r["findings"]) for r in rows]
    expected = [
        {"ref": r["ref"], "commit": r["commit"]} | {key: value for key, value in f.items() if key != "fix"}
        for r in rows
        for f in r["findings"]
    ]
    assert sorted(map(str, map(sorted, map(dict.items, findings)))) == sorted(
        map(str, map(sorted, map(dict.items, expected)))
    )


def test_a_repository_is_told_by_its_config_and_its_headers(store: Path) -> None:
    (repo,) = asked(store, "from 'repos/*.parquet' where ref = 'org/name-009' order by run_id limit 1")

    assert (repo["model_type"], repo["architectures"], repo["config_dtype"]) == ("acme", ["A", "B"], "bfloat16")
    assert (repo["files"], repo["weight_files"], repo["checkpoints"], repo["schema_version"]) == (2, 1, 1, 1)
    assert repo["stored_elements"] == repo["parameters"] == 128


def test_files_and_tensors_are_joined_by_their_header(store: Path) -> None:
    rows = asked(
        store,
        "select f.path, f.taken, f.status, t.name, t.dtype, t.shape, t.bytes from 'files/*.parquet' f"
        " join (select distinct * exclude (run_id) from 'tensors/*.parquet') t using (header_sha256)"
        " where f.ref = 'org/name-009' and run_id = (select min(run_id) from 'files/*.parquet') order by name",
    )

    assert [(row["name"], row["dtype"], row["shape"], row["bytes"]) for row in rows] == [
        ("a.weight", "BF16", [8, 8], 128),
        ("b.weight", "F32", [8, 8], 256),
    ]
    assert {(row["path"], row["taken"], row["status"]) for row in rows} == {("model.safetensors", True, "ok")}


def test_a_header_is_stored_once_a_batch(store: Path) -> None:
    (counted,) = asked(
        store, "select count(*) as n, count(distinct (run_id, header_sha256, name)) as d from 'tensors/*.parquet'"
    )
    assert counted["n"] == counted["d"]


def test_where_index_and_headers_disagree_is_a_row(store: Path) -> None:
    rows = asked(store, "select distinct ref, path, kind, tensor, said, found from 'index/*.parquet' order by all")

    assert rows == [
        {
            "ref": f"org/name-00{number}",
            "path": "model.safetensors.index.json",
            "kind": "missing-shard",
            "tensor": None,
            "said": "model-00002-of-00002.safetensors",
            "found": None,
        }
        for number in (2, 7)
    ]


@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_the_queries_of_the_documentation_run(store: Path, number: int) -> None:
    asked(store, QUERIES[number])


def test_the_queries_of_the_documentation_answer(store: Path) -> None:
    most, skipped, wasteful, float32, shared, new, _ = (asked(store, query) for query in QUERIES)

    assert (most[0]["rule"], most[0]["repos"]) == ("CK209", 5)
    assert [(row["kind"], row["repos"]) for row in skipped] == [("source", 2)]
    assert {row["ref"] for row in wasteful} == {"org/name-008", "org/name-009"}
    assert [(row["ref"], round(row["float32"], 3)) for row in float32] == [("org/name-009", 0.667)]
    assert shared[0]["files"] == 4 * 2
    assert {(row["ref"], row["rule"]) for row in new} == {("org/name-009", "CK801"), ("org/name-009", "CK703")}
    assert len(asked(store, "from 'findings.parquet'")) == len(asked(store, "from 'findings/*.parquet'"))


def test_a_store_keeps_each_run_and_forgets_what_was_half_written(store: Path) -> None:
    runs = sorted(path.name for path in (store / "runs").iterdir())

    assert len(runs) == 2
    assert all(json.loads((store / "runs" / run / "run.json").read_text())["finished"] for run in runs)
    for kind in (*TABLES, "rows"):
        assert sorted(path.name.rpartition("-0000")[0] for path in (store / kind).iterdir()) == runs


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UnavailableError) as caught:
        check_available()

    assert str(caught.value) == "--store takes a package that is not installed; pip install 'ckptinspect[parquet]'"


def test_hostile_names_and_numbers_fit_their_columns(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"model-\xff")
    folder.mkdir()
    huge = {"__metadata__": {"k\x1b": "v"}, "w\u202e": {"dtype": "F32", "shape": [2**63, 0], "data_offsets": [0, 0]}}
    raw = json.dumps(huge).encode()
    (folder / "model.safetensors").write_bytes(len(raw).to_bytes(8, "little") + raw)
    ran = ckptinspect("audit", tmp_path, "--recursive", "--store", tmp_path / "store", "-f", "jsonl")

    assert ran.code in {0, 1}, ran.err
    (row,) = asked(tmp_path / "store", "select name, shape from 'tensors/*.parquet'")
    assert row == {"name": "w\u202e", "shape": [None, 0]}
    (repo,) = asked(tmp_path / "store", "select ref from 'repos/*.parquet'")
    assert repo["ref"] == f"{tmp_path}/model-\\udcff"
