"""Source + Ref -> Checkpoint: which files, read how far, and what to do when one of them fails."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from ckptinspect.config import parse_config, pipeline_components, sentence_modules
from ckptinspect.errors import (
    CkptInspectError,
    FormatError,
    HeaderError,
    IndexMismatchError,
    LayoutError,
    NotFoundError,
    SourceError,
)
from ckptinspect.header import header_length, parse_header
from ckptinspect.index import MAX_BYTES, Index, parse_index
from ckptinspect.model import Checkpoint, Config, Header, Note, Ref, Shard, merged
from ckptinspect.naming.mtp import marks_in, mtp_marks, unmarked
from ckptinspect.repeats import disjoint, repeats_in, share_names
from ckptinspect.selection import (
    Part,
    PartFiles,
    Selection,
    joined,
    needs_index,
    resolve,
    select,
    single,
    without_weights,
)
from ckptinspect.sources.base import File, Source, each, is_hidden
from ckptinspect.text import few, number_of

T = TypeVar("T")
Progress = Callable[[int, int], None]

MAX_SMALL_FILE = 10_000_000
_ENOUGH_TO_RECOGNISE = 512
_INDEX_READ_ANYWAY = 1_000_000
_CONFIGS = ("config.json", "adapter_config.json", "params.json")
MAIN = (None, "main")


class Reading(msgspec.Struct, frozen=True):
    """How to read: every tensor's name or only kinds of them, which way, and whom to tell of progress.

    ``via`` is auto, endpoint or ranges; ``progress`` is called with the shards done and the shards in all.
    """

    names: bool = True
    via: str = "auto"
    progress: Progress | None = None


async def read_checkpoint(source: Source, ref: Ref, reading: Reading) -> Checkpoint:
    """The checkpoint at ``ref.path`` below the root of ``source``.

    One shard of several that fails is a shard with an error. Raises what was wrong where no shard could be
    read: a SourceError or a FormatError.
    """
    async with source:
        return await assemble(source, ref, reading)


async def assemble(source: Source, ref: Ref, reading: Reading) -> Checkpoint:
    """As ``read_checkpoint``, on a source that is open already."""
    return await _Assembly(source, ref, reading).checkpoint()


class _Job(msgspec.Struct, frozen=True):
    """One file to read: a shard of a component, or (``config``) a component's config."""

    path: str
    component: str
    config: bool = False


class _Found(NamedTuple):
    """What a folder holds, and what its own lists say of it."""

    files: Sequence[File]
    folder: str
    pipeline: Sequence[str]
    modules: Sequence[str]


class _Assembly:
    """The steps to one checkpoint, with the notes that they leave."""

    def __init__(self, source: Source, ref: Ref, reading: Reading) -> None:
        self.source = source
        self.ref = ref
        self.reading = reading
        self.notes: list[Note] = []
        self.sizes: dict[str, int] | None = None
        self.configs: dict[str, Config] = {}
        self.marks: tuple[str, ...] = ()
        self.promised: set[int] = set()
        self.found = _Found((), "", (), ())
        self.stale: set[str] = set()
        self.unreadable: set[str] = set()
        self.done = 0
        self.total = 0

    async def checkpoint(self) -> Checkpoint:
        selection = await self._selection()
        parts = await self._parts(selection)
        while parts is None:
            # An index was stale: what is there without it?
            selection = self._selected()
            parts = await self._parts(selection)
        shards, via = await self._shards(parts)
        if all(shard.header is None for shard in shards):
            raise next(shard.error for shard in shards if shard.error is not None)
        if selection.free:
            shards = self._disjoint(shards)
        shards = await self._refolded(shards)
        shards = await self._without_repeats(shards, parts)
        self._note_failures(shards)
        self._note_broken_promises(shards)
        counted = {shard.path for shard in shards}
        return Checkpoint(
            ref=msgspec.structs.replace(self.ref, commit=await self.source.commit() or self.ref.commit),
            via=via,
            layout=selection.layout,
            shards=tuple(shards),
            configs=self.configs,
            alternatives=tuple(path for path in selection.weights if path not in counted),
            notes=tuple(self.notes),
            requests=self.source.requests,
            bytes_read=self.source.bytes_read,
        )

    def _note_failures(self, shards: Sequence[Shard]) -> None:
        failed = [shard.path for shard in shards if shard.error is not None]
        if failed:
            what = f"{len(failed)} of {number_of(len(shards), 'shard')} could not be read ({few(failed)})"
            self.notes.append(Note("shards-failed", f"{what}: the figures are those of the others"))

    def _note_broken_promises(self, shards: Sequence[Shard]) -> None:
        """Tensors that an index names and no shard has. Where a shard failed or the index is stale, that is known."""
        headers = [shard.header for shard in shards if shard.header is not None]
        if len(headers) < len(shards) or self.stale:
            return
        absent = self.promised.difference(*(header.hashes for header in headers))
        if self.promised and absent:
            message = f"the index names {number_of(len(absent), 'tensor')} that no shard has"
            self.notes.append(Note("tensors-absent", message))

    async def _selection(self) -> Selection:
        if self.ref.scheme == "local" and self.ref.path:
            # One file was named; what else lies in its folder, which may be huge, does not matter.
            return single(self.ref.path)
        files = [file for file in await self.source.list() if not is_hidden(file.path, self.ref.path)]
        self.sizes = {file.path: file.size for file in files}
        if self.ref.path in self.sizes:
            return single(self.ref.path)
        folder = self.ref.path.rstrip("/")
        below = folder and folder + "/"
        pipeline = await self._small(below + "model_index.json", pipeline_components)
        modules = await self._small(below + "modules.json", sentence_modules)
        for component in without_weights(files, folder, pipeline or ()):
            message = f"the component {component} has no safetensors file: it is not counted"
            self.notes.append(Note("component-without-weights", message))
        self.found = _Found(files, folder, pipeline or (), modules or ())
        return self._selected()

    def _selected(self) -> Selection:
        files, folder, pipeline, modules = self.found
        return select((file for file in files if file.path not in self.stale), folder, pipeline, modules)

    async def _parts(self, selection: Selection) -> list[PartFiles] | None:
        """The files of each part; None where an index is stale, and what to read has to be looked at without it."""
        parts = []
        for part in selection.parts:
            index: Index | None = None
            try:
                index = await self._index(part, selection)
                parts.append(resolve(part, index, await self._present(part, index)))
            except FormatError as error:
                self._set_aside(part, index, error)
                return None
            self.promised.update(map(hash, index.weight_map if index is not None else ()))
        return parts

    def _set_aside(self, part: Part, index: Index | None, error: FormatError) -> None:
        """Leave an index out of what there is. Raises what is wrong with it where nothing is left to read."""
        path = joined(part.folder, part.chosen.index or "")
        self.stale.add(path)
        try:
            if not self.found.files:
                raise error
            self._selected()
        except NotFoundError:
            raise error from None
        code = "index-unreadable" if index is None else "index-stale"
        self.notes.append(Note(code, f"{path} was left aside: {error.what}"))

    async def _present(self, part: Part, index: Index | None) -> dict[str, int] | None:
        """The files that are there, with their sizes: all of them, or of those that an index names."""
        if index is None or self.sizes is not None:
            return self.sizes
        found = {}
        for path in (joined(part.folder, name) for name in index.shards):
            try:
                found[path] = await self.source.size(path)
            except NotFoundError:
                continue
            except SourceError:
                found[path] = 0
        return found

    async def _index(self, part: Part, selection: Selection) -> Index | None:
        """The index of a part where it decides, or where it is small enough to have a look at."""
        if part.chosen.index is None:
            return None
        path = joined(part.folder, part.chosen.index)
        size = await self._size(path)
        free = self.source.concurrency == 1 and size <= _INDEX_READ_ANYWAY
        if not free and not needs_index(part, selection.weights):
            return None
        return await self._parsed_index(path, size)

    async def _parsed_index(self, path: str, size: int) -> Index:
        if size > MAX_BYTES:
            what = f"the index takes {size} bytes, over the limit of {MAX_BYTES}"
            raise IndexMismatchError(what, path, "fetch it again, or name the shards' folder without it")
        return parse_index(await self.source.read(path, 0, size), path)

    async def _size(self, path: str) -> int:
        if self.sizes is not None and self.source.concurrency > 1:
            return self.sizes[path]
        return await self.source.size(path)

    async def _small(self, path: str, parse: Callable[[bytes, str], T]) -> T | None:
        """What a small file says; a broken or hostile one costs a note, not the run."""
        if self.sizes is not None and path not in self.sizes:
            return None
        try:
            size = await self._size(path)
            if size > MAX_SMALL_FILE:
                raise FormatError(f"it takes {size} bytes, over the limit of {MAX_SMALL_FILE}", path)
            return parse(await self.source.read(path, 0, size), path)
        except NotFoundError:
            return None
        except CkptInspectError as error:
            if path not in self.unreadable:
                self.notes.append(Note("config-unreadable", f"{path} was left out: {error.what}"))
            self.unreadable.add(path)
            return None

    async def _shards(self, parts: Sequence[PartFiles]) -> tuple[list[Shard], str]:
        jobs = [_Job(path, files.part.component) for files in parts for path in files.paths]
        jobs += [_Job(joined(files.part.folder, ""), files.part.component, config=True) for files in parts]
        # Configs first where reads go one by one: what they say decides how names are folded.
        jobs.sort(key=lambda job: not job.config)
        shards = await self._by_endpoint(parts, jobs)
        via = "endpoint" if shards is not None else self.source.via
        if shards is None:
            self.total = sum(not job.config for job in jobs)
            shards = [shard for shard in await each(self.source, self._job, jobs) if shard is not None]
        shards += [_missing(path, files.part.component) for files in parts for path in files.missing]
        return sorted(shards, key=lambda shard: (shard.component, shard.path)), via

    async def _by_endpoint(self, parts: Sequence[PartFiles], jobs: Sequence[_Job]) -> list[Shard] | None:
        index = parts[0].part.chosen.index
        if self.reading.via == "ranges" or self.ref.scheme != "hub" or self.ref.revision not in MAIN:
            return None
        if self.reading.names or len(parts) != 1 or index is None or parts[0].missing or self.sizes is None:
            if self.reading.via == "endpoint":
                why = "where every name is asked for" if self.reading.names else "other than whole sharded repositories"
                message = f"the one-request endpoint gives nothing {why}: this was read by ranges"
                self.notes.append(Note("endpoint-unused", message))
            return None
        from ckptinspect.endpoint import headers_from

        folder = parts[0].part.folder
        bodies: list[bytes] = []

        async def fetch(job: _Job | None) -> None:
            if job is None:
                bodies.append(await self.source.sharded_headers(joined(folder, index)))
            elif job.config:
                await self._job(job)

        try:
            await each(self.source, fetch, [None, *(job for job in jobs if job.config)])
            headers = headers_from(bodies[0], folder, parts[0].paths, self.sizes, self.marks)
        except (SourceError, FormatError):
            if self.reading.via == "endpoint":
                raise
            headers = None
        if headers is None:
            return None
        return [Shard(path, self.sizes[path], header) for path, header in headers.items()]

    async def _job(self, job: _Job) -> Shard | None:
        if job.config:
            if job.component not in self.configs and (config := await self._config(job.path)) is not None:
                self.configs[job.component] = config
                self.marks += mtp_marks(config)
            return None
        shard = await self._shard(job)
        self.done += 1
        if self.reading.progress is not None:
            self.reading.progress(self.done, self.total)
        return shard

    async def _config(self, below: str) -> Config | None:
        for name in _CONFIGS:
            if (config := await self._small(below + name, parse_config)) is not None:
                return config
        return None

    async def _shard(self, job: _Job) -> Shard:
        size = 0
        try:
            size = await self._size(job.path)
            header = await self._header(job.path, size)
        except CkptInspectError as error:
            return Shard(job.path, size, None, _placed(error, job.path), job.component)
        return Shard(job.path, size, header, None, job.component)

    async def _header(self, path: str, size: int) -> Header:
        first = await self.source.read(path, 0, min(size, self.source.first_read))
        length = await self._length(path, first, size)
        raw = first[8 : 8 + length]
        if len(raw) < length:
            # Read into the one name: a header may be 100 MB, and a second copy of it serves nobody.
            raw += await self.source.read(path, 8 + len(raw), 8 + length)
        del first
        header = parse_header(
            raw, size, names=self._keeps_names, apart=self.marks, hashed=self.total > 1 or bool(self.promised)
        )
        if (fatal := next((defect for defect in header.defects if defect.fatal), None)) is not None:
            raise LayoutError(fatal.message, path, "the file is damaged or was not fetched whole; fetch it again")
        return header

    @property
    def _keeps_names(self) -> bool:
        """Where another read costs a round trip, the names are kept until nothing more can be asked of them."""
        return self.reading.names or self.source.concurrency > 1

    async def _length(self, path: str, first: bytes, size: int) -> int:
        try:
            return header_length(first, size)
        except HeaderError:
            # It is something else: some more bytes tell what.
            return header_length(await self.source.read(path, 0, min(size, _ENOUGH_TO_RECOGNISE)), size)

    async def _again(self, shards: Sequence[Shard], *, names: bool) -> list[Shard]:
        """The same shards, folded by the marks known by now, with names or without."""
        found = []
        for shard in shards:
            if shard.header is not None and shard.header.raw is not None:
                header = parse_header(shard.header.raw, shard.size, names=names, apart=self.marks, hashed=True)
            elif shard.header is not None:
                size = await self._size(shard.path)
                raw = await self.source.read(shard.path, 8, 8 + shard.header.length)
                header = parse_header(raw, size, names=names, apart=self.marks, hashed=True)
            else:
                header = None
            found.append(msgspec.structs.replace(shard, header=header))
        return found

    async def _refolded(self, shards: list[Shard]) -> list[Shard]:
        """The shards, folded so that the layers of multi-token prediction are kinds of their own."""
        headers = [shard.header for shard in shards if shard.header is not None]
        kinds = merged(kind for header in headers for kind in header.kinds)
        if unmarked(kinds, self.marks):
            shards = await self._again(shards, names=True)
            names = (tensor.name for shard in shards if shard.header is not None for tensor in shard.header.tensors)
            self.marks += marks_in(names)
        self.marks = tuple(sorted(set(self.marks)))
        if all(header.apart == self.marks for header in headers):
            return shards
        return await self._again(shards, names=self._keeps_names)

    async def _without_repeats(self, shards: list[Shard], parts: Sequence[PartFiles]) -> list[Shard]:
        """The shards, with the tensors set aside that another shard has too."""
        if not share_names(shards):
            return shards if self.reading.names else [_without_names(shard) for shard in shards]
        named = await self._again(shards, names=True)
        repeats = repeats_in(named, await self._weight_map(parts))
        if count := sum(len(tensors) for tensors in repeats.values()):
            message = f"{number_of(count, 'tensor')} in more than one shard: counted once"
            self.notes.append(Note("repeated-tensors", message))
        shards = [msgspec.structs.replace(shard, repeated=repeats.get(shard.path, ())) for shard in named]
        return shards if self.reading.names else [_without_names(shard) for shard in shards]

    def _disjoint(self, shards: Sequence[Shard]) -> list[Shard]:
        kept = disjoint(shards)
        if len(kept) > 1:
            message = f"{len(kept)} files without an index and with no tensor in common are counted together"
            self.notes.append(Note("no-index", message))
        return kept

    async def _weight_map(self, parts: Sequence[PartFiles]) -> dict[str, str]:
        """The shard's path for every tensor that an index names."""
        found: dict[str, str] = {}
        for part in (files.part for files in parts):
            if part.chosen.index is None:
                continue
            path = joined(part.folder, part.chosen.index)
            try:
                index = await self._parsed_index(path, await self._size(path))
            except CkptInspectError:
                continue
            found |= {name: joined(part.folder, shard) for name, shard in index.weight_map.items()}
        return found


def _without_names(shard: Shard) -> Shard:
    if shard.header is None or shard.header.raw is None:
        return shard
    return msgspec.structs.replace(shard, header=msgspec.structs.replace(shard.header, raw=None))


def _placed(error: CkptInspectError, path: str) -> CkptInspectError:
    return error if error.where == path else error.at(path)


def _missing(path: str, component: str) -> Shard:
    error = NotFoundError("the shard is missing", path, "fetch it: the checkpoint is not whole without it")
    return Shard(path, 0, None, error, component)
