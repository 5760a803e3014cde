"""Contents against the Hub's: the SHA-256 of local files, and where the expected ones stand.

The Hub lists a SHA-256 for every file that it keeps outside of git. Its cache names a blob by it, and
``hf download --local-dir`` keeps it in ``.cache/huggingface/download``.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

from ckptinspect.audit.subject import Hashed
from ckptinspect.errors import AccessError, NotFoundError, RefError
from ckptinspect.model import Ref
from ckptinspect.opening import source_of
from ckptinspect.refs import parse_ref
from ckptinspect.selection import SUFFIX
from ckptinspect.sources.base import File, run
from ckptinspect.sources.local import LocalSource

Progress = Callable[[int, int], None]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PIECE = 1 << 22
_LISTED = "sha256:"


class ToHash(msgspec.Struct, frozen=True):
    """A local file and what its content should be: ``path`` below the root, ``full`` on this machine."""

    path: str
    full: str
    size: int
    expected: str


def to_hash(folder: str, files: Iterable[File], listed: Mapping[str, str]) -> tuple[ToHash, ...]:
    """The files of weights below ``folder`` of which the expected content is known.

    ``listed`` are the SHA-256 of a listing of the Hub by path; where it is empty, what the Hub's own tools have
    left on the disk is taken.
    """
    found = []
    for file in files:
        full = os.path.join(folder, file.path)
        expected = listed.get(file.path) if listed else recorded(folder, file.path)
        if file.path.endswith(SUFFIX) and expected is not None and os.path.isfile(full):
            found.append(ToHash(file.path, full, file.size, expected))
    return tuple(found)


def listed_hashes(files: Iterable[File]) -> dict[str, str]:
    """The SHA-256 that a listing gives, by path."""
    digests = ((file.path, file.digest) for file in files if file.digest is not None)
    return {path: digest.removeprefix(_LISTED) for path, digest in digests if digest.startswith(_LISTED)}


def recorded(folder: str, path: str) -> str | None:
    """The SHA-256 that the Hub gave for a file when it was fetched; None where nobody kept it."""
    full = os.path.join(folder, path)
    if os.path.islink(full) and _SHA256.fullmatch(name := os.path.basename(os.readlink(full))):
        return name
    try:
        with open(os.path.join(folder, ".cache", "huggingface", "download", f"{path}.metadata"), "rb") as file:
            lines = file.read(1024).decode("ascii", "replace").split("\n")
    except OSError:
        return None
    # The commit, the file's hash, and when it was fetched.
    return lines[1].strip() if len(lines) > 1 and _SHA256.fullmatch(lines[1].strip()) else None


def compared_hashes(
    ref: str, against: str | None, progress: Progress | None, *, offline: bool = False
) -> Mapping[str, Hashed]:
    """The contents at ``ref``, a local folder or a repository in the local Hub cache, against the Hub's.

    ``against`` names the repository whose listing is compared with. Raises NotFoundError where there is nothing
    on this machine to hash, or nothing to compare it with.
    """
    folder, repo = _on_disk(parse_ref(ref))
    listed = _listing(against) if against is not None else {}
    if against is None and repo is not None and not offline:
        listed = _listing(repo)
    source = LocalSource(folder)
    files = to_hash(folder, run(source, source.list()), listed)
    if not files:
        raise NotFoundError(
            "no file here has a SHA-256 to compare it with", ref, "name the repository that it is a copy of: --against"
        )
    return hashed(files, progress)


def _on_disk(ref: Ref) -> tuple[str, str | None]:
    """The folder on this machine that a REF stands for, and the repository with its commit that it is a copy of."""
    if ref.scheme == "local":
        return ref.location, None
    if ref.scheme != "hub":
        raise NotFoundError("--hash needs the files on this machine", ref.given, "name a folder, or fetch it first")
    from ckptinspect.sources.hub_cache import cached_snapshot

    cached = cached_snapshot(ref.location, ref.revision)
    if cached is None:
        raise NotFoundError(
            "the local Hub cache does not hold it", ref.given, f"run `hf download {ref.location}` first"
        )
    folder, commit = cached
    return folder, f"hf://{ref.location}@{commit}"


def _listing(repo: str) -> dict[str, str]:
    """The SHA-256 that the Hub lists for the files of a repository."""
    ref, source = source_of(parse_ref(repo))
    if ref.scheme != "hub":
        raise RefError("--against names no repository of the Hub", repo, "write org/name[@revision]")

    async def listed() -> dict[str, str]:
        async with source:
            return listed_hashes(await source.list())

    return run(source, listed())


def hashed(files: Iterable[ToHash], progress: Progress | None = None) -> dict[str, Hashed]:
    """Every file's content against the expected one. ``progress`` is called with the bytes done and in all."""
    files = tuple(files)
    total = sum(file.size for file in files)
    done = 0
    found = {}
    for file in files:
        digest = hashlib.sha256()
        for piece in _pieces(file):
            digest.update(piece)
            done += len(piece)
            if progress is not None:
                progress(done, total)
        found[file.path] = Hashed(file.expected, digest.hexdigest())
    return found


def _pieces(file: ToHash) -> Iterable[bytes]:
    try:
        with open(file.full, "rb", buffering=0) as content:
            while piece := content.read(_PIECE):
                yield piece
    except OSError as error:
        raise AccessError(f"it cannot be read: {error.strerror}", file.path, "check its permissions") from None
