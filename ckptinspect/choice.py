"""Which files to read of what a REF names: listings, indexes and a pipeline's own lists -> files by part."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ckptinspect.config import pipeline_components, sentence_modules
from ckptinspect.errors import FormatError, NotFoundError
from ckptinspect.folder import Folder
from ckptinspect.index import Index
from ckptinspect.model import Ref
from ckptinspect.selection import Part, PartFiles, Selection, joined, needs_index, resolve, select, single
from ckptinspect.selection import without_weights as components_without_weights
from ckptinspect.sources.base import File, is_hidden

_INDEX_READ_ANYWAY = 1_000_000


class Choice(msgspec.Struct, frozen=True):
    """The files to read. ``promised`` are hashes of the tensors' names that indexes name, to be held against the
    shards; ``left_aside`` are indexes that could not be followed.
    """

    selection: Selection
    parts: tuple[PartFiles, ...]
    promised: frozenset[int] = frozenset()
    left_aside: frozenset[str] = frozenset()


async def choose(folder: Folder, ref: Ref) -> Choice:
    """The files to read of what ``ref`` names. Raises NotFoundError or IndexMismatchError where there are none."""
    return await _Choosing(folder, ref).choice()


class _Listed(NamedTuple):
    """What a folder holds, and what its own lists say of it."""

    files: Sequence[File] = ()
    folder: str = ""
    pipeline: Sequence[str] = ()
    modules: Sequence[str] = ()


class _Choosing:
    def __init__(self, folder: Folder, ref: Ref) -> None:
        self.folder = folder
        self.ref = ref
        self.listed = _Listed()
        self.left_aside: set[str] = set()
        self.promised: set[int] = set()

    async def choice(self) -> Choice:
        selection = await self._selection()
        parts = await self._parts(selection)
        while parts is None:
            # An index was left aside: what is there without it?
            selection = self._selected()
            parts = await self._parts(selection)
        return Choice(selection, tuple(parts), frozenset(self.promised), frozenset(self.left_aside))

    async def _selection(self) -> Selection:
        if self.ref.scheme == "local" and self.ref.path:
            # One file was named; what else lies in its folder, which may be huge, does not matter.
            return single(self.ref.path)
        files = [file for file in await self.folder.source.list() if not is_hidden(file.path, self.ref.path)]
        self.folder.listed(files)
        if any(file.path == self.ref.path for file in files):
            return single(self.ref.path)
        folder = self.ref.path.rstrip("/")
        pipeline = await self.folder.parsed(joined(folder, "model_index.json"), pipeline_components)
        modules = await self.folder.parsed(joined(folder, "modules.json"), sentence_modules)
        for component in components_without_weights(files, folder, pipeline or ()):
            message = f"the component {component} has no safetensors file: it is not counted"
            self.folder.note("component-without-weights", message)
        self.listed = _Listed(files, folder, pipeline or (), modules or ())
        return self._selected()

    def _selected(self) -> Selection:
        files, folder, pipeline, modules = self.listed
        return select((file for file in files if file.path not in self.left_aside), folder, pipeline, modules)

    async def _parts(self, selection: Selection) -> list[PartFiles] | None:
        """The files of each part; None where an index cannot be followed, so that all has to be looked at anew."""
        parts = []
        for part in selection.parts:
            index: Index | None = None
            try:
                index = await self._index(part, selection)
                names = index.shards if index is not None else ()
                present = await self.folder.present(joined(part.folder, name) for name in names)
                parts.append(resolve(part, index, present))
            except FormatError as error:
                self._leave_aside(part, index, error)
                return None
            self.promised.update(map(hash, index.weight_map if index is not None else ()))
        return parts

    async def _index(self, part: Part, selection: Selection) -> Index | None:
        """The index of a part where it decides, or where it is small enough to have a look at."""
        if part.chosen.index is None:
            return None
        path = joined(part.folder, part.chosen.index)
        cheap = self.folder.source.concurrency == 1 and await self.folder.size(path) <= _INDEX_READ_ANYWAY
        if not cheap and not needs_index(part, selection.weights):
            return None
        return await self.folder.index(path)

    def _leave_aside(self, part: Part, index: Index | None, error: FormatError) -> None:
        """Leave an index out of what there is. Raises what is wrong with it where nothing is left to read."""
        path = joined(part.folder, part.chosen.index or "")
        self.left_aside.add(path)
        try:
            if not self.listed.files:
                raise error
            self._selected()
        except NotFoundError:
            raise error from None
        code = "index-unreadable" if index is None else "index-stale"
        self.folder.note(code, f"{path} was left aside: {error.what}")
