"""Checkpoints that are the same to every rule are looked at once: the steps of a training run, copies, forks.

What rules find follows from the names of the files, from the sizes of those that are more than notes, and from the
bytes that were read. So a checkpoint whose files are called like another's is read as that one was; where the bytes
are the same as well, so is what there is to find.
"""

from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from ckptinspect.audit.base import Audited, Finding
from ckptinspect.audit.choice import Chosen
from ckptinspect.audit.run import Look, Options, looked_at
from ckptinspect.errors import CkptInspectError
from ckptinspect.model import Ref
from ckptinspect.sources.base import File, Source

MOST = 256
"""Checkpoints that are remembered; training runs of that many models may be mixed."""
MAX_BYTES = 1_000_000
"""Bytes that were read of one that is remembered: the header of a large checkpoint takes as long to compare."""
_ALIKE = 4
_NOTES = (".json", ".jsonl", ".txt", ".md", ".jinja", ".yaml", ".yml", ".py", ".log")
"""How files end whose size no rule of ours asks for."""

_Key = tuple[str, tuple[str, ...]]


class _Read(msgspec.Struct, frozen=True, gc=False):
    """Some bytes that were read of a file."""

    path: str
    begin: int
    end: int
    data: bytes


class _Known(msgspec.Struct, frozen=True):
    """A checkpoint that was looked at: its files' sizes, those that matter, what was read, and what was found."""

    sizes: tuple[int | None, ...]
    reads: tuple[_Read, ...]
    findings: tuple[Finding, ...]


class Again:
    """Remembers what was found. For sources whose reads cost nothing, and one set of options.

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
                key = (ref.path, tuple(file.path for file in files))
                if await self._is_known(source, files, key):
                    findings = self._known[key][0].findings
                    return Look(Audited(ref.given, findings, source.requests, source.bytes_read, ref.commit))
        except CkptInspectError:
            return await looked_at(source, ref, self._options)
        source.requests = source.bytes_read = 0
        recorder = _Recorder(source, files)
        look = await looked_at(recorder, ref, self._options)
        self._remember(key, files, recorder, look)
        return look

    async def _is_known(self, source: Source, files: Sequence[File], key: _Key) -> bool:
        """Whether one that is remembered is the same; if so, it is the first of its key from now on."""
        for known in self._known.get(key, ()):
            if await self._is_same(source, files, known):
                alike = self._known[key]
                alike.insert(0, alike.pop(next(at for at, each in enumerate(alike) if each is known)))
                self._known.move_to_end(key)
                return True
        return False

    async def _is_same(self, source: Source, files: Sequence[File], known: _Known) -> bool:
        if any(size not in {None, file.size} for file, size in zip(files, known.sizes, strict=True)):
            return False
        try:
            for read in known.reads:
                if await source.read(read.path, read.begin, read.end) != read.data:
                    return False
        except CkptInspectError:
            return False
        return True

    def _remember(self, key: _Key, files: Sequence[File], recorder: "_Recorder", look: Look) -> None:
        if recorder.reads is None or not isinstance(look.result, Audited):
            return
        read = {read.path for read in recorder.reads}
        sizes = tuple(None if self._is_note(file.path) and file.path not in read else file.size for file in files)
        known = _Known(sizes, tuple(recorder.reads), look.result.findings)
        self._known[key] = [known, *self._known.get(key, ())][:_ALIKE]
        if len(self._known) > MOST // _ALIKE:
            self._known.popitem(last=False)

    def _is_note(self, path: str) -> bool:
        return path.endswith(self._notes) if self._notes else False


def _is_ours(chosen: Chosen) -> bool:
    """Whether a rule is one of which it is known what it looks at."""
    return type(chosen.rule).__module__.startswith("ckptinspect.")


class _Recorder(Source):
    """A source, with everything that is read of it written down; nothing where that is too much, or a read failed."""

    def __init__(self, inner: Source, files: tuple[File, ...]) -> None:
        self.via = inner.via
        self.reads: list[_Read] | None = []
        self._inner = inner
        self._files = files
        self._room = MAX_BYTES

    async def list(self) -> tuple[File, ...]:
        return self._files

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
            self.reads.append(_Read(path, begin, end, data))
        else:
            self.reads = None
        return data
