"""The queries of the recipes for audits, on what their commands have written; the commands are test_docs.py's."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.documents import blocks, run
from tests.e2e.command import ROOT
from tests.stage import Stage

PAGE = (ROOT / "docs" / "audit-recipes.md").read_text()
QUERIES = [block.text for block in blocks(PAGE) if block.language == "sql"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("recipes")) as stage:
        for name in ("models", "published"):
            (block,) = [block.text for block in blocks(PAGE) if f"-o {name}.jsonl" in block.text]
            assert run(block, stage).code == 0
        yield stage


def asked(folder: Path, query: str) -> list[Any]:
    """The answer to a query that names files in a folder."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        return list(duckdb.connect().execute(query).fetchall())
    finally:
        os.chdir(before)


def test_what_could_be_left_out_comes_largest_first(stage: Stage) -> None:
    """gpt2's twelve masks of 1024 x 1024 F32, and what t5-small's class never loads: 32 x 8 F32."""
    assert asked(stage.folder, QUERIES[0]) == [("./models/gpt2", 50_331_648), ("./models/t5", 1_024)]


def test_what_could_be_left_out_by_what_it_is(stage: Stage) -> None:
    query = QUERIES[1].replace("published.jsonl", "models.jsonl")

    assert asked(stage.folder, query) == [
        ("CK706", "buffers-stored", 1, 50_331_648),
        ("CK707", "unused-weights", 1, 1_024),
    ]
    assert asked(stage.folder, QUERIES[1]) == []


def test_a_list_of_the_hub_comes_from_its_statistics(stage: Stage) -> None:
    statistics = "(select *, ['safetensors', 'x'] as tags from 'models.parquet')"
    query = QUERIES[2].replace("'models.parquet'", statistics).replace("'models.csv'", "'listed.csv'")
    asked(stage.folder, query)

    lines = (stage.folder / "listed.csv").read_text().splitlines()
    assert lines == ["id,sha", *(f"{name},{stage.hub.repos[name].commit}" for name in ("org/two", "org/one"))]


def test_what_stands_for_the_projects_home_is_explained() -> None:
    assert re.search(r"In place of\s+`OWNER/ckptinspect@v0.1.0` write", PAGE)
