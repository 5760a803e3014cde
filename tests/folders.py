"""Checkpoints on disk for tests: true headers, sparse data, any size."""

import json
import os
from collections.abc import Mapping
from math import prod
from pathlib import Path

from ckptinspect.dtypes import DTYPES

Shapes = Mapping[str, tuple[str, tuple[int, ...]]]


def header_json(tensors: Shapes, metadata: Mapping[str, str] | None = None) -> bytes:
    """The JSON of a header whose tensors follow each other in the order given."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata is not None else {}
    position = 0
    for name, (code, shape) in tensors.items():
        size = prod(shape) * (DTYPES[code].bits or 0) // 8
        header[name] = {"dtype": code, "shape": list(shape), "data_offsets": [position, position + size]}
        position += size
    raw = json.dumps(header, separators=(",", ":")).encode()
    return raw + b" " * (-len(raw) % 8)


def data_bytes(tensors: Shapes) -> int:
    """The bytes of all tensors."""
    return sum(prod(shape) * (DTYPES[code].bits or 0) // 8 for code, shape in tensors.values())


def write_safetensors(path: Path, tensors: Shapes, metadata: Mapping[str, str] | None = None) -> Path:
    """A safetensors file of its full length whose data is a hole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = header_json(tensors, metadata)
    path.write_bytes(len(raw).to_bytes(8, "little") + raw)
    os.truncate(path, 8 + len(raw) + data_bytes(tensors))
    return path


def write_json(path: Path, value: object) -> Path:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def write_sharded(folder: Path, shards: Mapping[str, Shapes], *, total_size: object = None) -> Path:
    """Shards with their index; the index goes by the files' common beginning."""
    weight_map: dict[str, str] = {}
    for name, tensors in shards.items():
        write_safetensors(folder / name, tensors)
        weight_map |= dict.fromkeys(tensors, name)
    size = sum(data_bytes(tensors) for tensors in shards.values()) if total_size is None else total_size
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": size}, "weight_map": weight_map})
    return folder
