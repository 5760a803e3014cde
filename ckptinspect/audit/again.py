"""Checkpoints that are the same to every rule are looked at once: the steps of a training run, copies, forks.

What rules find follows from the names of the files, from the sizes of those that are more than notes, and from the
bytes that were read. So a checkpoint whose files are called like another's is read as that one was; where the bytes
are the same as well, so is what there is to find.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Self

import msgspec

from ckptinspect.audit.base import Audited, Finding
from ckptinspect.audit.choice import Chosen
from ckptinspect.audit.run import Look, Options, looked_at
from ckptinspect.errors import CkptInspectError
from ckptinspect.model import Ref
from ckptinspect.sources.base import File, Source, each

MOST = 256
"""Checkpoints that are remembered; training runs of that many models may be mixed."""
MAX_BYTES = 1_000_000
"""Bytes that were read of one that is remembered: the header of a large checkpoint takes as long to compare."""
_ALIKE = 4
_NOTES = (".json", ".jsonl", ".txt", ".md", ".jinja", ".yaml", ".yml", ".py", ".log")
"""How files end whose size no rule of ours asks for."""

_Key = tuple[str, int | None, tuple[str, ...]]


class _Read(msgspec.Struct, frozen=True, gc=False):
    """Some bytes that were read of a file."""

    path: str
    begin: int
    end: int
    data: bytes


class _Known(msgspec.Struct, frozen=True):
    """A checkpoint that was looked at: its files' sizes, those that matter, what was read of each, what was found."""

    sizes: tuple[int | None, ...]
    reads: tuple[tuple[_Read, ...], ...]
    findings: tuple[Finding, ...]


class Again:
    """Remembers what was found. For one set of options, and sources whose bytes cost nothing the second time.

    A baseline speaks of REFs, so with one every checkpoint is looked at.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._notes = _NOTES if all(map(_is_ours, options.rules)) else ()
        self._known: OrderedDict[_Key, list[_Known]] = OrderedDict()

    async def looked_at(self, source: Source, ref: Ref) -> Look:
        """As ``looked_at``, without looking at what is known. No subjects come with what is known."""
        if self._options.accepted.keys:
            return await looked_at(source, ref, self._options)
        try:
            async with source:
                files = await source.list()
                key = (ref.path, await source.claimed_parameters(), tuple(file.path for file in files))
                if (known := await self._found(source, files, key)) is not None:
                    commit = await source.commit() or ref.commit
                    return Look(Audited(ref.given, known.findings, source.requests, source.bytes_read, commit))
        except CkptInspectError:
            return await looked_at(source, ref, self._options)
        if source.concurrency == 1:
            source.bytes_read = 0
        recorder = _Recorder(source)
        look = await looked_at(recorder, ref, self._options)
        self._remember(key, files, recorder, look)
        return look

    async def _found(self, source: Source, files: Sequence[File], key: _Key) -> _Known | None:
        """The one that is remembered and the same."""
        for known in self._known.get(key, ()):
            sizes = zip(files, known.sizes, strict=True)
            if all(size in {None, file.size} for file, size in sizes) and await _reads_alike(source, known):
                self._known.move_to_end(key)
                return known
        return None

    def _remember(self, key: _Key, files: Sequence[File], recorder: "_Recorder", look: Look) -> None:
        if recorder.reads is None or not isinstance(look.result, Audited):
            return
        reads = recorder.reads
        sizes = tuple(None if self._is_note(file.path) and file.path not in reads else file.size for file in files)
        known = _Known(sizes, tuple(map(tuple, reads.values())), look.result.findings)
        self._known[key] = [known, *self._known.get(key, ())][:_ALIKE]
        if len(self._known) > MOST // _ALIKE:
            self._known.popitem(last=False)

    def _is_note(self, path: str) -> bool:
        return path.endswith(self._notes) if self._notes else False


def _is_ours(chosen: Chosen) -> bool:
    """Whether a rule is one of which it is known what it looks at."""
    return type(chosen.rule).__module__.startswith("ckptinspect.")


async def _reads_alike(source: Source, known: _Known) -> bool:
    """Whether the bytes that were read then are the same now."""

    async def alike(reads: Sequence[_Read]) -> bool:
        for read in reads:
            if await source.read(read.path, read.begin, read.end) != read.data:
                return False
        return True

    try:
        return all(await each(source, alike, known.reads))
    except CkptInspectError:
        return False


class _Recorder(Source):
    """A source, with everything that is read of it written down; nothing where that is too much, or a read failed."""

    def __init__(self, inner: Source) -> None:
        self.via = inner.via
        self.concurrency = inner.concurrency
        self.first_read = inner.first_read
        self.reads: dict[str, list[_Read]] | None = {}
        self._inner = inner
        self._room = MAX_BYTES

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._inner.__aexit__(*failure)

    async def list(self) -> tuple[File, ...]:
        return await self._inner.list()

    async def commit(self) -> str | None:
        return await self._inner.commit()

    async def claimed_parameters(self) -> int | None:
        return await self._inner.claimed_parameters()

    async def size(self, path: str) -> int:
        return await self._inner.size(path)

    async def read(self, path: str, begin: int, end: int) -> bytes:
        try:
            data = await self._inner.read(path, begin, end)
        except CkptInspectError:
            self.reads = None
            raise
        finally:
            self.requests, self.bytes_read = self._inner.requests, self._inner.bytes_read
        self._room -= len(data)
        if self.reads is not None and self._room >= 0:
            self.reads.setdefault(path, []).append(_Read(path, begin, end, data))
        else:
            self.reads = None
        return data
