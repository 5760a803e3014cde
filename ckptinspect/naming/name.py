"""A tensor's name taken apart.

Everything here looks at a name's template, the name without its digits, so that one decision serves all
names that differ in their digits only. Positions are indices into ``name.split(".")`` and hold for all of
them as well.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache

import msgspec

from ckptinspect.naming.adapter_leaves import LEAVES

_DIGITS = str.maketrans("", "", "0123456789")


def folded(name: str) -> str:
    """The name without its digits.

    >>> folded("model.layers.61.mlp.experts.7.w1.weight")
    'model.layers..mlp.experts..w.weight'
    """
    return name.translate(_DIGITS)


def words_of(text: str) -> frozenset[str]:
    """A list of words as they stand in names, folded.

    >>> sorted(words_of("fc1 fc2 w1"))
    ['fc', 'w']
    """
    return frozenset(folded(text).split())


# Wrappers of training frameworks, which stand anywhere in a name (torch.compile, FSDP, activation
# checkpointing, PEFT), and those that only ever come first (DDP, a trainer's state).
_WRAPPERS = words_of(
    "_orig_mod _fsdp_wrapped_module _checkpoint_wrapped_module base_layer modules_to_save original_module token_adapter"
)
_OUTER = words_of("module state_dict")

# What the tensors of an adapter are called.
ADAPTER_LEAVES = words_of(" ".join(LEAVES))
LORA_LAYERS = ("lora", "lora_layer", "lora_linear_layer")
"""What diffusers calls the module with the two matrices; their names go on with ``down`` or ``up``."""
FLAT_PREFIXES = ("lora_unet_", "lora_te_", "lora_transformer_", "lycoris_")
"""What stands before names whose dots became underscores."""

_TOLD_BY = ADAPTER_LEAVES | set(LORA_LAYERS)

# Leaves that go on after a dot: bitsandbytes and quanto append to the name of a weight, torch parametrizes it,
# PEFT adds the name of the adapter. The last words of an adapter do not.
_SPLIT_LEAVES = words_of("weight qweight parametrizations") | ADAPTER_LEAVES - words_of(
    "diff diff_b reshape_weight set_weight dora_scale"
)

_CONTAINERS = words_of("layer h block blk encoders stages albert_layer_groups mtp mtp_block")


class Anatomy(msgspec.Struct, frozen=True, gc=False):
    """The parts of a template.

    ``words`` are its segments without wrappers, the numbers among them empty; the first ``owner`` of them
    name the owning module, the next one is the leaf. ``stem`` is how many stand before the first repeat
    container; where there is none, all up to the leaf. ``leaf_at``, ``layer_at`` and ``expert_at`` are
    positions in the stored name.
    """

    words: tuple[str, ...]
    owner: int
    stem: int
    leaf_at: int
    layer_at: int | None
    expert_at: int | None

    @property
    def leaf(self) -> str:
        """The first word of the leaf: ``weight`` also where the leaf is ``weight.absmax``."""
        return self.words[self.owner]

    @property
    def path(self) -> tuple[str, ...]:
        """The words up to the leaf, without numbers."""
        return tuple(word for word in self.words[: self.owner] if word)

    @property
    def is_adapter(self) -> bool:
        """Whether the leaf is one of an adapter's."""
        return self.leaf in ADAPTER_LEAVES or (self.leaf.endswith(LORA_LAYERS) and len(self.words) > self.owner + 1)

    @property
    def repeats(self) -> bool:
        """Whether the tensor stands in a layer."""
        return self.layer_at is not None


def anatomy(template: str, containers: frozenset[str] = frozenset()) -> Anatomy:
    """The parts of a template, with ``containers`` besides the usual ones.

    >>> parts = anatomy(folded("base_model.model.model.layers.3.mlp.fc1.base_layer.weight"))
    >>> parts.words, parts.layer_at, parts.leaf_at
    (('model', 'layers', '', 'mlp', 'fc', 'weight'), 4, 8)
    """
    segments = template.split(".")
    leaf_at = _leaf_at(segments)
    kept = _kept(segments, leaf_at)
    words = tuple(segments[at] for at in kept)
    owner = kept.index(leaf_at)
    layer = _first_number_after(words, lambda word: is_container(word) or word in containers)
    expert = _first_number_after(words, lambda word: word == "experts")
    return Anatomy(
        words=words,
        owner=owner,
        stem=owner + 1 if layer is None else layer - 1,
        leaf_at=leaf_at,
        layer_at=None if layer is None else kept[layer],
        expert_at=None if expert is None else kept[expert],
    )


def holds_adapter(templates: Iterable[str]) -> bool:
    """Whether any of these is the template of an adapter's tensor.

    >>> holds_adapter(["model.layers..mlp.fc.weight"]), holds_adapter(["model.layers..mlp.fc.lora_A.weight"])
    (False, True)
    """
    return any(map(_is_of_adapter, templates))


# The shards of a checkpoint have their templates in common.
@lru_cache(4096)
def _is_of_adapter(template: str) -> bool:
    return template.startswith(FLAT_PREFIXES) or not _TOLD_BY.isdisjoint(template.split("."))


def unwrapped(template: str) -> tuple[str, ...]:
    """The words of a template, without what training frameworks wrap around a model.

    >>> unwrapped("module._orig_mod.model.norm.weight")
    ('model', 'norm', 'weight')
    """
    segments = template.split(".")
    return tuple(segments[at] for at in _kept(segments, len(segments) - 1))


def owned_words(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The path of the owning module without wrappers, and the leaf, as words of the name itself.

    >>> owned_words("base_model.model.model.layers.3.mlp.fc1.base_layer.weight")
    (('model', 'layers', '3', 'mlp', 'fc1'), ('weight',))
    """
    segments, template = name.split("."), folded(name).split(".")
    leaf_at = _leaf_at(template)
    kept = _kept(template, leaf_at)
    return tuple(segments[at] for at in kept if at < leaf_at), tuple(segments[leaf_at:])


def number_at(segments: list[str], at: int | None) -> int | None:
    """The integer at this position of a stored name, if one stands there.

    >>> number_at(["layers", "61"], 1), number_at(["layers", ""], 1), number_at(["layers", "61"], None)
    (61, None, None)
    """
    if at is None:
        return None
    text = segments[at]
    # No model has a layer of ten digits, and Python refuses to read numbers of many thousands.
    return int(text) if len(text) < 10 and text.isascii() and text.isdigit() else None


def is_container(word: str) -> bool:
    """Whether a number after this word counts layers.

    >>> is_container("single_transformer_blocks"), is_container("h"), is_container("mlp")
    (True, True, False)
    """
    return word.endswith(("layers", "blocks")) or word in _CONTAINERS


def _leaf_at(segments: list[str]) -> int:
    for at, word in enumerate(segments[:-1]):
        if word in _SPLIT_LEAVES or (word.endswith(LORA_LAYERS) and segments[at + 1] in ("down", "up")):
            return at
    return len(segments) - 1


def _kept(segments: list[str], leaf_at: int) -> list[int]:
    inner = [at for at in range(leaf_at) if segments[at] not in _WRAPPERS]
    start = 0
    while start < len(inner):
        word = segments[inner[start]]
        if word in _OUTER:
            start += 1
        elif word == "base_model" and start + 1 < len(inner) and segments[inner[start + 1]] == "model":
            start += 2
        else:
            break
    return [*inner[start:], *range(leaf_at, len(segments))]


def _first_number_after(words: tuple[str, ...], counts: Callable[[str], bool]) -> int | None:
    return next((at for at in range(1, len(words)) if not words[at] and counts(words[at - 1])), None)
