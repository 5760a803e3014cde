"""What a rule sees: everything that was read of one checkpoint, and what follows from it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import msgspec

from ckptinspect.analysis.count import Count, Row, count
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.audit.indexed import Indexed, compared
from ckptinspect.audit.layers import Stack, stacks_of
from ckptinspect.dtypes import Family
from ckptinspect.errors import CkptInspectError
from ckptinspect.index import Index
from ckptinspect.model import Checkpoint, Config, Defect, Header, Kind, Ref, Shard, Tally
from ckptinspect.quant.leaves import by_module
from ckptinspect.selection import SUFFIX, WeightSet, joined, sets_in
from ckptinspect.sources.base import File

# What is wrong with the end of a file says nothing against its header.
_HARMLESS = frozenset({"truncated", "trailing-bytes"})


class WeightFile(msgspec.Struct, frozen=True):
    """One safetensors file: its header, or why there is none.

    ``beginning`` are the first bytes of a file whose header could not be read.
    """

    path: str
    size: int
    header: Header | None
    error: CkptInspectError | None = None
    beginning: bytes = b""

    @property
    def defects(self) -> tuple[Defect, ...]:
        """What the header's reader noticed."""
        return self.header.defects if self.header is not None else ()

    @property
    def sound(self) -> bool:
        """Whether the header's figures can be reckoned with: all is where it says, as far as the file goes."""
        return self.header is not None and not any(d.fatal and d.kind not in _HARMLESS for d in self.defects)

    @property
    def tensor_bytes(self) -> int:
        """The bytes that its tensors take by the header."""
        return sum(kind.nbytes * kind.count for kind in self.header.kinds) if self.header is not None else 0


class IndexFile(msgspec.Struct, frozen=True):
    """One index: what it says, wherever its names lead, or why nothing of it is known."""

    path: str
    size: int
    index: Index | None
    error: CkptInspectError | None = None

    @property
    def folder(self) -> str:
        """The folder that its shards lie in."""
        return self.path.rpartition("/")[0]


class Hashed(msgspec.Struct, frozen=True):
    """A file's content against the Hub's: two SHA-256 in hexadecimal."""

    expected: str
    actual: str


class Component(msgspec.Struct, frozen=True, dict=True):
    """One part of a checkpoint, of a pipeline or the only one: its config, its shards, its tensors counted.

    ``config_path`` is where its config stands, None where it has none.
    """

    name: str
    config: Config
    config_path: str | None
    shards: tuple[Shard, ...]
    rows: tuple[Row, ...]

    @cached_property
    def modules(self) -> Mapping[str, Mapping[str, Sequence[Kind]]]:
        """The tensors by the module that they belong to and by what follows its path, modules alike folded into one.

        What another shard is counted for is left out.
        """
        return by_module(r.kind for r in self.rows if r.meaning is not Meaning.REPEATED and r.kind.example)

    @cached_property
    def floats(self) -> Mapping[str, Tally]:
        """What the parameters of each floating-point dtype amount to."""
        found: dict[str, Tally] = {}
        for row in self.rows:
            if row.meaning is Meaning.PARAMETER and row.kind.dtype.family is Family.FLOAT:
                code = row.kind.dtype.code
                found[code] = found.get(code, Tally()) + row.tally
        return found

    @cached_property
    def stacks(self) -> tuple[Stack, ...]:
        """Every stack of layers, as far as the config leaves any doubt."""
        return tuple(stacks_of(self.rows, self.shards, self.config))

    @property
    def where(self) -> str | None:
        """The file that a finding about all of it belongs to."""
        if self.config_path is not None:
            return self.config_path
        return self.shards[0].path if len(self.shards) == 1 else None


class Subject(msgspec.Struct, frozen=True, dict=True):
    """One checkpoint to be audited.

    ``files`` are all files below ``folder`` with their sizes, ``weights`` every safetensors file among them,
    ``indexes`` every index. ``configs`` are the configs by their path, ``unread`` the small files that could not
    be read. ``checkpoint`` is what a loader would take of it, None where that cannot be told (``problem`` says
    why). ``base`` is the model that an adapter is for, ``hub_parameters`` what the Hub counts, ``hashes`` the
    contents that were compared, where those were asked for.
    """

    ref: Ref
    folder: str
    files: tuple[File, ...]
    weights: tuple[WeightFile, ...]
    indexes: tuple[IndexFile, ...]
    configs: Mapping[str, Config]
    unread: Mapping[str, CkptInspectError]
    checkpoint: Checkpoint | None = None
    problem: CkptInspectError | None = None
    base: Checkpoint | None = None
    hub_parameters: int | None = None
    hashes: Mapping[str, Hashed] | None = None

    @property
    def alone(self) -> bool:
        """Whether one file was named, so that nothing is known of what lies beside it."""
        return self.ref.path.endswith(SUFFIX)

    @cached_property
    def weight(self) -> Mapping[str, WeightFile]:
        """The safetensors files by path."""
        return {weight.path: weight for weight in self.weights}

    @cached_property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        """The names of the files in each folder."""
        found: dict[str, list[str]] = {}
        for file in self.files:
            folder, _, name = file.path.rpartition("/")
            found.setdefault(folder, []).append(name)
        return {folder: tuple(names) for folder, names in found.items()}

    @cached_property
    def sets(self) -> Mapping[str, tuple[WeightSet, ...]]:
        """The weight sets in each folder, the one that a loader takes first; none where one file was named."""
        if self.alone:
            return {}
        return {folder: tuple(sets) for folder, names in self.names.items() if (sets := sets_in(names))}

    @cached_property
    def indexed(self) -> tuple[Indexed, ...]:
        """Every index that could be read, against the shards that it names."""
        paths = {file.path for file in self.files}
        return tuple(
            compared(file.path, file.index, paths, self.weight) for file in self.indexes if file.index is not None
        )

    @cached_property
    def counted(self) -> Count | None:
        """The count, where there is anything to count."""
        shards = self.checkpoint.shards if self.checkpoint is not None else ()
        if self.checkpoint is None or all(shard.header is None for shard in shards):
            return None
        return count(self.checkpoint)

    @cached_property
    def taken(self) -> frozenset[str]:
        """The safetensors files that a loader takes."""
        return frozenset(shard.path for shard in self.checkpoint.shards) if self.checkpoint is not None else frozenset()

    @cached_property
    def whole(self) -> bool:
        """Whether all that a loader takes is there and was read: only then does an absence mean anything."""
        if self.checkpoint is None or not self.checkpoint.shards:
            return False
        if any(shard.header is None or _cut(shard.header) for shard in self.checkpoint.shards):
            return False
        if any(found.missing or found.absent for found in self.indexed):
            return False
        if self.alone:
            (found,) = sets_in([self.ref.path.rpartition("/")[2]])
            return found.total <= 1
        return not any(
            found.missing for folder in self.sets for found in self.sets[folder] if self._takes(folder, found)
        )

    def _takes(self, folder: str, found: WeightSet) -> bool:
        return any(joined(folder, name) in self.taken for name in found.files)

    @cached_property
    def components(self) -> tuple[Component, ...]:
        """The parts of the checkpoint, in the order of their names."""
        return tuple(self._components())

    def _components(self) -> Iterator[Component]:
        if self.checkpoint is None or self.counted is None:
            return
        for name in sorted({shard.component for shard in self.checkpoint.shards}):
            shards = tuple(shard for shard in self.checkpoint.shards if shard.component == name)
            rows = tuple(row for row in self.counted.rows if row.component == name)
            folder = shards[0].path.rpartition("/")[0]
            paths = (joined(folder, file) for file in CONFIGS)
            path = next((path for path in paths if path in self.configs), None)
            yield Component(name, self.checkpoint.configs.get(name) or Config(), path, shards, rows)


CONFIGS = ("config.json", "adapter_config.json", "params.json")


def _cut(header: Header) -> bool:
    """Whether the reader gave up keeping its tensors apart."""
    return any(defect.kind == "too-many-kinds" for defect in header.defects)
