"""An index against the shards that it names: by the hashes of their names at first, by the names where those differ."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import msgspec

from ckptinspect.index import Index, unsafe
from ckptinspect.selection import joined

if TYPE_CHECKING:
    from ckptinspect.audit.subject import WeightFile


class Indexed(msgspec.Struct, frozen=True):
    """What an index says and what there is.

    ``present`` and ``missing`` are the paths of the shards that it names; ``absent`` tensors that it names and
    no shard has; ``misplaced`` tensors that stand in another shard than it says, as (name, said, found);
    ``unindexed`` tensors of its shards that it does not name, as (shard, name).
    """

    path: str
    index: Index
    present: tuple[str, ...]
    missing: tuple[str, ...]
    absent: tuple[str, ...] = ()
    misplaced: tuple[tuple[str, str, str], ...] = ()
    unindexed: tuple[tuple[str, str], ...] = ()

    @property
    def stale(self) -> bool:
        """Whether nothing is there of what it names."""
        return not self.present and bool(self.missing)

    @property
    def folder(self) -> str:
        """The folder that it lies in."""
        return self.path.rpartition("/")[0]


def compared(path: str, index: Index, files: AbstractSet[str], weights: "Mapping[str, WeightFile]") -> Indexed:
    """An index against the files that there are, and against those that were read. Names that lead elsewhere are
    left out.
    """
    folder = path.rpartition("/")[0]
    shards = {name: joined(folder, name) for name in index.shards if unsafe(name) is None}
    present = tuple(sorted(where for where in shards.values() if where in files))
    missing = tuple(sorted(where for where in shards.values() if where not in files))
    read = {where: weights[where] for where in present if _names_known(weights.get(where))}
    said = _by_shard(index, shards)
    if all(said.get(where, set()) == set(_hashes(file)) for where, file in read.items()):
        return Indexed(path, index, present, missing)
    return Indexed(path, index, present, missing, *_differences(index, shards, read, set(present) - set(read)))


def _names_known(file: "WeightFile | None") -> bool:
    return file is not None and file.header is not None and file.header.raw is not None


def _hashes(file: "WeightFile") -> "Iterator[int]":
    assert file.header is not None
    return iter(file.header.hashes)


def _by_shard(index: Index, shards: Mapping[str, str]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {where: set() for where in shards.values()}
    for name, shard in index.weight_map.items():
        if shard in shards:
            found[shards[shard]].add(hash(name))
    return found


_Differences = tuple[tuple[str, ...], tuple[tuple[str, str, str], ...], tuple[tuple[str, str], ...]]


def _differences(
    index: Index, shards: Mapping[str, str], read: "Mapping[str, WeightFile]", unread: set[str]
) -> _Differences:
    """What is absent, misplaced and not indexed. Of a shard that could not be read nothing is said."""
    places: dict[str, list[str]] = {}
    for where, file in read.items():
        assert file.header is not None
        for tensor in file.header.tensors:
            places.setdefault(tensor.name, []).append(where)
    absent: list[str] = []
    misplaced: list[tuple[str, str, str]] = []
    for name, shard in index.weight_map.items():
        said = shards.get(shard)
        if said is None or said in places.get(name, ()):
            continue
        if name in places:
            misplaced.append((name, said, places[name][0]))
        elif said in read and not unread:
            absent.append(name)
    unindexed = [(where[0], name) for name, where in places.items() if name not in index.weight_map]
    return tuple(sorted(absent)), tuple(sorted(misplaced)), tuple(sorted(unindexed))
