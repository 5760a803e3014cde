"""The inputs of what stands behind compressed keys and values (MLA), and behind the states of Mamba and its like."""

from collections.abc import Iterable
from itertools import islice, product

from ckptinspect.quant.near import Module, Near, agreed
from ckptinspect.quant.widths import Widths, above

QUERIES = ("q_proj", "wq", "query", "to_q", "q", "linear_q", "q_lin")
VALUES = ("v_proj", "wv", "value", "to_v", "v", "linear_v", "v_lin")
_STATES = ("linear_attn", "mamba", "mixer", "mlstm", "delta", "ssm", "short_conv", "time_mix")
# What expands compressed queries, keys and values, the norms in between, and what compressed them.
_EXPANDS_QUERIES = ("q_b_proj", "wq_b")
_EXPANDS_KEYS = ("kv_b_proj", "wkv_b", "unembed_out")
_NORMS_OF_KEYS = ("kv_a_layernorm", "kv_a_norm", "kv_norm")
_COMPRESSES_KEYS = ("kv_a_proj_with_mqa", "wkv_a")
_COMPRESSED = (
    (_EXPANDS_QUERIES, ("q_a_layernorm", "q_a_norm", "q_norm"), ("q_a_proj", "wq_a")),
    (_EXPANDS_KEYS, _NORMS_OF_KEYS, ()),
    (("f_b_proj",), (), ("f_a_proj",)),
    (("g_b_proj",), (), ("g_a_proj",)),
    (("per_layer_projection",), (), ("per_layer_input_gate",)),
)
_OUTPUTS = ("o_proj", "wo", "out_proj")
# No model has more heads or larger ones, nor more layers that differ in them.
_LARGEST_HEAD = 512
_MOST_HEADS = 4_096
_MOST_SIZES = 64


def after_compression(module: Module, widths: Widths) -> Near | None:
    """What expands compressed queries, or keys and values: as wide as the norm in between."""
    for words, norms, before in _COMPRESSED:
        if module.word in words:
            # The indexer of DeepSeek-V3.2 takes its queries from the attention around it.
            parents = (module.parent, above(module.parent)[0])
            found = next((long for parent in parents if (long := widths.long(parent, norms))), set())
            return agreed(found or next((rows for parent in parents if (rows := widths.rows(parent, before))), set()))
    return None


def compressed_attention(module: Module, widths: Widths) -> Near | None:
    """What writes the output of an attention over compressed keys and values (MLA).

    With h heads, its queries are h*(n + r) wide, keys and values expanded h*(n + v), what is compressed has r more
    rows than its norm is long, and the output takes h*v: only few h satisfy all of that.
    """
    if module.word not in _OUTPUTS or not widths.has(module.parent, _COMPRESSES_KEYS):
        return None
    if stacked := widths.stacked(module.parent, "unembed_out"):
        return agreed(stacked)
    queries = widths.rows(module.parent, (*_EXPANDS_QUERIES, *QUERIES))
    sizes = islice(product(queries, widths.rows(module.parent, _EXPANDS_KEYS), _rotary(module, widths)), _MOST_SIZES)
    found = {values for wide, expanded, rotary in sizes for values in _values(wide, expanded, rotary)}
    # Kimi-Linear has layers of another attention under the same name.
    return Near(frozenset(found | (queries if widths.has(module.parent, ("k_proj",)) else set())))


def _rotary(module: Module, widths: Widths) -> set[int]:
    """The part of the compressed keys and values that is rotated, which the norm leaves out."""
    norms = widths.long(module.parent, _NORMS_OF_KEYS)
    return {rows - long for rows in widths.rows(module.parent, _COMPRESSES_KEYS) for long in norms}


def _values(queries: int, expanded: int, rotary: int) -> Iterable[int]:
    """How wide the values of all heads may be."""
    if rotary <= 0:
        return
    for heads in range(1, min(queries // (rotary + 1), _MOST_HEADS) + 1):
        values = expanded - queries + heads * rotary
        fits = queries % heads == 0 and expanded % heads == 0 and values > 0
        if fits and max(queries // heads - rotary, values // heads) <= _LARGEST_HEAD:
            yield values


def keys_of_heads(module: Module, widths: Widths) -> Near | None:
    """What takes queries to the compressed keys, stacked by heads: as wide as a head without its rotary part."""
    if module.word != "embed_q" or len(module.shape) != 3:
        return None
    heads, queries = module.shape[0], widths.rows(module.parent, (*_EXPANDS_QUERIES, *QUERIES))
    sizes = islice(product(queries, _rotary(module, widths)), _MOST_SIZES)
    return Near(frozenset(wide // heads - rotary for wide, rotary in sizes if heads and wide % heads == 0))


def state_output(module: Module, widths: Widths) -> Near | None:
    """What writes the output of Mamba, of linear attention and of the like: as wide as its state's values."""
    if module.word not in {"out_proj", "o_proj", "x_proj"}:
        return None
    decays, kernels = widths.state(module.parent, "A_log"), widths.state(module.parent, "conv1d")
    wide = {shape[0] for shape in decays if len(shape) == 2}
    if wide:
        return agreed(wide)
    if module.inside == "conv":
        wide = {shape[0] for shape in widths.state(module.parent, "conv")}
        return agreed(wide)
    if not decays and not any(name in module.inside for name in _STATES):
        return None
    heads = {shape[0] for shape in decays if len(shape) == 1}
    channels = {shape[0] for shape in kernels}
    found = widths.rows(module.parent, ("in_proj_z", *VALUES)) if module.word == "o_proj" or not heads else set()
    if module.word == "o_proj":
        # Nemotron-H has attention under the same name.
        found |= widths.rows(module.parent, QUERIES)
    if module.word == "out_proj":
        found |= widths.rows(module.parent, ("in_proj_z",))
        linear = product(widths.rows(module.parent, ("in_proj_qkvz",)), channels)
        mamba = product(widths.rows(module.parent, ("in_proj",)), channels, heads)
        found |= {rows - state for rows, state in islice(linear, _MOST_SIZES)}
        found |= {rows - state - steps for rows, state, steps in islice(mamba, _MOST_SIZES)}
    return Near(frozenset(), frozenset(found))
