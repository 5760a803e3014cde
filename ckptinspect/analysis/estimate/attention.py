"""Attention in a layer: multi-head, grouped-query, multi-query, latent and cross, by the shapes of its projections."""

from collections.abc import Mapping

from ckptinspect.analysis.estimate.amount import Amount
from ckptinspect.analysis.estimate.mixers import Mixer, MixerKind, unknown
from ckptinspect.analysis.estimate.settings import Settings
from ckptinspect.analysis.estimate.shapes import Leaves, Matrix, is_packed, logical_shape, matrix_of
from ckptinspect.analysis.estimate.stacks import Layer

_QUERIES = ("q_proj", "query", "q", "wq", "q_lin", "to_q")
KEYS = ("k_proj", "key", "k", "wk", "k_lin", "to_k")
VALUES = ("v_proj", "value", "v", "wv", "v_lin", "to_v")
_FUSED = ("qkv_proj", "qkv", "query_key_value", "Wqkv", "wqkv", "W_pack", "c_attn", "att_proj", "in_proj_qkv")
_OUTPUTS = ("o_proj", "out_proj", "o", "wo", "out", "dense", "c_proj", "attn_out", "out_lin", "proj")
_LATENT = ("kv_a_proj_with_mqa", "wkv_a_with_mqa", "wkv_a")
_LATENT_NORMS = ("kv_a_layernorm", "kv_a_norm", "kv_norm")
_LATENT_QUERIES = ("q_b_proj", "wq_b", "q_proj", "wq")
CROSS = frozenset(
    {"cross_attn", "encoder_attn", "EncDecAttention", "crossattention", "cross_attention", "encoder_attention"}
)

Modules = Mapping[str, Leaves]


def attention_at(layer: Layer, parent: str, modules: Modules, settings: Settings) -> Mixer | None:
    """The attention whose projections are ``modules``, all inside ``parent``; None where they are none."""
    if _first(modules, _LATENT) is not None:
        return _latent(modules, settings, indexed=f"{parent}.indexer.wk" in layer.modules)
    # RWKV's feed-forward has a key and a value too, and no query.
    keys = _first(modules, KEYS) if _first(modules, _QUERIES) is not None else None
    fused = _first(modules, _FUSED)
    if keys is None and fused is None:
        return None
    output = _output(layer, parent, modules)
    if keys is not None:
        found = _separate(modules, keys, output, settings)
    else:
        assert fused is not None
        found = _split(fused, output, settings)
    if found.kind is not MixerKind.UNKNOWN and not CROSS.isdisjoint(parent.split(".")):
        return Mixer(
            MixerKind.CROSS, found.cached, None, heads=found.heads, scores=found.scores, weighted=found.weighted
        )
    return found


def _separate(modules: Modules, keys: Leaves, output: Matrix | None, settings: Settings) -> Mixer:
    """Keys and values from matrices of their own."""
    values, queries = _first(modules, VALUES), _first(modules, _QUERIES)
    key, value = matrix_of(keys), matrix_of(values) if values is not None else None
    query = matrix_of(queries) if queries is not None else None
    if key is None or (values is not None and value is None):
        if is_packed(keys) or (values is not None and is_packed(values)):
            return _by_config(settings, "keys and values are packed")
        return unknown("its keys and values are no matrices")
    remarks: tuple[str, ...] = ()
    if value is None:
        if not settings.flag("attention_k_eq_v"):
            return unknown("it has keys and no values")
        value, remarks = key, ("a value that equals its key is kept all the same, as transformers does",)
    heads, disagreement = _heads(settings, key.outputs)
    width = output.inputs if output is not None else query.outputs if query is not None else value.outputs
    # Queries are as wide as the output's input where keys and values are of one size; q_proj may hold a gate too.
    scores = width if key.outputs == value.outputs else width * key.outputs // max(value.outputs, 1)
    return Mixer(
        MixerKind.FULL,
        _both(key.outputs, value.outputs),
        scores=scores,
        weighted=width,
        heads=heads,
        remarks=(*remarks, *disagreement),
    )


def _split(fused: Leaves, output: Matrix | None, settings: Settings) -> Mixer:
    """Queries, keys and values from one matrix: what the queries leave of its rows.

    The queries are as wide as what the output projection takes in.
    """
    matrix = matrix_of(fused)
    if matrix is None:
        if "in_proj_weight" in fused:
            return unknown("its projections are one bare parameter")
        return _by_config(settings, "queries, keys and values are packed")
    if output is None:
        return _by_config(
            settings, "queries, keys and values are one matrix, and the output is none that tells them apart"
        )
    rest = matrix.outputs - output.inputs
    if rest <= 0 or rest % 2:
        return unknown(f"{matrix.outputs} rows of queries, keys and values do not fit an output of {output.inputs}")
    heads, disagreement = _heads(settings, rest // 2)
    return Mixer(
        MixerKind.FULL,
        _both(rest // 2, rest // 2),
        scores=output.inputs,
        weighted=output.inputs,
        heads=heads,
        remarks=disagreement,
    )


def _by_config(settings: Settings, why: str) -> Mixer:
    """Keys and values as wide as the config says, where the header does not show it."""
    heads, size = settings.kv_heads, _head_dim(settings)
    if heads is None or size is None:
        return unknown(f"{why}, and no config says how many heads there are of what size")
    queries = (settings.number("heads") or heads) * size
    return Mixer(
        MixerKind.FULL,
        _both(heads * size, heads * size),
        scores=queries,
        weighted=queries,
        heads=heads,
        by_header=False,
        remarks=(f"{why}: their widths are the config's, {heads} heads of {size}",),
    )


def _latent(modules: Modules, settings: Settings, *, indexed: bool) -> Mixer:
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): one compressed vector for keys and values."""
    down, norm = _first(modules, _LATENT), _first(modules, _LATENT_NORMS)
    assert down is not None
    matrix, shape = matrix_of(down), logical_shape(norm, "weight") if norm is not None else None
    rank, rope = settings.number("kv_rank"), settings.number("rope")
    by_header, remarks = (
        True,
        ["multi-head latent attention (MLA): one compressed vector serves keys and values of all heads"],
    )
    if matrix is not None and shape is not None and len(shape) == 1 and matrix.outputs > shape[0]:
        found = (shape[0], matrix.outputs - shape[0])
        if rank is not None and rope is not None and found != (rank, rope):
            remarks.append(
                f"the config says {rank} + {rope} where the header has {found[0]} + {found[1]}: the header counts"
            )
    elif rank is not None and rope is not None:
        found, by_header = (rank, rope), False
        remarks.append("kv_a_proj_with_mqa is packed: its width is the config's")
    else:
        return unknown("kv_a_proj_with_mqa is packed, and no config gives kv_lora_rank and qk_rope_head_dim")
    cached = Amount.of(found[0], "kv_rank") + Amount.of(found[1], "rope")
    if indexed and (indexer := settings.number("index_dim")) is not None:
        cached += Amount.of(indexer, "index")
        remarks.append("the indexer keeps one key for each token, in the same format")
    output, queries = _matrix(modules, _OUTPUTS), _matrix(modules, _LATENT_QUERIES)
    return Mixer(
        MixerKind.LATENT,
        cached,
        scores=queries.outputs if queries is not None else 0,
        weighted=output.inputs if output is not None else 0,
        heads=1,
        by_header=by_header,
        remarks=tuple(remarks),
    )


def _heads(settings: Settings, width: int) -> tuple[int | None, tuple[str, ...]]:
    """How many heads keys of this width come in, and where the config contradicts the header."""
    heads, size = settings.number("kv_heads"), _head_dim(settings)
    if size is None or width % size:
        return heads if heads is not None and width % heads == 0 else None, ()
    found = width // size
    if heads is None or heads == found or settings.integer("head_dim") is None:
        return found, ()
    said = f"{settings.key('kv_heads')} {heads} of {size}"
    return found, (f"the config says {said} where the header's keys are {width} wide: the header counts",)


def _head_dim(settings: Settings) -> int | None:
    """The size of a head; where the config does not say, what most classes take for it."""
    size, hidden, heads = settings.number("head_dim"), settings.number("hidden"), settings.number("heads")
    if size is not None or hidden is None or heads is None:
        return size
    return hidden // heads if hidden % heads == 0 else None


def _both(keys: int, values: int) -> Amount:
    return Amount.of(keys, "keys") + Amount.of(values, "values")


def _output(layer: Layer, parent: str, modules: Modules) -> Matrix | None:
    """The projection behind the attention; BERT keeps it beside what holds the others."""
    found = _matrix(modules, _OUTPUTS)
    if found is not None or "." not in parent:
        return found
    beside = layer.modules.get(f"{parent.rpartition('.')[0]}.output.dense")
    return matrix_of(beside) if beside is not None else None


def _matrix(modules: Modules, names: tuple[str, ...]) -> Matrix | None:
    leaves = _first(modules, names)
    return matrix_of(leaves) if leaves is not None else None


def _first(modules: Modules, names: tuple[str, ...]) -> Leaves | None:
    return next((modules[name] for name in names if name in modules), None)
