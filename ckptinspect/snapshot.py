"""Checkpoint -> one portable file; ``sources/snapshot.py`` describes the format and reads it back."""

import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Mapping

import msgspec

from ckptinspect.checkpoint import Progress, Reading, assemble
from ckptinspect.errors import CkptInspectError, FormatError, NotFoundError
from ckptinspect.folder import MAX_SMALL_FILE
from ckptinspect.index import MAX_BYTES
from ckptinspect.model import Checkpoint, Ref
from ckptinspect.selection import joined
from ckptinspect.sources.base import File, Source, each
from ckptinspect.sources.snapshot import MANIFEST, MAX_MANIFEST, SCHEMA, Manifest
from ckptinspect.sources.snapshot_archive import excess, leads_out
from ckptinspect.text import spelled_out

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
        files = await _listed(checkpoint, source)
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
    manifest = Manifest(SCHEMA, _origin(checkpoint.ref), checkpoint.ref.commit, spelled_out(ref.path), _spelled(files))
    beginnings = {spelled_out(path): data for path, data in {**kept, **headers}.items()}
    return Snapshot(written(manifest, beginnings), checkpoint, len(headers), len(kept))


async def _listed(checkpoint: Checkpoint, source: Source) -> tuple[File, ...]:
    """The files to list. Of one named file's folder, which may be huge, only those that belong to it."""
    ref = checkpoint.ref
    if ref.scheme != "local" or not ref.path:
        return await source.list()
    names = {joined(ref.path.rpartition("/")[0], name) for name in _KEPT} | {ref.path}
    there = [shard for shard in checkpoint.shards if not isinstance(shard.error, NotFoundError)]
    found = {shard.path: File(shard.path, shard.size) for shard in there}
    for path in names - found.keys():
        try:
            found[path] = File(path, await source.size(path))
        except CkptInspectError:
            continue
    return tuple(sorted(found.values()))


def _spelled(files: tuple[File, ...]) -> tuple[File, ...]:
    """The files by names that every archive can hold: what is not UTF-8 in them is written as an escape.

    Keys of an object store that are no paths below a folder are left out. Raises FormatError where two names
    are then spelled alike.
    """
    below = (file for file in files if not leads_out(file.path))
    spelled = tuple(msgspec.structs.replace(file, path=spelled_out(file.path)) for file in below)
    if twice := [path for path, count in Counter(file.path for file in spelled).items() if count > 1]:
        raise FormatError("two files of this name differ only in bytes that are not UTF-8", twice[0], "rename one")
    return spelled


def _is_kept(file: File) -> bool:
    name = file.path.rpartition("/")[2]
    if name.endswith(".json") and ".safetensors.index" in name:
        return file.size <= MAX_BYTES
    return name in _KEPT and file.size <= MAX_SMALL_FILE


def _origin(ref: Ref) -> str:
    """Where it was taken; of a local folder only its name, since the rest is nobody else's business."""
    return ref.location if ref.scheme != "local" else spelled_out(ref.location.rstrip("/").rpartition("/")[2])


def written(manifest: Manifest, beginnings: Mapping[str, bytes]) -> bytes:
    """The bytes of a snapshot file: ``beginnings`` are the first bytes of each file by its path.

    Raises FormatError where they are more than a snapshot may hold.
    """
    listing = msgspec.json.format(msgspec.json.encode(manifest))
    if MANIFEST in beginnings:
        raise FormatError("a snapshot cannot hold a file of this name", MANIFEST, "rename it")
    members = {MANIFEST: listing, **dict(sorted(beginnings.items()))}
    why = excess({name: len(data) for name, data in members.items()})
    if why is None and len(listing) > MAX_MANIFEST:
        why = f"{len(listing)} bytes for the list of its files, it holds {MAX_MANIFEST}"
    if why is not None:
        raise FormatError(f"this is more than fits into a snapshot: {why}", manifest.origin, "name a folder of it")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path, data in members.items():
            archive.writestr(_info(path), data)
    return buffer.getvalue()


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info
