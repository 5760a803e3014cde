"""Stacks of layers: which numbers they have, and which are missing between them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.model import Config, Shard

_SMALLEST = 4
_LAYER = re.compile(
    r"(?P<prefix>(?:[\w-]+\.)*?(?:layers|h|blocks|layer|block|resblocks|transformer_blocks|single_transformer_blocks"
    r"|double_blocks|single_blocks|joint_blocks))\.(?P<number>\d{1,6})\.(?P<rest>.+)"
)
_LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
_TEXT = ("text_config", "llm_config", "language_config")
# Model types that run a stored layer more than once (transformers).
_SHARED = frozenset({"albert", "zamba", "zamba2", "universal_transformer", "ouro"})


class Stack(msgspec.Struct, frozen=True):
    """Layers that stand under one prefix: their numbers in order, and those missing between them."""

    prefix: str
    layers: tuple[int, ...]
    gaps: tuple[int, ...]


def stacks_of(rows: Sequence[Row], shards: Sequence[Shard], config: Config) -> tuple[Stack, ...]:
    """Every stack of four layers and more of which most are alike, by the names; sorted by prefix.

    None where the config has as many layers as there are, and none of an adapter, which may be of single layers.
    """
    if _complete_at_a_glance(rows, config) or any(row.place.module == "adapter" for row in rows):
        return ()
    found: dict[str, dict[int, set[str]]] = {}
    for name in _names(shards):
        if (match := _LAYER.fullmatch(name)) is not None:
            layers = found.setdefault(match["prefix"], {})
            layers.setdefault(int(match["number"]), set()).add(match["rest"])
    return tuple(_stack(prefix, layers) for prefix, layers in sorted(found.items()) if _is_stack(layers))


def layers_said(config: Config) -> int | None:
    """How many layers the language model has by its config; None where it does not say, or means something else."""
    text = config.section(*_TEXT)
    for section in (config, text):
        if section.text("model_type") in _SHARED or section.flag("is_encoder_decoder") or is_searched(section):
            return None
    return config.integer(*_LAYERS) or text.integer(*_LAYERS)


def is_searched(config: Config) -> bool:
    """Whether a search has left blocks out (Nemotron-NAS, ``block_configs``): a layer may then have no weights."""
    return "block_configs" in config.values


def only_stack(stacks: Sequence[Stack], rows: Sequence[Row]) -> Stack | None:
    """The stack of the language model, where there is just one that it can be."""
    if not stacks:
        return None
    paths = {row.place.path for row in rows if row.place.module == "model" and row.place.layer is not None}
    stacks = [stack for stack in stacks if any(path.startswith(stack.prefix + ".") for path in paths)]
    return stacks[0] if len(stacks) == 1 else None


def _complete_at_a_glance(rows: Sequence[Row], config: Config) -> bool:
    """Whether there is one stack, and a tensor in each of as many layers as the config says."""
    said = layers_said(config)
    if said is None:
        return False
    layered = [row for row in rows if row.place.layer is not None]
    prefixes = {row.kind.template.partition("..")[0] for row in layered}
    counts = Counter[str]()
    for row in layered:
        counts[row.kind.template] += row.kind.count
    single = (count for template, count in counts.items() if template.count("..") == 1)
    return len(prefixes) == 1 and said in set(single)


def _names(shards: Sequence[Shard]) -> Iterator[str]:
    for shard in shards:
        if shard.header is not None and shard.header.raw is not None:
            yield from (tensor.name for tensor in shard.header.tensors)


def _is_stack(layers: dict[int, set[str]]) -> bool:
    """Whether these are layers and no list of odds and ends: most of them have most of their tensors in common."""
    if len(layers) < _SMALLEST or len(layers) > 100_000:
        return False
    common = Counter(rest for rests in layers.values() for rest in rests if "." in rest)
    return max(common.values(), default=0) * 4 >= len(layers) * 3


def _stack(prefix: str, layers: Iterable[int]) -> Stack:
    numbers = tuple(sorted(layers))
    span = range(numbers[0], numbers[-1])
    # A stack of a thousandfold its layers is numbered in some other way.
    missing = tuple(sorted(set(span) - set(numbers))) if len(span) < 4 * len(numbers) else ()
    return Stack(prefix, numbers, missing)
