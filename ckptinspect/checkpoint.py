"""Source + Ref -> Checkpoint: read what was chosen, and put it together."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from ckptinspect.choice import Choice, choose
from ckptinspect.config import MODELOPT_FILE, parse_config
from ckptinspect.errors import CkptInspectError, FormatError, LayoutError, NotFoundError, SourceError
from ckptinspect.folder import Folder
from ckptinspect.header import parse_header
from ckptinspect.heading import raw_header
from ckptinspect.model import Checkpoint, Config, Header, Ref, Shard, merged
from ckptinspect.naming.mtp import marks_in, mtp_marks, unmarked
from ckptinspect.naming.name import holds_adapter
from ckptinspect.quant.units import needs_names
from ckptinspect.repeats import disjoint, repeats_in, share_names
from ckptinspect.selection import joined
from ckptinspect.sources.base import Source, each
from ckptinspect.text import few, number_of

Progress = Callable[[int, int], None]

_CONFIGS = ("config.json", "adapter_config.json", "params.json")
MAIN = (None, "main")
"""The revisions that the one-request endpoint answers for."""


class Reading(msgspec.Struct, frozen=True):
    """How to read: every tensor's name or only kinds of them, which way, and whom to tell of progress.

    Without ``names`` those are kept all the same of a component whose quantized modules only names tell apart.

    ``via`` is auto, endpoint or ranges; ``progress`` is called with the shards done and the shards in all.
    ``known`` are headers that were read already, by path: with them nothing is refused, neither a layout nor a
    checkpoint without a header that can be read.
    """

    names: bool = True
    via: str = "auto"
    progress: Progress | None = None
    known: Mapping[str, Header] | None = None


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


class _Assembly:
    """The steps to one checkpoint, with the notes that they leave."""

    def __init__(self, source: Source, ref: Ref, reading: Reading) -> None:
        self.source = source
        self.ref = ref
        self.reading = reading
        self.folder = Folder(source)
        self.configs: dict[str, Config] = {}
        self.marks: tuple[str, ...] = ()
        self.hashed = False
        self.done = 0
        self.total = 0

    async def checkpoint(self) -> Checkpoint:
        choice = await choose(self.folder, self.ref)
        shards, via = await self._shards(choice)
        if self.reading.known is None and all(shard.header is None for shard in shards):
            raise next(shard.error for shard in shards if shard.error is not None)
        if choice.selection.free:
            shards = self._disjoint(shards)
        shards = await self._refolded(shards)
        shards = await self._with_names_needed(await self._without_repeats(shards, choice))
        self._note_failures(shards)
        self._note_broken_promises(shards, choice)
        counted = {shard.path for shard in shards}
        return Checkpoint(
            ref=msgspec.structs.replace(self.ref, commit=await self.source.commit() or self.ref.commit),
            via=via,
            layout=choice.selection.layout,
            shards=tuple(shards),
            configs=self.configs,
            alternatives=tuple(path for path in choice.selection.weights if path not in counted),
            notes=tuple(self.folder.notes),
            requests=self.source.requests,
            bytes_read=self.source.bytes_read,
        )

    def _note_failures(self, shards: Sequence[Shard]) -> None:
        failed = [shard.path for shard in shards if shard.error is not None]
        if failed:
            what = f"{len(failed)} of {number_of(len(shards), 'shard')} could not be read ({few(failed)})"
            self.folder.note("shards-failed", f"{what}: the figures are those of the others")

    def _note_broken_promises(self, shards: Sequence[Shard], choice: Choice) -> None:
        """Tensors that an index names and no shard has; not where a shard failed or an index was left aside."""
        headers = [shard.header for shard in shards if shard.header is not None]
        if len(headers) < len(shards) or choice.left_aside:
            return
        if absent := choice.promised.difference(*(header.hashes for header in headers)):
            self.folder.note("tensors-absent", f"the index names {number_of(len(absent), 'tensor')} that no shard has")

    async def _shards(self, choice: Choice) -> tuple[list[Shard], str]:
        parts = choice.parts
        jobs = [_Job(path, files.part.component) for files in parts for path in files.paths]
        jobs += [_Job(joined(files.part.folder, ""), files.part.component, config=True) for files in parts]
        # Configs first where reads go one by one: what they say decides how names are folded.
        jobs.sort(key=lambda job: not job.config)
        shards = await self._by_endpoint(choice, jobs)
        via = "endpoint" if shards is not None else self.source.via
        if shards is None:
            self.total = sum(not job.config for job in jobs)
            self.hashed = self.total > 1 or bool(choice.promised)
            shards = [shard for shard in await each(self.source, self._job, jobs) if shard is not None]
        shards += [_missing(path, files.part.component) for files in parts for path in files.missing]
        return sorted(shards, key=lambda shard: (shard.component, shard.path)), via

    async def _by_endpoint(self, choice: Choice, jobs: Sequence[_Job]) -> list[Shard] | None:
        parts, sizes = choice.parts, self.folder.sizes
        index = parts[0].part.chosen.index
        if self.reading.via == "ranges" or self.ref.scheme != "hub" or self.ref.revision not in MAIN:
            return None
        if self.reading.names or len(parts) != 1 or index is None or parts[0].missing or sizes is None:
            if self.reading.via == "endpoint":
                why = "where every name is asked for" if self.reading.names else "other than whole sharded repositories"
                message = f"the one-request endpoint gives nothing {why}: this was read by ranges"
                self.folder.note("endpoint-unused", message)
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
            headers = headers_from(bodies[0], folder, parts[0].paths, sizes, self.marks)
        except (SourceError, FormatError):
            if self.reading.via == "endpoint":
                raise
            headers = None
        if headers is None:
            return None
        return [Shard(path, sizes[path], header) for path, header in headers.items()]

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
        found = None
        for name in _CONFIGS:
            if (found := await self.folder.parsed(below + name, parse_config)) is not None:
                break
        # Where nobody has listed the files, asking for one that is seldom there would cost a request.
        listed = self.folder.sizes is not None or self.source.concurrency == 1
        beside = await self.folder.parsed(below + MODELOPT_FILE, parse_config) if listed else None
        if beside is None:
            return found
        return Config({} if found is None else found.values, beside.values)

    async def _shard(self, job: _Job) -> Shard:
        size = 0
        try:
            size = await self.folder.size(job.path)
            header = await self._header(job.path, size)
        except CkptInspectError as error:
            return Shard(job.path, size, None, _placed(error, job.path), job.component)
        return Shard(job.path, size, header, None, job.component)

    async def _header(self, path: str, size: int) -> Header:
        if self.reading.known is not None and path in self.reading.known:
            return self.reading.known[path]
        raw = await raw_header(self.source, path, size)
        header = parse_header(raw, size, apart=self.marks, hashed=self.hashed)
        if not self._keeps_names and not _need_names([header]):
            header = msgspec.structs.replace(header, raw=None)
        if (fatal := next((defect for defect in header.defects if defect.fatal), None)) is not None:
            raise LayoutError(fatal.message, path, "the file is damaged or was not fetched whole; fetch it again")
        return header

    @property
    def _keeps_names(self) -> bool:
        """Where another read costs a round trip, the names are kept until nothing more can be asked of them."""
        return self.reading.names or self.source.concurrency > 1

    async def _again(self, shards: Sequence[Shard], *, names: bool) -> list[Shard]:
        """The same shards, folded by the marks known by now, with names or without."""
        found = []
        for shard in shards:
            if shard.header is not None and shard.header.raw is not None:
                header = parse_header(shard.header.raw, shard.size, names=names, apart=self.marks, hashed=True)
            elif shard.header is not None:
                size = await self.folder.size(shard.path)
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

    async def _without_repeats(self, shards: list[Shard], choice: Choice) -> list[Shard]:
        """The shards, with the tensors set aside that another shard has too."""
        if not share_names(shards):
            return shards
        named = await self._again(shards, names=True)
        repeats = repeats_in(named, await self._weight_map(choice))
        if count := sum(len(tensors) for tensors in repeats.values()):
            message = f"{number_of(count, 'tensor')} in more than one shard: counted once"
            self.folder.note("repeated-tensors", message)
        return [msgspec.structs.replace(shard, repeated=repeats.get(shard.path, ())) for shard in named]

    async def _with_names_needed(self, shards: Sequence[Shard]) -> list[Shard]:
        """The shards with the names that were asked for, or that tell modules apart; with no others."""
        found = []
        for component in dict.fromkeys(shard.component for shard in shards):
            own = [shard for shard in shards if shard.component == component]
            if self.reading.names or _need_names([shard.header for shard in own if shard.header is not None]):
                found += [shard if _has_names(shard) else (await self._again([shard], names=True))[0] for shard in own]
            else:
                found += [_without_names(shard) for shard in own]
        return found

    def _disjoint(self, shards: Sequence[Shard]) -> list[Shard]:
        kept = disjoint(shards)
        if len(kept) > 1:
            message = f"{len(kept)} files without an index and with no tensor in common are counted together"
            self.folder.note("no-index", message)
        return kept

    async def _weight_map(self, choice: Choice) -> dict[str, str]:
        """The shard's path for every tensor that an index names."""
        found: dict[str, str] = {}
        for part in (files.part for files in choice.parts):
            if part.chosen.index is None:
                continue
            try:
                index = await self.folder.index(joined(part.folder, part.chosen.index))
            except CkptInspectError:
                continue
            found |= {name: joined(part.folder, shard) for name, shard in index.weight_map.items()}
        return found


def _need_names(headers: Sequence[Header]) -> bool:
    """Whether kinds alone do not tell the modules apart that are quantized, or that an adapter adapts."""
    return needs_names(headers) or holds_adapter(kind.template for header in headers for kind in header.kinds)


def _has_names(shard: Shard) -> bool:
    return shard.header is None or shard.header.raw is not None


def _without_names(shard: Shard) -> Shard:
    header = shard.header
    if header is None or header.raw is None:
        return shard
    return msgspec.structs.replace(shard, header=msgspec.structs.replace(header, raw=None))


def _placed(error: CkptInspectError, path: str) -> CkptInspectError:
    return error if error.where == path else error.at(path)


def _missing(path: str, component: str) -> Shard:
    error = NotFoundError("the shard is missing", path, "fetch it: the checkpoint is not whole without it")
    return Shard(path, 0, None, error, component)
