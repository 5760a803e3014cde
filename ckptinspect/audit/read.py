"""A REF -> the subjects of its audit: everything that is small is read whole, of every safetensors file its header."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec

from ckptinspect.audit.pickles import PICKLES
from ckptinspect.audit.subject import CONFIGS, Hashed, IndexFile, Subject, WeightFile
from ckptinspect.checkpoint import Reading, assemble
from ckptinspect.config import MODELOPT_FILE, parse_config
from ckptinspect.errors import CkptInspectError, FormatError, HeaderError, LayoutError, NotFoundError, SourceError
from ckptinspect.folder import MAX_SMALL_FILE
from ckptinspect.header import parse_header
from ckptinspect.heading import beginning, raw_header
from ckptinspect.index import MAX_BYTES, decoded_index
from ckptinspect.model import Checkpoint, Config, Ref
from ckptinspect.selection import SUFFIX, is_index, joined, sets_in
from ckptinspect.sources.base import File, Source, each, is_hidden

MAX_HEADERS = 500_000_000
"""Bytes of headers that are kept for their names; of what goes beyond, only kinds of tensors are known."""


_LISTS = ("model_index.json", "modules.json")
_READ = frozenset((*_LISTS, *CONFIGS, MODELOPT_FILE))
_ONE = 1


class Beside(msgspec.Struct, frozen=True):
    """What an audit looks at beside the checkpoint itself."""

    base: Checkpoint | None = None
    hashes: Mapping[str, Hashed] | None = None


class _Root(NamedTuple):
    """A folder that holds one checkpoint; without ``deep`` its own files alone."""

    folder: str
    deep: bool


class _Content(NamedTuple):
    """What was read: the bytes of small files, the headers, and the error of whatever could not be read."""

    small: dict[str, bytes | CkptInspectError]
    weights: dict[str, WeightFile]


async def read_subjects(source: Source, ref: Ref, beside: Beside | None = None) -> list[Subject]:
    """Every checkpoint at ``ref``, an open source's. Most have one; a repository of many adapters has many.

    Raises a SourceError where nothing can be read, or nothing is there that can be audited.
    """
    beside = beside or Beside()
    files = await _listed(source, ref)
    folder = "" if any(file.path == ref.path for file in files) else ref.path.rstrip("/")
    subjects = []
    for root in _roots(files, folder):
        below = tuple(file for file in files if _is_below(file.path, root))
        subjects.append(await _subject(source, ref, root, below, beside))
    if not any(_worth_it(subject) for subject in subjects):
        raise _nothing(ref, files)
    errors = [weight.error for subject in subjects for weight in subject.weights]
    if errors and source.concurrency > 1 and all(isinstance(error, SourceError) for error in errors):
        raise next(error for error in errors if error is not None)
    return subjects


async def _listed(source: Source, ref: Ref) -> tuple[File, ...]:
    """The files to look at. Where one file was named, what else lies in its folder does not matter."""
    folder = ref.path.rpartition("/")[0]
    beside = [joined(folder, name) for name in CONFIGS]
    if ref.scheme == "local" and ref.path.endswith(SUFFIX):
        found = [File(ref.path, await source.size(ref.path))]
        for path in beside:
            with suppress(SourceError):
                found.append(File(path, await source.size(path)))
        return tuple(sorted(found))
    files = tuple(file for file in await source.list() if not is_hidden(file.path, ref.path))
    if ref.path.endswith(SUFFIX) and any(file.path == ref.path for file in files):
        return tuple(file for file in files if file.path in {ref.path, *beside})
    return files


def _is_below(path: str, root: _Root) -> bool:
    folder = path.rpartition("/")[0]
    if folder == root.folder:
        return True
    return root.deep and (not root.folder or folder.startswith(root.folder + "/"))


def _roots(files: Sequence[File], folder: str) -> list[_Root]:
    """The folders that hold a checkpoint each, from ``folder`` down: none inside another."""
    names: dict[str, list[str]] = {}
    for file in files:
        where, _, name = file.path.rpartition("/")
        if not folder or where == folder or where.startswith(folder + "/"):
            names.setdefault(where, []).append(name)
    having = {where for where, found in names.items() if sets_in(found)}
    own = names.get(folder, [])
    if folder in having or not frozenset(_LISTS).isdisjoint(own) or len(having) <= _ONE:
        return [_Root(folder, deep=True)]
    depth = len(folder) + 1 if folder else 0
    children = sorted({where[: (where + "/").index("/", depth)] for where in having if where != folder})
    found = [root for child in children for root in _roots(files, child)]
    return [_Root(folder, deep=False), *found] if own else found


async def _subject(source: Source, ref: Ref, root: _Root, files: tuple[File, ...], beside: Beside) -> Subject:
    content = await _read(source, files)
    checkpoint, problem = await _assembled(ref, root, files, content, source)
    configs, unread = _configs(content.small)
    return Subject(
        ref=ref,
        folder=root.folder,
        files=files,
        weights=tuple(content.weights[path] for path in sorted(content.weights)),
        indexes=tuple(_index(file, content.small[file.path]) for file in files if is_index(file.path)),
        configs=configs,
        unread=unread,
        checkpoint=checkpoint,
        problem=problem,
        base=beside.base,
        hub_parameters=await source.claimed_parameters() if not root.folder else None,
        hashes=beside.hashes,
    )


async def _read(source: Source, files: Sequence[File]) -> _Content:
    """Everything that a subject needs, in one go."""
    content = _Content({}, {})
    room = MAX_HEADERS

    async def take(file: File) -> None:
        nonlocal room
        if file.path.endswith(SUFFIX):
            weight = await _weight(source, file, names=room > 0)
            if source.via == "snapshot" and isinstance(weight.error, NotFoundError):
                # A snapshot keeps the headers of what was counted; of the others there is the list alone.
                return
            room -= weight.header.length if weight.header is not None else 0
            content.weights[file.path] = weight
        else:
            content.small[file.path] = await _small(source, file)

    folders = {file.path.rpartition("/")[0] for file in files if file.path.endswith(SUFFIX)}
    await each(source, take, [file for file in files if _wanted(file.path, folders)])
    return content


def is_read(path: str) -> bool:
    """Whether a file's name is one of those that are read, if only where it stands beside weights."""
    return path.endswith(SUFFIX) or is_index(path) or path.rpartition("/")[2] in _READ


def _wanted(path: str, folders: set[str]) -> bool:
    folder, _, name = path.rpartition("/")
    beside = name in CONFIGS or name == MODELOPT_FILE
    return is_read(path) and (not beside or folder in folders)


async def _weight(source: Source, file: File, *, names: bool) -> WeightFile:
    try:
        raw = await raw_header(source, file.path, file.size)
        header = parse_header(raw, file.size, names=names, hashed=True)
    except HeaderError as error:
        first = await beginning(source, file.path, file.size)
        return WeightFile(file.path, file.size, None, error, first)
    except CkptInspectError as error:
        return WeightFile(file.path, file.size, None, error)
    return WeightFile(file.path, file.size, header)


async def _small(source: Source, file: File) -> bytes | CkptInspectError:
    limit = MAX_BYTES if is_index(file.path) else MAX_SMALL_FILE
    if file.size > limit:
        return FormatError(f"it takes {file.size} bytes, over the limit of {limit}", file.path)
    try:
        return await source.read(file.path, 0, file.size)
    except CkptInspectError as error:
        return error


def _index(file: File, content: bytes | CkptInspectError) -> IndexFile:
    if isinstance(content, CkptInspectError):
        return IndexFile(file.path, file.size, None, content)
    try:
        return IndexFile(file.path, file.size, decoded_index(content, file.path))
    except FormatError as error:
        return IndexFile(file.path, file.size, None, error)


def _configs(
    small: Mapping[str, bytes | CkptInspectError],
) -> tuple[dict[str, Config], dict[str, CkptInspectError]]:
    configs: dict[str, Config] = {}
    unread: dict[str, CkptInspectError] = {}
    for path, content in sorted(small.items()):
        if is_index(path):
            continue
        try:
            if isinstance(content, CkptInspectError):
                raise content
            if path.rpartition("/")[2] in CONFIGS:
                configs[path] = parse_config(content, path)
        except CkptInspectError as error:
            unread[path] = error
    return configs, unread


async def _assembled(
    ref: Ref, root: _Root, files: tuple[File, ...], content: _Content, source: Source
) -> tuple[Checkpoint | None, CkptInspectError | None]:
    """The checkpoint that a loader would take, from what was read; or why that cannot be told."""
    weights = content.weights.values()
    known = {weight.path: weight.header for weight in weights if weight.header is not None and weight.sound}
    path = ref.path if any(file.path == ref.path for file in files) else root.folder
    # What was read is a source like a snapshot: of a local path one file alone would be looked at.
    there = msgspec.structs.replace(ref, scheme="snapshot", path=path)
    try:
        return await assemble(_ReadAlready(files, content, source.via), there, Reading(known=known, via="ranges")), None
    except CkptInspectError as error:
        return None, error


class _ReadAlready(Source):
    """What was read of a source, as a source: nothing of it waits or costs a request."""

    def __init__(self, files: tuple[File, ...], content: _Content, via: str) -> None:
        self.files = files
        self.content = content
        self.via = via

    async def list(self) -> tuple[File, ...]:
        return self.files

    async def read(self, path: str, begin: int, end: int) -> bytes:
        if (weight := self.content.weights.get(path)) is not None:
            if weight.error is not None:
                raise weight.error
            if not weight.sound:
                raise LayoutError("the header's figures do not add up", path)
            raw = weight.header.raw if weight.header is not None else None
            if raw is None or begin < 8:
                raise SourceError("its names were not kept", path)
            return raw[begin - 8 : end - 8]
        found = self.content.small.get(path)
        if isinstance(found, bytes):
            return found[begin:end]
        raise found or NotFoundError("it was not read", path)


def _worth_it(subject: Subject) -> bool:
    """Whether there is anything that rules are about."""
    return bool(subject.weights or subject.indexes) or any(file.path.endswith(PICKLES) for file in subject.files)


def _nothing(ref: Ref, files: Sequence[File]) -> NotFoundError:
    from ckptinspect.selection import select

    try:
        select(files, ref.path.rstrip("/"))
    except NotFoundError as error:
        return error
    return NotFoundError("there is no safetensors file", ref.given, "check the spelling")
