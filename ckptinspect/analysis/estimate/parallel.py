"""Weights on several devices: tensor, pipeline and expert parallelism, as Megatron-LM and vLLM divide them.

Tensor parallelism divides matrices and embeddings and repeats vectors and routers; pipeline parallelism gives each
device consecutive layers; expert parallelism gives each device whole experts.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.estimate.amount import Amount
from ckptinspect.analysis.estimate.stacks import Stack
from ckptinspect.analysis.estimate.subject import Subject
from ckptinspect.naming.roles import Role

T = TypeVar("T")

_REPEATED = frozenset({Role.ROUTER, Role.NORM, Role.BUFFER, Role.SCALE})
# Latent attention's way down is the same for all heads; so is the indexer.
_DOWN = frozenset({"q_a_proj", "kv_a_proj_with_mqa", "wq_a", "wkv_a", "wkv_a_with_mqa"})
_KEYS = frozenset({"k_proj", "v_proj", "key", "value", "wk", "wv", "k", "v"})
_LAST = frozenset({"lm_head", "head", "mtp"})


class Load(msgspec.Struct):
    """What one stage of a pipeline holds, by how it can be divided further; in bytes."""

    divided: int = 0
    keys: int = 0
    experts: int = 0
    repeated: int = 0


class Ways(msgspec.Struct, frozen=True):
    """Over how many devices each part is divided."""

    tensor: int
    expert: int
    heads: int | None
    experts: int | None


def stage_layers(layers: Sequence[T], stages: int) -> list[Sequence[T]]:
    """Consecutive layers for each stage, the first ones with one more where they do not divide evenly.

    >>> stage_layers([0, 1, 2, 3, 4], 2)
    [[0, 1, 2], [3, 4]]
    """
    stages = min(stages, len(layers)) or 1
    each, more = divmod(len(layers), stages)
    starts = [number * each + min(number, more) for number in range(stages + 1)]
    return [layers[begin:end] for begin, end in pairwise(starts)]


def loads(subject: Subject, weigh: Callable[[Row], int]) -> list[Load]:
    """What each stage holds. ``weigh`` gives the bytes of one tensor of a row."""
    decoder = subject.language.decoder
    stage_of = _stages(decoder, subject.asked.pipeline)
    last = max(stage_of.values(), default=0)
    found = [Load() for _ in range(last + 1)]
    head = subject.counted.tied_head
    tied = head.tied_to if head is not None and not head.stored else None
    prefix = f"{decoder.path}." if decoder is not None and decoder.path else ""
    for tensor, row in subject.rows:
        place = row.place
        inside = place.layer is not None and place.module == "model" and tensor.name.startswith(prefix)
        at = stage_of.get(place.layer or 0, 0) if inside else last if _is_last(row, tensor.name) else 0
        _put(found[at], row, weigh(row))
        if tensor.name == tied and last:
            # The head at the other end of the pipeline is the same weight: it needs a copy there.
            _put(found[last], row, weigh(row))
    return found


def on_device(load: Load, ways: Ways) -> Amount:
    """The bytes of a stage on each of the devices that share it."""
    tensor = Amount.of(ways.tensor, "tp")
    amount = Amount.of(load.divided, "divided").share(tensor)
    if load.keys:
        amount += _keys(load.keys, ways)
    if load.experts:
        amount += _experts(load.experts, ways)
    return amount + Amount.of(load.repeated, "repeated")


def _keys(nbytes: int, ways: Ways) -> Amount:
    """The weights of keys and values, by whole heads: a device of three has three of eight."""
    weights, most = Amount.of(nbytes, "kv_weights"), min(ways.tensor, ways.heads or ways.tensor)
    if not ways.heads or ways.heads % most == 0:
        return weights.share(Amount.of(most, "kv_ways"))
    return weights * Amount.of(-(-ways.heads // most), "heads_each") // Amount.of(ways.heads, "kv_heads")


def _experts(nbytes: int, ways: Ways) -> Amount:
    experts = Amount.of(nbytes, "experts")
    if ways.expert == 1:
        return experts.share(Amount.of(ways.tensor, "tp"))
    if ways.experts is None or nbytes % ways.experts:
        return experts.share(Amount.of(ways.expert, "ep"))
    here = -(-ways.experts // ways.expert)
    return experts // Amount.of(ways.experts, "experts_all") * Amount.of(here, "experts_here")


def _stages(decoder: Stack | None, stages: int) -> dict[int, int]:
    if decoder is None:
        return {}
    parts = stage_layers([layer.index for layer in decoder.layers], stages)
    return {index: number for number, part in enumerate(parts) for index in part}


def _is_last(row: Row, name: str) -> bool:
    """Whether a tensor outside of the layers comes behind them: the head, the last norm."""
    if row.place.module in _LAST:
        return True
    return (
        row.place.module == "model" and row.place.layer is None and row.place.role == Role.NORM and "embed" not in name
    )


def _put(load: Load, row: Row, nbytes: int) -> None:
    words = row.place.path.split(".")
    if row.place.role == Role.EXPERT:
        load.experts += nbytes
    elif row.kind.rank < 2 or row.place.role in _REPEATED or not _DOWN.isdisjoint(words) or "indexer" in words:
        load.repeated += nbytes
    elif row.place.role == Role.ATTENTION and words[-1] in _KEYS:
        load.keys += nbytes
    else:
        load.divided += nbytes
