"""Which tensors around a module tell how many inputs it takes: by its name and the names beside it.

Each relation answers for the modules that it knows with the widths among which the inputs are (``sure``) and those
that they most likely are (``likely``), or with None. Names are those of the modeling classes of transformers and of
mlx-lm, and of the original repositories; the relations were tried on the default shapes of their architectures.
"""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from ckptinspect.quant.compressed import (
    QUERIES,
    VALUES,
    after_compression,
    compressed_attention,
    keys_of_heads,
    state_output,
)
from ckptinspect.quant.near import Module, Near, agreed
from ckptinspect.quant.widths import Widths, above, scopes

_GATED = ("gate_proj", "up_proj", "w1", "w3", "wi_0", "wi_1", "c_fc_0", "c_fc_1")
_SINGLE = (
    *("fc1", "c_fc", "dense_h_to_4h", "wi", "fc_in", "lin1", "linear1", "linear_fc1", "dense1", "proj_in"),
    *("pwconv1", "pointwise_conv1", "intermediate_dense", "linear_1", "layer_1", "ffw_layer_1", "w_1"),
)
_JOINT = ("gate_up_proj", "mlp1_weight", "w13", "w12", "Wi")
_DOWN = frozenset(
    (
        *("down_proj", "w2", "fc2", "dense_4h_to_h", "fc_out", "mlp2_weight", "lin2", "linear2", "linear_fc2"),
        *("proj_out", "Wo", "pwconv2", "pointwise_conv2", "output_dense", "linear_2", "layer_2", "ffw_layer_2", "w_2"),
        *("wo", "c_proj", "dense2"),
    )
)
# Words of ``_DOWN`` that are also those of an attention's output.
_EITHER = frozenset(("wo", "c_proj", "proj_out", "Wo"))
_FORWARD = ("mlp", "ffn", "feed_forward", "DenseReluDense", "dense_relu_dense", "expert", "moe")
_OUT = frozenset(("o_proj", "out_proj", "wo", "dense", "to_out", "c_proj", "o", "proj", "Wo", "linear_out", "out_lin"))
_KEYS = ("k_proj", "wk", "key", "to_k", "k", "linear_k", "k_lin")
_FUSED = ("qkv_proj", "query_key_value", "Wqkv", "wqkv", "W_pack", "c_attn", "qkv", "attn_qkv")
_READERS = frozenset(
    (
        *QUERIES,
        *_FUSED,
        *("k_proj", "v_proj", "to_k", "to_v", "wk", "wv", "key", "value", "k", "v", "linear_k", "linear_v", "k_lin"),
        *("v_lin", "q_a_proj", "kv_a_proj_with_mqa", "wq_a", "wkv_a", "in_proj_qkvz", "in_proj_ba", "in_proj_qkv"),
        *("in_proj_z", "in_proj_a", "in_proj_b", "in_proj", "receptance", "qkvg_proj"),
        *("gate_proj", "up_proj", "w1", "w3", "gate_up_proj", "mlp1_weight", "w13", "w12", "gate", "router"),
        *("fc1", "c_fc", "dense_h_to_4h", "wi", "wi_0", "wi_1", "c_fc_0", "c_fc_1", "fc_in", "lin1", "linear1"),
        *("linear_fc1", "intermediate_dense", "Wi", "shared_expert_gate", "weights_proj", "per_layer_input_gate"),
        *("f_a_proj", "g_a_proj", "a_proj", "b_proj", "g_proj", "c_q", "c_k", "c_v"),
    )
)
# What a cross attention reads from elsewhere.
_ELSEWHERE = frozenset(("k_proj", "v_proj", "to_k", "to_v", "wk", "wv", "key", "value", "k", "v"))
_CROSS = ("cross", "encoder_attn", "encdec", "encoder_decoder", "enc_attn", "attn2")
_ENDS = frozenset(
    (
        *("lm_head", "embed_tokens", "wte", "word_embeddings", "embed_out", "embedding", "unembedding", "embed_in"),
        *("output", "tok_embeddings", "embeddings", "shared", "wpe", "decoder", "output_projection"),
        *("position_embedding", "position_embeddings", "token_type_embeddings", "embed_positions", "token_embedding"),
    )
)
# What stands further inside a layer reads what others made of the hidden state.
_DEEP = 3
# Experts may work on fewer channels than the layer around them.
_LATENT = ("fc1_latent_proj", "pre_expert_proj", "routed_expert_down_proj")
Relation = Callable[[Module, Widths], Near | None]


def near_to(module: Module, widths: Widths) -> Near:
    """What the first relation that knows the module says, and beside it the same module of other layers."""
    found = next((near for relation in RELATIONS if (near := relation(module, widths)) is not None), Near())
    twins = _twins(module, widths)
    likely = found.likely or (found.sure if len(found.sure) == 1 else twins & found.sure if found.sure else twins)
    return Near(_widths(found.sure), _widths(likely))


def _twins(module: Module, widths: Widths) -> set[int]:
    """The inputs of modules of the same name and outputs whose shape is known."""
    shapes = widths.shapes.get(module.key, ())
    return {inputs for outputs, inputs in shapes if module.outputs is None or outputs == module.outputs}


def _down(module: Module, widths: Widths) -> Near | None:
    """What leads a feed-forward back: as wide as what was led into it."""
    word, parent = module.word, module.parent
    if word == "value" and module.inside == "feed_forward":
        return _expanding(widths.rows(parent, ("key",)))
    if word == "dense" and module.inside == "output" and not _is_attention(module):
        return _expanding(widths.rows(f"{above(parent)[0]}.intermediate", ("dense",)))
    if word not in _DOWN or (word in _EITHER and not any(name in module.inside for name in _FORWARD)):
        return None
    sure = widths.rows(parent, _GATED) | {rows // 2 for rows in widths.rows(parent, _JOINT)}
    if sure:
        return agreed(sure)
    return _expanding(widths.rows(parent, _SINGLE))


def _expanding(rows: AbstractSet[int]) -> Near:
    """The outputs of one matrix, of which a gate may take half."""
    return Near(frozenset(rows) | {wide // 2 for wide in rows}, frozenset(rows))


def _attention_output(module: Module, widths: Widths) -> Near | None:
    """What writes the output of an attention: as wide as its queries."""
    word, parent = module.word, module.parent
    if word not in _OUT or (word == "dense" and not _is_attention(module)):
        return None
    if word == "dense" and module.inside == "output":
        owner = above(parent)[0]
        return Near(frozenset(), frozenset(widths.rows(f"{owner}.self", QUERIES)))
    norms = widths.long(parent, ("attn_sub_norm", "inner_attn_ln"))
    if norms:
        return agreed(norms)
    queries = _as_values(widths.rows(parent, QUERIES), module, widths)
    if queries:
        half = {rows // 2 for rows in queries}
        if widths.gated:
            return Near(frozenset(queries | half), frozenset(half if _gates_queries(module, widths) else ()))
        beside = widths.rows(parent, ("gate_proj", "g_proj", "z_proj"))
        return Near(frozenset(queries), frozenset(queries & beside or queries))
    hidden = widths.hidden(module.path)
    fused = widths.rows(parent, _FUSED)
    return Near(frozenset(), frozenset(wide for wide in hidden for rows in fused if rows <= 3 * wide < 3 * rows))


def _as_values(queries: set[int], module: Module, widths: Widths) -> set[int]:
    """How wide the values of all heads are, by the queries: as wide, but where heads of keys and of values differ."""
    keys, values = (sorted(widths.rows(module.parent, words)) for words in (_KEYS, VALUES))
    if keys == values or not keys or not values:
        return queries
    return {wide * value // key for wide in queries for key, value in zip(keys, values, strict=False) if key}


def _is_attention(module: Module) -> bool:
    return "attention" in module.inside or "attn" in module.inside or "attention" in above(module.parent)[0]


def _gates_queries(module: Module, widths: Widths) -> bool:
    """Whether a gate for the output stands among the queries: in the layers, or the MTP layers, of such a model."""
    beside = (f"{above(module.parent)[0]}.linear_attn", ("in_proj_qkvz", "in_proj_qkv", "in_proj_z", "in_proj_ba"))
    return widths.has(*beside) or (widths.gates and "mtp" in module.parent.split("."))


def _reader(module: Module, widths: Widths) -> Near | None:
    """What reads the hidden state, through the norm of its layer."""
    known = module.word in _READERS or (module.word == "dense" and module.inside.startswith("intermediate"))
    if not known or not 0 < module.depth <= _DEEP or (module.word == "gate" and module.inside == "gateway"):
        return None
    lower = module.parent.lower()
    if module.word in _ELSEWHERE and any(name in lower for name in _CROSS):
        return Near()
    if ("expert" in lower or "switch" in lower) and (latent := widths.rows(_before_experts(module), _LATENT)):
        return agreed(latent)
    hidden = widths.hidden(module.path)
    return Near(frozenset(hidden), frozenset(hidden or widths.nearby(module.path)))


def _before_experts(module: Module) -> str:
    """The module that holds the experts."""
    words = module.parent.split(".")
    at = next((at for at, word in enumerate(words) if "expert" in word or "switch" in word), len(words))
    return ".".join(words[:at])


def _end(module: Module, widths: Widths) -> Near | None:
    """An embedding or a head: most are as wide as the norms of their model."""
    if module.in_layer or not (module.word in _ENDS or module.path == "proj_out"):
        return None
    for scope in scopes(module.path):
        around = widths.norms.get(scope) or widths.below.get(scope, set())
        if scope in widths.norms or len(around) == 1:
            return Near(frozenset(), frozenset(around))
    last = next((widths.last[scope] for scope in scopes(module.path) if scope in widths.last), set())
    return Near(frozenset(), frozenset(last))


def outputs_of(module: Module, widths: Widths) -> frozenset[int]:
    """The widths that may come out of a module: by its own rows or bias, or by what takes them."""
    found = set(widths.outputs.get(module.key, ()))
    inside = module.word not in _EITHER or any(name in module.inside for name in _FORWARD)
    if (module.word in _DOWN and inside) or (module.word in _OUT and (module.word != "dense" or _is_attention(module))):
        found |= widths.hidden(module.path)
    elif module.word in _GATED or module.word in _SINGLE:
        found |= widths.rows(module.parent, (*_GATED, *_SINGLE))
    return _widths(found)


RELATIONS: tuple[Relation, ...] = (
    after_compression,
    compressed_attention,
    keys_of_heads,
    state_output,
    _down,
    _attention_output,
    _reader,
    _end,
)


def _widths(found: Iterable[int]) -> frozenset[int]:
    return frozenset(width for width in found if width > 0)
