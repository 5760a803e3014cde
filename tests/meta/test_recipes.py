"""The pages on audits of many: every command is run, every query answers."""

import hashlib
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.e2e.command import FIXTURES, ROOT, Ran, ckptinspect
from tests.fleet import CONFIG, LINEAR, write_kinds, write_list
from tests.folders import write_json, write_safetensors
from tests.hub_server import TestHub

PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text() for name in ("audit", "audit-at-scale", "recipes")}
# What they name that is not ours to run: the Hub's own client, clusters, a bucket, a database.
ELSEWHERE = ("hf download", "pip install", "RAY_ADDRESS", "DASK_SCHEDULER_ADDRESS", "duckdb", "ckptinspect audit s3://")
VARIABLES = {"SLURM_ARRAY_TASK_ID": "0"}


def commands(page: str) -> list[str]:
    """The commands of a page, a line each, without what is said of them."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGES[page], re.DOTALL) for line in block.splitlines()]
    return [line.partition(" # ")[0].strip() for line in lines if line.strip()]


def queries(page: str) -> list[str]:
    return re.findall(r"```sql\n(.*?)```", PAGES[page], re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, TestHub]]:
    """A folder with all that the pages name, and a Hub with the repositories."""
    at = tmp_path_factory.mktemp("place")
    kinds = write_kinds(at / "kinds")
    for name in ("models/one", "disk/a", "disk/b", "three", "copy", "model"):
        write_safetensors(at / name / "model.safetensors", LINEAR, {"format": "pt"})
        write_json(at / name / "config.json", CONFIG)
    (at / "disk" / "b" / "pytorch_model.bin").write_bytes(bytes(4_000))
    shutil.copy(FIXTURES / "real" / "lora-llama-3.1-8b-r16.snap", at / "lora")
    write_list(at / "names.txt", ["org/one", "org/two"])
    repos = {"org/name": at / "model", "org/one": kinds["sound"], "org/two": kinds["sharded"]}
    repos |= {f"my-org/{name}": folder for name, folder in kinds.items()}
    with TestHub(repos) as hub:
        hub.tags = {page: {"safetensors", "text-generation"} for page in repos}
        shas = "".join(f"{page},{repo.commit}\n" for page, repo in hub.repos.items())
        (at / "models.csv").write_text("id,sha\n" + shas)
        sql = "copy (select *, 1 as downloads, ['safetensors'] as tags from 'models.csv') to 'models.parquet'"
        asked(at, sql)
        cache(at / "model", at / "home" / "hub" / "models--org--name", hub)
        yield at, hub


def cache(folder: Path, place: Path, hub: TestHub) -> None:
    """A repository as the Hub's client keeps it, with the hashes of its contents, which are the Hub's as well."""
    commit = hub.repos["org/name"].commit
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(commit)
    (place / "snapshots" / commit).mkdir(parents=True)
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    hub.repos["org/name"].oid = lambda path: hashes[path]  # type: ignore[method-assign]
    for path in folder.iterdir():
        (place / "blobs").mkdir(exist_ok=True)
        shutil.copy(path, place / "blobs" / hashes[path.name])
        (place / "snapshots" / commit / path.name).symlink_to(f"../../blobs/{hashes[path.name]}")


def asked(folder: Path, query: str) -> list[Any]:
    """The answer to a query where files are named from a folder."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        return list(duckdb.connect().execute(query).fetchall())
    finally:
        os.chdir(before)


def ran(place: tuple[Path, TestHub], command: str) -> Ran:
    """A command of a page as its reader runs it, with the disk that it means."""
    folder, hub = place
    for name, value in VARIABLES.items():
        command = re.sub(rf"\$\(\({name} \+ 1\)\)", str(int(value) + 1), command)
    words = shlex.split(command.replace(" /models", f" {folder}/disk").replace("/shared/", f"{folder}/shared-"))
    assert words[0] == "ckptinspect"
    return ckptinspect(*words[1:], cwd=folder, environment=hub.environment(folder / "home"))


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run(place: tuple[Path, TestHub], page: str) -> None:
    there = [command for command in commands(page) if not command.startswith(ELSEWHERE)]
    assert there
    for command in there:
        done = ran(place, command)
        assert done.code in {0, 1}, (command, done.err)
        assert not re.search(r"^error", done.err, re.MULTILINE), (command, done.err)


def test_the_recipes_queries_answer(place: tuple[Path, TestHub]) -> None:
    folder, _ = place
    for name in ("disk", "published"):
        command = next(command for command in commands("recipes") if f"-o {name}.jsonl" in command)
        assert ran(place, command).code == 0
    largest, kinds, listed = queries("recipes")

    assert asked(folder, largest) == [(f"{folder}/disk/b", 4_000)]
    assert asked(folder, kinds) == [("CK703", "several-formats", 1, 400)]
    asked(folder, listed)
    assert len((folder / "models.csv").read_text().splitlines()) == 1 + 8


def test_a_gate_that_is_closed_says_so(place: tuple[Path, TestHub]) -> None:
    folder, _ = place
    write_safetensors(folder / "bad" / "model.safetensors", LINEAR, {"format": "pt"})
    os.truncate(folder / "bad" / "model.safetensors", 300)
    done = ran(place, "ckptinspect audit bad --recursive -f junit -o audit.xml")

    assert done.code == 1
    assert "truncated-file" in (folder / "audit.xml").read_text()


def test_the_pages_lead_to_pages_that_are_there() -> None:
    for text in (*PAGES.values(), (ROOT / "README.md").read_text()):
        for target in re.findall(r"\]\((?!https?://)([^)#]+)(?:#[^)]*)?\)", text):
            base = ROOT / "docs" if text in PAGES.values() else ROOT
            assert (base / target).exists(), target


def test_the_page_with_placeholders_says_what_goes_there() -> None:
    for text in PAGES.values():
        if "OWNER" in text:
            assert "In place of\n`OWNER/ckptinspect" in text
