"""Checkpoints that are the same to every rule are looked at once: the steps of a training run, copies, forks.

What rules find follows from the names of the files, from the sizes of those that are more than notes, and from the
bytes that were read. So a checkpoint whose files are called like another's, and are as large, is read as that one was;
where the bytes are the same as well, so is what there is to find.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Self

import msgspec

from ckptinspect.audit.base import Audited, Finding
from ckptinspect.audit.baseline import Baseline
from ckptinspect.audit.choice import Chosen
from ckptinspect.audit.pickles import is_training_state
from ckptinspect.audit.read import is_read
from ckptinspect.audit.run import Look, Options, looked_at
from ckptinspect.errors import CkptInspectError
from ckptinspect.model import Ref
from ckptinspect.sources.base import File, Source, each

MOST = 2_048
"""Looks of other names or sizes that are remembered."""
MAX_FINDINGS = 200
"""Findings of one that is remembered."""
_ALIKE = 8
"""Looks that are remembered of the same names and sizes: models whose config alone differs."""
_NOTES = (".json", ".jsonl", ".txt", ".md", ".jinja", ".yaml", ".yml", ".py", ".log")
"""How files end whose size no rule of ours asks for."""


_Spans = tuple[tuple[int, int], ...]


class _Shape(NamedTuple):
    """What is known of a checkpoint before anything of it is read.

    ``sizes`` are None for notes; ``digests`` tell which files have the same content, for a rule of ours by the place
    of the first of them.
    """

    scheme: str
    path: str
    claimed: int | None
    names: tuple[str, ...]
    sizes: tuple[int | None, ...]
    digests: tuple[object, ...]


class _Read(msgspec.Struct, frozen=True, gc=False):
    """What was read of a file: which bytes, in their order, and the hash of all of them."""

    path: str
    spans: _Spans
    digest: bytes


class _Known(msgspec.Struct, frozen=True):
    """A checkpoint that was looked at: what was read of it, and what was found."""

    reads: tuple[_Read, ...]
    findings: tuple[Finding, ...]


class Again:
    """Remembers what was found. For one set of options, and sources whose bytes cost nothing the second time."""

    def __init__(self, options: Options) -> None:
        # A baseline speaks of REFs: what it accepts is left out of what is remembered of all that are alike.
        self._accepted = options.accepted
        self._options = msgspec.structs.replace(options, accepted=Baseline())
        self._ours = all(map(_is_ours, options.rules))
        self._known: OrderedDict[_Shape, list[_Known]] = OrderedDict()

    async def looked_at(self, source: Source, ref: Ref) -> Look:
        """As ``looked_at``, without looking at what is known. No subjects come with what is known."""
        look = await self._looked_at(source, ref)
        if not self._accepted.keys or not isinstance(look.result, Audited):
            return look
        return look._replace(result=self._accepted.applied(look.result))

    async def _looked_at(self, source: Source, ref: Ref) -> Look:
        try:
            async with source:
                shape = self._shape(ref, await source.claimed_parameters(), await source.list())
                if (known := await self._found(source, shape)) is not None:
                    commit = await source.commit() or ref.commit
                    return Look(Audited(ref.given, known.findings, source.requests, source.bytes_read, commit))
        except CkptInspectError:
            return await looked_at(source, ref, self._options)
        if source.concurrency == 1:
            source.bytes_read = 0
        recorder = _Recorder(source)
        look = await looked_at(recorder, ref, self._options)
        self._remember(shape, recorder, look)
        return look

    def _shape(self, ref: Ref, claimed: int | None, files: Sequence[File]) -> _Shape:
        names = tuple(file.path for file in files)
        sizes = tuple(None if self._is_note(file.path) else file.size for file in files)
        return _Shape(ref.scheme, ref.path, claimed, names, sizes, self._digests(files))

    def _is_note(self, path: str) -> bool:
        return self._ours and is_note(path)

    def _digests(self, files: Sequence[File]) -> tuple[object, ...]:
        digests = tuple(file.digest for file in files)
        if not self._ours:
            return digests
        first: dict[str, int] = {}
        return tuple(digest and first.setdefault(digest, place) for place, digest in enumerate(digests))

    async def _found(self, source: Source, shape: _Shape) -> _Known | None:
        """The one that is remembered and the same."""
        reader = _Reader(source)
        for known in self._known.get(shape, ()):
            if await reader.reads_alike(known.reads):
                self._known.move_to_end(shape)
                return known
        return None

    def _remember(self, shape: _Shape, recorder: "_Recorder", look: Look) -> None:
        found = look.result
        if recorder.failed or not isinstance(found, Audited) or len(found.findings) > MAX_FINDINGS:
            return
        known = _Known(tuple(recorder.reads()), found.findings)
        self._known[shape] = [known, *self._known.get(shape, ())][:_ALIKE]
        if len(self._known) > MOST:
            self._known.popitem(last=False)


@lru_cache(4_096)
def is_note(path: str) -> bool:
    """Whether a file is one of those that only people read: no rule of ours asks how large it is.

    >>> is_note("README.md"), is_note("config.json"), is_note("trainer_state.json"), is_note("model.safetensors")
    (True, False, True, False)
    """
    return path.endswith(_NOTES) and not is_read(path) and not is_training_state(path)


def _is_ours(chosen: Chosen) -> bool:
    """Whether a rule is one of which it is known what it looks at."""
    return type(chosen.rule).__module__.startswith("ckptinspect.")


class _Reader:
    """Reads a source as others were read, what they had in common once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._digests: dict[tuple[str, _Spans], bytes] = {}

    async def reads_alike(self, reads: Sequence[_Read]) -> bool:
        """Whether the bytes that were read then are the same now."""
        try:
            if self._source.concurrency > 1:
                return all(await each(self._source, self._alike, reads))
            for read in reads:
                if not await self._alike(read):
                    return False
        except CkptInspectError:
            return False
        return True

    async def _alike(self, read: _Read) -> bool:
        digest = self._digests.get((read.path, read.spans))
        if digest is None:
            content = hashlib.sha256()
            for begin, end in read.spans:
                content.update(await self._source.read(read.path, begin, end))
            digest = self._digests[read.path, read.spans] = content.digest()
        return digest == read.digest


class _Recorder(Source):
    """A source, with everything that is read of it noted; ``failed`` says that a read did."""

    def __init__(self, inner: Source) -> None:
        self.via = inner.via
        self.concurrency = inner.concurrency
        self.first_read = inner.first_read
        self.failed = False
        self._inner = inner
        self._spans: dict[str, list[tuple[int, int]]] = {}
        self._digests: dict[str, Any] = {}

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
            self.failed = True
            raise
        finally:
            self.requests, self.bytes_read = self._inner.requests, self._inner.bytes_read
        self._note(path, begin, end, data)
        return data

    def _note(self, path: str, begin: int, end: int, data: bytes) -> None:
        spans = self._spans.setdefault(path, [])
        if spans and spans[-1][1] == begin:
            # One read of both gives the same bytes, and costs one.
            spans[-1] = spans[-1][0], end
        else:
            spans.append((begin, end))
        self._digests.setdefault(path, hashlib.sha256()).update(data)

    def reads(self) -> Iterable[_Read]:
        """What was read, file by file."""
        for path, spans in self._spans.items():
            yield _Read(path, tuple(spans), self._digests[path].digest())
