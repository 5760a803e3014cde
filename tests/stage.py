"""Where the documentation's commands run: a folder with the checkpoints that they name, and a Hub on loopback.

The checkpoints are grown from the snapshots in ``fixtures/real``: true headers, true sizes, holes for data;
``python -m tests.stage SNAPSHOT FOLDER`` grows one.
"""

import asyncio
import hashlib
import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from ckptinspect.errors import ShortReadError
from ckptinspect.sources.snapshot import SnapshotSource
from tests.e2e.command import FIXTURES
from tests.hub_server import TestHub

COLUMNS = 100
FOLDERS = {
    "llama": "Llama-3.1-8B-Instruct",
    "lora": "lora-llama-3.1-8b-r16",
    "models/gpt2": "gpt2",
    "models/qwen2-0.5b": "Qwen2-0.5B",
    "models/t5": "t5-small",
}
WHOLE = ("org/name", "org/one", "org/two", "my-org/first", "my-org/second")
"""Repositories on the Hub that have all their bytes, so that they can be fetched, and their content compared."""
LISTED = {"names.txt": "org/one\norg/two\n", "models.csv": "id,downloads\norg/one,3\norg/two,5\n"}
"""Lists of checkpoints; ``models.parquet`` has what ``models.csv`` has, and the commits."""
CACHED = "Qwen/Qwen3-0.6B"
"""Of the repositories on the Hub the one that lies in the local Hub cache as well."""
REPOS = {
    "Qwen/Qwen2-VL-7B-Instruct": "Qwen2-VL-7B-Instruct",
    "Qwen/Qwen3-0.6B": "Qwen3-0.6B",
    "meta-llama/Llama-3.1-8B-Instruct": "Llama-3.1-8B-Instruct",
    "openai-community/gpt2": "gpt2",
}


class Stage:
    """A folder to run commands in, and their environment; open as long as they run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "stage"
        self._home = folder / "home"
        self._resources = ExitStack()
        shutil.copytree(FIXTURES, self.folder / "fixtures", ignore=shutil.ignore_patterns("__pycache__"))
        for name, snapshot in FOLDERS.items():
            grow(FIXTURES / "real" / f"{snapshot}.snap", self.folder / name)
        for name, snapshot in REPOS.items():
            grow(FIXTURES / "real" / f"{snapshot}.snap", folder / "hub" / name)
        for name in (*WHOLE, "../stage/three"):
            shutil.copytree(FIXTURES / "tiny-qwen2-vl", folder / "hub" / name)
        self.hub = TestHub({name: folder / "hub" / name for name in (*REPOS, *WHOLE)})
        for name in WHOLE:
            repo = self.hub.repos[name]
            repo.tags.append("0123abc")
            repo.digests = {path: _sha256(Path(repo.folder, path)) for path in repo.paths()}
            self.hub.tags[name] = {"safetensors", "text-generation"}
        self._cache(CACHED)
        self._lists()
        programs = Path(sys.executable).parent
        (self.folder / ".venv").mkdir()
        (self.folder / ".venv" / "bin").symlink_to(programs)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "COLUMNS", "NO_COLOR"))}
        self.environment = {
            **kept,
            **self.hub.environment(self._home),
            "HOME": str(self._home),
            "PATH": f"{programs}:{kept['PATH']}",
            "COLUMNS": str(COLUMNS),
            "SLURM_ARRAY_TASK_ID": "0",
            "PYTHONPATH": str(FIXTURES.parent),
        }

    def _cache(self, name: str) -> None:
        """Put a repository into the local Hub cache, as a download would have."""
        commit = self.hub.repos[name].commit
        repo = self._home / "hub" / f"models--{name.replace('/', '--')}"
        grow(FIXTURES / "real" / f"{REPOS[name]}.snap", repo / "snapshots" / commit)
        (repo / "refs").mkdir()
        (repo / "refs" / "main").write_text(commit)

    def _lists(self) -> None:
        """Write the lists of checkpoints."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        for name, text in LISTED.items():
            (self.folder / name).write_text(text)
        ids, downloads = zip(*(line.split(",") for line in LISTED["models.csv"].splitlines()[1:]), strict=True)
        columns = {"id": ids, "sha": [self.hub.repos[name].commit for name in ids], "downloads": map(int, downloads)}
        pq.write_table(
            pa.table({name: list(values) for name, values in columns.items()}), self.folder / "models.parquet"
        )

    def __enter__(self) -> Self:
        self._resources.enter_context(self.hub)
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def grow(snapshot: Path, folder: Path) -> Path:
    """The files that a snapshot was taken of, at their sizes; what it does not hold of them is a hole."""
    asyncio.run(_grow(SnapshotSource(str(snapshot)), folder))
    return folder


async def _grow(source: SnapshotSource, folder: Path) -> None:
    async with source:
        for file in await source.list():
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(await _beginning(source, file.path, file.size))
            os.truncate(path, file.size)


async def _beginning(source: SnapshotSource, path: str, size: int) -> bytes:
    """What a snapshot holds of a file: all of a small one, the header of a large one, or nothing."""
    try:
        return await source.read(path, 0, size)
    except ShortReadError:
        pass
    try:
        length = int.from_bytes(await source.read(path, 0, 8), "little")
        return await source.read(path, 0, 8 + length)
    except ShortReadError:
        return b""


if __name__ == "__main__":
    grow(Path(sys.argv[1]), Path(sys.argv[2]))
