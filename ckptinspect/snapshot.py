"""Checkpoint -> one portable file; ``sources/snapshot.py`` reads it back and describes the format."""

import io
import zipfile
from collections.abc import Mapping

import msgspec

from ckptinspect.sources.snapshot import MANIFEST, Manifest

_EPOCH = (1980, 1, 1, 0, 0, 0)


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
