"""Many repositories for tests: sound ones, ones with something wrong, and ones that cannot be had."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.folders import Shapes, write_json, write_safetensors, write_sharded

LINEAR: Shapes = {"fc.weight": ("F32", (8, 8)), "fc.bias": ("F32", (8,))}
CONFIG = {"model_type": "acme", "architectures": ["Acme"], "torch_dtype": "float32"}


def write_kinds(folder: Path) -> dict[str, Path]:
    """A folder of each kind of repository."""
    sound, sharded, stale, pickled, broken = (
        folder / name for name in ("sound", "sharded", "stale", "pickled", "broken")
    )
    for at in (sound, sharded, stale, pickled, broken):
        write_json(at / "config.json", CONFIG)
    write_safetensors(sound / "model.safetensors", LINEAR, {"format": "pt"})
    halves = {
        f"model-0000{part}-of-00002.safetensors": {f"{part}.{name}": e for name, e in LINEAR.items()} for part in (1, 2)
    }
    write_sharded(sharded, halves)
    write_sharded(stale, halves)
    (stale / "model-00002-of-00002.safetensors").unlink()
    write_safetensors(pickled / "model.safetensors", LINEAR, {"format": "pt"})
    (pickled / "pytorch_model.bin").write_bytes(bytes(400))
    (broken / "model.safetensors").write_bytes(b"<html>not found</html>")
    return {"sound": sound, "sharded": sharded, "stale": stale, "pickled": pickled, "broken": broken}


def repositories(folder: Path, count: int) -> dict[str, Path]:
    """So many repositories, of all kinds in turn."""
    kinds = list(write_kinds(folder).values())
    return {f"org/name-{number:03}": kinds[number % len(kinds)] for number in range(count)}


def rows_in(text: str) -> list[dict[str, Any]]:
    """The rows of an audit's JSON lines."""
    return [json.loads(line) for line in text.splitlines()]


def alike(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what every run measures anew."""
    return [{key: value for key, value in row.items() if key not in {"requests", "bytes_read"}} for row in rows]


def write_list(path: Path, refs: Sequence[str]) -> Path:
    """A file of REFs."""
    path.write_text("".join(f"{ref}\n" for ref in refs))
    return path
