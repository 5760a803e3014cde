"""From the paths that were named to the files that are loaded: headers checked, holes refused, sizes bounded."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ckptinspect.bench.base import Target
from ckptinspect.bench.files import hole_bytes, identity_of, opened
from ckptinspect.bench.reading import read_header
from ckptinspect.errors import CkptInspectError, RefError, SourceError
from ckptinspect.model import Header
from ckptinspect.text import bytes_text, number_of

SPARSE = 0.01
"""The share of a file that may be holes before its speed says nothing about a storage."""


class Skipped(msgspec.Struct, frozen=True):
    """Something that was not measured, and why: a method, a state of the cache, or a file. ``kind`` is the error's."""

    method: str | None
    cache: str | None
    path: str | None
    reason: str
    kind: str | None = None


class Found(NamedTuple):
    """The files to load with their headers, those left out, and what to know about the choice."""

    targets: tuple[Target, ...]
    headers: tuple[Header, ...]
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]


def found_at(paths: Sequence[str], max_bytes: int) -> Found:
    """The safetensors files that ``paths`` name, from the first on as long as they fit into ``max_bytes``."""
    targets: list[Target] = []
    headers: list[Header] = []
    skipped: list[Skipped] = []
    seen: set[tuple[int, int]] = set()
    left_out, total = 0, 0
    for path in _files(paths, skipped):
        try:
            target, header = _target(path)
        except CkptInspectError as error:
            skipped.append(Skipped(None, None, path, _sentence(error, path), error.kind))
            continue
        if (identity := (target.identity.device, target.identity.inode)) in seen:
            continue
        seen.add(identity)
        if targets and total + target.size > max_bytes:
            left_out += 1
            continue
        total += target.size
        targets.append(target)
        headers.append(header)
    return Found(tuple(targets), tuple(headers), tuple(skipped), tuple(_warnings(targets, left_out, max_bytes)))


def _warnings(targets: Sequence[Target], left_out: int, max_bytes: int) -> list[str]:
    found = []
    if left_out:
        size = bytes_text(sum(target.size for target in targets))
        what = f"measured on {len(targets)} of {number_of(len(targets) + left_out, 'file')} ({size})"
        found.append(f"{what}: the others would go beyond --max-bytes ({bytes_text(max_bytes)})")
    if holes := sum(target.hole_bytes for target in targets):
        found.append(f"{bytes_text(holes)} of the files are holes, which read without a disk")
    return found


def _files(paths: Sequence[str], skipped: list[Skipped]) -> list[str]:
    """Every file of every checkpoint; what of it cannot be read is skipped with its reason."""
    from ckptinspect.opening import open_checkpoint
    from ckptinspect.refs import parse_ref

    files: list[str] = []
    for given in paths:
        try:
            ref = parse_ref(given)
            if ref.scheme != "local":
                what = "only files on this machine can be measured"
                raise RefError(what, given, "download it (hf download ORG/NAME) and name its folder")
            checkpoint = open_checkpoint(given, names=False)
        except CkptInspectError as error:
            skipped.append(Skipped(None, None, given, _sentence(error, given), error.kind))
            continue
        for shard in checkpoint.shards:
            path = os.path.join(ref.location, shard.path)
            if shard.error is not None:
                skipped.append(Skipped(None, None, path, _sentence(shard.error, path), shard.error.kind))
            else:
                files.append(path)
    return files


def _target(path: str) -> tuple[Target, Header]:
    descriptor = opened(path)
    try:
        status = os.fstat(descriptor)
        holes = _bearable_holes(descriptor, path, status.st_size)
        header = read_header(descriptor, names=True)
        return Target(path, identity_of(status), header.nbytes, len(header.tensors), holes), header
    finally:
        os.close(descriptor)


def _bearable_holes(descriptor: int, path: str, size: int) -> int:
    """The bytes in holes; SourceError where they are too many."""
    missing = hole_bytes(descriptor)
    if missing > SPARSE * size:
        raise SourceError(
            f"sparse: {bytes_text(missing)} of its {bytes_text(size)} are holes, which read without a disk",
            path,
            "fetch it whole, or make a real one with --synthetic SIZE --dir DIR",
        )
    return missing


def _sentence(error: CkptInspectError, path: str) -> str:
    """The error with the whole path in front, of which it may know the end."""
    where = error.where or ""
    known = where.partition(": ")[0]
    if known and (path == known or path.endswith(f"/{known}")):
        where = where.removeprefix(known).removeprefix(": ")
    return str(type(error)(error.what, where or None, error.hint).at(path))
