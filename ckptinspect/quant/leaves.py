"""A tensor's name -> the module that it belongs to and what follows the module's path."""

from collections.abc import Iterable
from functools import lru_cache

from ckptinspect.model import Kind

# What is written behind the name of a bare parameter: ``experts.gate_up_proj_scale_inv``; longest first.
_BEHIND = (
    *("weight_scale_inv", "weight_global_scale", "input_global_scale", "activation_scale", "weight_scale_2"),
    *("weight_scale", "input_scale", "scale_inv", "blocks", "scales", "scale"),
)
# Leaves of a module that end in the same way.
_ITSELF = ("weight", "input", "output", "_weight")
_WHOLE = frozenset(
    (
        *("q_scale", "k_scale", "v_scale", "prob_scale", "k_cache_scale", "v_cache_scale", "activation_scale"),
        *(
            "embedding_scale",
            "act_scale",
            "act_global_scale",
            "pre_quant_scale",
            "bias_scale",
            "quant_scale",
            "channel_scales",
        ),
    )
)
# bitsandbytes and quanto name what belongs to a weight behind it, with a dot.
_PACKED = ".weight."
_STATES = (".quant_state.", ".meta.")
_DIGITS = str.maketrans("", "", "0123456789")

TELLING = frozenset(
    (
        *("qweight", "qzeros", "g_idx", "wscales", "weight_packed", "weight_scale", "weight_scale_inv", "scale_inv"),
        *(
            "weight_scales",
            "scale_weight",
            "weight_scale_2",
            "weight_global_scale",
            "scales",
            "weight.absmax",
            "weight_absmax",
            "weight.quant_map",
        ),
        *("absmax", "SCB", "blocks", "W_q", "weight._data", "weight._data._data", "codes", "centroids.weight"),
        *("indices", "dense_weights", "B", "B_24", "trellis", "q_weight", "tables2", "embedding_quantized", "dqweight"),
        *("_weight_qdata", "compressed", "bitmask", "weight.compressed", "comfy_quant", "activation_scale"),
        *(
            "input_scale",
            "k_scale",
            "v_scale",
            "q_scale",
            "k_cache_scale",
            "v_cache_scale",
            "scale",
            "meta",
            "meta.zero.x",
            "meta.scale.x",
        ),
        *("act_global_scale", "forward_hadamard_matrix", "input_activation_scale", "output_activation_scale"),
    )
)
"""Leaves of which a quantized module has at least one; other modules may have them too."""


# The shards of a checkpoint have their names' beginnings in common, and checkpoints of one family all of them.
@lru_cache(8192)
def split_leaf(name: str) -> tuple[str, str]:
    """A tensor's module and what follows it; for scales of a bare parameter, that parameter and the suffix.

    >>> split_leaf("layers.0.q.weight.absmax"), split_leaf("experts.gate_up_proj_blocks")
    (('layers.0.q', 'weight.absmax'), ('experts.gate_up_proj', 'blocks'))
    >>> split_leaf("layers.0.q.weight_scale_2"), split_leaf("layers.0.vq.res_centroids.weight")
    (('layers.0.q', 'weight_scale_2'), ('layers.0.vq', 'res_centroids.weight'))
    """
    path, inner, behind = name.rpartition(_PACKED)
    if inner:
        return path, f"weight.{behind}"
    for state in _STATES:
        path, inner, behind = name.partition(state)
        if inner:
            return path, f"{state[1:]}{behind}"
    path, _, leaf = name.rpartition(".")
    if leaf == "weight" and path.endswith("centroids"):
        above, _, word = path.rpartition(".")
        return above, f"{word}.weight"
    for suffix in _BEHIND:
        if leaf.endswith(f"_{suffix}") and not leaf.startswith(_ITSELF) and leaf not in _WHOLE:
            return name[: -len(suffix) - 1], suffix
    return path, leaf


def by_module(kinds: Iterable[Kind]) -> dict[str, dict[str, list[Kind]]]:
    """Kinds by the template of their module's path and by what follows it, in their order.

    A bare parameter goes to the scales that are named after it, with nothing following its path.
    """
    found: dict[str, dict[str, list[Kind]]] = {}
    for kind in kinds:
        path, leaf = template_and_leaf(kind)
        found.setdefault(path, {}).setdefault(leaf, []).append(kind)
    for path in list(found):
        owner, _, name = path.rpartition(".")
        if "weight" in found[path] or TELLING.isdisjoint(found[path]):
            continue
        for leaf in [leaf for leaf in found.get(owner, {}) if leaf.translate(_DIGITS) == name]:
            found[path].setdefault("", []).extend(found[owner].pop(leaf))
    return {path: leaves for path, leaves in found.items() if leaves}


def template_and_leaf(kind: Kind) -> tuple[str, str]:
    """The module of a kind by its template, and what follows it by the example, whose digits matter there."""
    return _template_and_leaf(kind.template, kind.example)


@lru_cache(8192)
def _template_and_leaf(template: str, example: str) -> tuple[str, str]:
    path, leaf = split_leaf(example)
    tail = example[len(path) :]
    return template[: len(template) - len(tail.translate(_DIGITS))], leaf
