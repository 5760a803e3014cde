"""Checkpoint -> one portable file; ``sources/snapshot.py`` describes the format and reads it back."""

import hashlib
import io
import zipfile
from collections.abc import Mapping

import msgspec

from ckptinspect.checkpoint import MAX_SMALL_FILE, Progress, Reading, assemble
from ckptinspect.errors import CkptInspectError
from ckptinspect.index import MAX_BYTES
from ckptinspect.model import Checkpoint, Ref
from ckptinspect.sources.base import File, Source, each
from ckptinspect.sources.snapshot import MANIFEST, SCHEMA, Manifest

_EPOCH = (1980, 1, 1, 0, 0, 0)
_KEPT = frozenset(
    {
        "config.json",
        "params.json",
        "model_index.json",
        "modules.json",
        "adapter_config.json",
        "generation_config.json",
        "quantize_config.json",
        "quant_config.json",
        "hf_quant_config.json",
        "quanto_qmap.json",
        "tokenizer_config.json",
    }
)


class Snapshot(msgspec.Struct, frozen=True):
    """A snapshot's bytes, what it was taken from, and how many headers and other files it keeps."""

    content: bytes
    checkpoint: Checkpoint
    headers: int
    files: int

    @property
    def sha256(self) -> str:
        """The hash of the bytes, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


async def take(source: Source, ref: Ref, progress: Progress | None = None) -> Snapshot:
    """The snapshot of the checkpoint at ``ref``: raw headers, configs and index, and the sizes of all files.

    Raises what ``read_checkpoint`` raises.
    """
    async with source:
        checkpoint = await assemble(source, ref, Reading(True, "ranges", progress))
        files = _listed(checkpoint, await source.list())
        small = [file for file in files if _is_kept(file)]

        async def beginning(file: File) -> tuple[str, bytes] | None:
            try:
                return file.path, await source.read(file.path, 0, file.size)
            except CkptInspectError:
                return None

        kept = dict(found for found in await each(source, beginning, small) if found is not None)
    headers = {
        shard.path: shard.header.length.to_bytes(8, "little") + shard.header.raw
        for shard in checkpoint.shards
        if shard.header is not None and shard.header.raw is not None
    }
    manifest = Manifest(SCHEMA, _origin(checkpoint.ref), checkpoint.ref.commit, ref.path, files)
    return Snapshot(written(manifest, {**kept, **headers}), checkpoint, len(headers), len(kept))


def _listed(checkpoint: Checkpoint, files: tuple[File, ...]) -> tuple[File, ...]:
    """The files to list. Of one named file's folder, only what belongs to it."""
    if checkpoint.ref.scheme != "local" or not checkpoint.ref.path:
        return files
    folder = checkpoint.ref.path.rpartition("/")[0]
    counted = {shard.path for shard in checkpoint.shards}
    return tuple(
        file for file in files if file.path in counted or (file.path.rpartition("/")[0] == folder and _is_kept(file))
    )


def _is_kept(file: File) -> bool:
    name = file.path.rpartition("/")[2]
    if name.endswith(".json") and ".safetensors.index" in name:
        return file.size <= MAX_BYTES
    return name in _KEPT and file.size <= MAX_SMALL_FILE


def _origin(ref: Ref) -> str:
    """Where it was taken; of a local folder only its name, since the rest is nobody else's business."""
    return ref.location if ref.scheme != "local" else ref.location.rstrip("/").rpartition("/")[2]


def written(manifest: Manifest, beginnings: Mapping[str, bytes]) -> bytes:
    """The bytes of a snapshot file: ``beginnings`` are the first bytes of each file by its path."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(_info(MANIFEST), msgspec.json.format(msgspec.json.encode(manifest)))
        for path, data in sorted(beginnings.items()):
            archive.writestr(_info(path), data)
    return buffer.getvalue()


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info
