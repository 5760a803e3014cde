"""Tensors that stand in more than one shard: which copy counts, and which is set aside.

A loader that follows the index reads the copy that the index names; one that reads every file lets the last
win. Shards of torch's distributed checkpoints (DCP) hold slices of one tensor under one name: those differ in
their offsets, and only a slice that is there twice is a repeat (``torch/distributed/checkpoint/_hf_utils.py``).
"""

from collections.abc import Mapping, Sequence

import msgspec

from ckptinspect.model import Header, Shard, Tensor

_SHARDING = "DCP_SHARDING_INFO"
_Place = tuple[str, str, tuple[int, ...]]


class _Slice(msgspec.Struct):
    saved_offsets: tuple[int, ...] = ()


_slices = msgspec.json.Decoder(dict[str, _Slice])


def share_names(shards: Sequence[Shard]) -> bool:
    """Whether any two shards of one component have a name in common."""
    found: dict[str, set[int]] = {}
    for shard in shards:
        if shard.header is None:
            continue
        names = found.setdefault(shard.component, set())
        before = len(names)
        names.update(shard.header.hashes)
        if len(names) - before < len(shard.header.hashes):
            return True
    return False


def disjoint(shards: Sequence[Shard]) -> list[Shard]:
    """Of files whose names do not say whether they are parts or alternatives, those that have no tensor's name
    in common: the largest first, so that what is left out is the smaller.
    """
    kept: list[Shard] = []
    found: set[int] = set()
    for shard in sorted(shards, key=lambda shard: (-shard.size, shard.path)):
        names = shard.header.hashes if shard.header is not None else ()
        if found.isdisjoint(names):
            found.update(names)
            kept.append(shard)
    return sorted(kept, key=lambda shard: shard.path)


def repeats_in(shards: Sequence[Shard], weight_map: Mapping[str, str]) -> dict[str, tuple[Tensor, ...]]:
    """For each shard's path, its tensors that another shard is counted for.

    ``shards`` have their names; ``weight_map`` gives the path of the shard that the index names for a tensor,
    and may be empty.
    """
    counted: dict[_Place, str] = {}
    for shard, tensor, place in _tensors(shards):
        if place not in counted or weight_map.get(tensor.name) != counted[place]:
            counted[place] = shard.path
    found: dict[str, list[Tensor]] = {}
    for shard, tensor, place in _tensors(shards):
        if counted[place] != shard.path:
            found.setdefault(shard.path, []).append(tensor)
    return {path: tuple(tensors) for path, tensors in found.items()}


def _tensors(shards: Sequence[Shard]) -> "list[tuple[Shard, Tensor, _Place]]":
    return [
        (shard, tensor, (shard.component, tensor.name, offsets.get(tensor.name, ())))
        for shard in shards
        if shard.header is not None
        for offsets in [_offsets(shard.header)]
        for tensor in shard.header.tensors
    ]


def _offsets(header: Header) -> dict[str, tuple[int, ...]]:
    """Where each tensor's slice begins in the whole, in a shard of a distributed checkpoint."""
    try:
        slices = _slices.decode(header.metadata.get(_SHARDING, "{}"))
    except (msgspec.MsgspecError, RecursionError):
        return {}
    return {name: piece.saved_offsets for name, piece in slices.items()}
