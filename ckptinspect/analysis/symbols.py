"""Names for the dimensions of a tensor: what its place in the model says that they are, where the config agrees.

The words of a path tell what a dimension stands for: the rows of ``k_proj`` are the key-value heads times their
size. Only if the config's value for that is the dimension's does the dimension get the name; a number that
equals something else by chance never does.
"""

from collections.abc import Iterator, Mapping, Sequence

from ckptinspect.analysis.terms import Dim
from ckptinspect.analysis.vocabulary import Symbol, Vocabulary
from ckptinspect.model import Shape
from ckptinspect.naming.name import is_container
from ckptinspect.naming.roles import Role

_QUERIES = "heads*head_dim | heads*(nope+rope) | 2*heads*head_dim"
_KEYS = "kv*head_dim | heads*head_dim"
_FUSED = "3*hidden | (heads+2*kv)*head_dim | 3*heads*head_dim"
_VALUES = "heads*head_dim | heads*v_dim"
_PATCHES = "(image//patch)*(image//patch)+1"
_Rule = tuple[str, ...]


def _table(*rules: tuple[str, _Rule]) -> Mapping[str, _Rule]:
    return {words: rule for several, rule in rules for words in several.split()}


# What each dimension is, by the last words of a module's path; in concepts of ``vocabulary.py``, tried one after
# the other where models differ. ``width`` is that of the feed-forward, of an expert or of the shared experts.
_MATRICES = _table(
    ("q_proj query to_q wq q_lin q", (_QUERIES, "hidden")),
    ("k_proj v_proj key value to_k to_v wk wv k_lin v_lin k v", (_KEYS, "hidden")),
    ("qkv qkv_proj query_key_value c_attn Wqkv wqkv W_pack", (_FUSED, "hidden")),
    ("o_proj out_proj attn.proj attn.c_proj attention.dense self_attention.dense", ("hidden", _VALUES)),
    ("attention.output.dense to_out.0 attn.out out_lin attention.wo", ("hidden", _VALUES)),
    ("SelfAttention.o EncDecAttention.o", ("hidden", _VALUES)),
    ("gate_proj up_proj w1 w3 fc1 c_fc wi wi_0 wi_1 lin1 fc_in dense_h_to_4h intermediate.dense", ("width", "hidden")),
    ("gate_up_proj", ("2*width", "hidden")),
    ("down_proj w2 fc2 mlp.c_proj DenseReluDense.wo lin2 fc_out dense_4h_to_h output.dense", ("hidden", "width")),
    ("q_a_proj wq_a", ("q_rank", "hidden")),
    ("q_b_proj wq_b", ("heads*(nope+rope)", "q_rank")),
    ("kv_a_proj_with_mqa", ("kv_rank+rope", "hidden")),
    ("kv_b_proj", ("heads*(nope+v_dim)", "kv_rank")),
    ("mlp.gate block_sparse_moe.gate mlp.router feed_forward.router", ("experts", "hidden")),
    ("eh_proj", ("hidden", "2*hidden")),
    ("pooler.dense transform.dense", ("hidden", "hidden")),
    ("shared_expert_gate seq_relationship classifier score", ("", "hidden")),
    (
        "embed_tokens wte word_embeddings token_embedding shared embed_in tok_embeddings",
        ("vocab", "hidden | embedding"),
    ),
    ("embedding embeddings lm_head unembedding embed_out", ("vocab", "hidden | embedding")),
    ("wpe position_embeddings", ("positions", "hidden | embedding")),
    ("position_embedding", (f"{_PATCHES} | positions", "hidden")),
    ("encoder.embed_positions", ("source_positions", "hidden")),
    ("decoder.embed_positions", ("target_positions", "hidden")),
    ("token_type_embeddings", ("types", "hidden | embedding")),
    ("relative_attention_bias", ("buckets", "heads")),
    ("merger.mlp.0", ("hidden*merge*merge", "hidden*merge*merge")),
    ("merger.mlp.2", ("out_hidden", "hidden*merge*merge")),
    ("multi_modal_projector.linear_1", ("hidden", "vision.hidden")),
    ("multi_modal_projector.linear_2", ("hidden", "hidden")),
    ("visual_projection", ("root.projection", "vision.hidden")),
    ("text_projection", ("root.projection", "hidden")),
    ("mixer.in_proj", ("2*inner", "hidden")),
    ("mixer.x_proj", ("dt+2*state", "inner")),
    ("mixer.dt_proj", ("inner", "dt")),
    ("mixer.out_proj", ("hidden", "inner")),
    ("lora_A", ("rank", "")),
    ("lora_B", ("", "rank")),
)
_SIGNALS = _table(
    ("encoder.conv1", ("hidden", "mels", "")),
    ("encoder.conv2", ("hidden", "hidden", "")),
    ("mixer.conv1d", ("inner", "", "kernel")),
)
_IMAGES = _table(
    ("patch_embed.proj patch_embedding patch_embeddings.projection", ("hidden", "channels", "patch", "patch")),
)
_VIDEOS = _table(
    ("patch_embed.proj", ("hidden", "channels", "frames", "patch", "patch")),
)
_VECTORS = _table(
    ("q_norm k_norm q_layernorm k_layernorm", ("head_dim | heads*head_dim | kv*head_dim",)),
    ("q_a_layernorm", ("q_rank",)),
    ("kv_a_layernorm", ("kv_rank",)),
    ("input_layernorm post_attention_layernorm pre_feedforward_layernorm post_feedforward_layernorm", ("hidden",)),
    ("norm norm1 norm2 norm_f ln_1 ln_2 ln_f ln_q layer_norm layer_norm1 layer_norm2 layernorm", ("hidden",)),
    ("layernorm_before layernorm_after LayerNorm final_layer_norm self_attn_layer_norm", ("hidden",)),
    ("encoder_attn_layer_norm pre_layrnorm post_layernorm word_embeddings_layernorm enorm hnorm", ("hidden",)),
    ("mixer.norm mamba.norm linear_attn.norm", ("",)),
)
# Bare parameters: the dimensions in whichever order they stand.
_BARE = _table(
    ("experts.gate_up_proj", ("experts", "hidden", "2*width")),
    ("experts.down_proj", ("experts", "hidden", "width")),
    ("experts.gate_up_proj_bias mlp.mlp1_bias", ("experts", "2*width")),
    ("experts.down_proj_bias mlp.mlp2_bias", ("experts", "hidden")),
    ("gate.e_score_correction_bias", ("experts",)),
    ("sinks", ("heads",)),
    ("cls_token class_embedding image_newline", ("hidden",)),
    ("embeddings.position_embeddings", (_PATCHES, "hidden")),
    ("in_proj_weight", ("3*hidden", "hidden")),
    ("in_proj_bias", ("3*hidden",)),
    ("predictions.bias", ("vocab",)),
    ("mixer.A_log", ("inner", "state")),
    ("mixer.D", ("inner",)),
)
_WIDTHS = {
    Role.EXPERT: "moe | ffn",
    Role.SHARED_EXPERT: "shared_ffn | shared*moe | shared*ffn",
}
_WIDTH = "ffn | hidden*ratio | 4*hidden"
_BY_RANK = {1: _VECTORS, 2: _MATRICES, 3: _SIGNALS, 4: _IMAGES, 5: _VIDEOS}


class Names:
    """The names of one module's dimensions, by its part of a config; no names at all without one."""

    def __init__(self, vocabulary: Vocabulary | None) -> None:
        self._vocabulary = vocabulary
        self.used: dict[str, int] = {}

    def dims(self, path: str, kind: str, shape: Shape, role: Role) -> tuple[Dim, ...]:
        """The dimensions of the weight of a module of this kind, as they are stored, with their names."""
        rule = _rule(path, kind, len(shape))
        if rule is None:
            return tuple(map(Dim, shape))
        if kind == "Parameter":
            return tuple(self._any_order(path, rule, shape, role))
        return tuple(self._dim(path, what, value, role) for what, value in zip(rule, shape, strict=True))

    def said(self, path: str, kind: str, shape: Shape, role: Role) -> tuple[tuple[Symbol, ...], ...]:
        """What the config gives for each dimension, whether it fits or not; none where no rule is for such a path."""
        rule = _rule(path, kind, len(shape))
        if rule is None or len(rule) != len(shape):
            return ()
        return tuple(tuple(self._symbols(path, what, role)) for what in rule)

    def count(self, path: str, indices: Sequence[int], items: int) -> Dim:
        """How many equal items a container has, at these indices out of all ``items``; ``path`` leads to the first."""
        *words, _ = path.split(".")
        times = len(indices)
        if words[-1:] == ["experts"]:
            return self._dim(path, "experts", times, Role.EXPERT)
        if not words or not is_container(words[-1]) or any(word.isdigit() for word in words):
            return Dim(times)
        if times == items:
            return self._dim(path, "layers", times, Role.OTHER)
        if self._dim(path, "layers", items, Role.OTHER).symbol is None:
            return Dim(times)
        first = "dense" if indices[0] == 0 else "layers-dense"
        rule = first if indices[-1] - indices[0] == times - 1 else ""
        return self._dim(path, f"{rule} | layers-1" if times == items - 1 else rule, times, Role.OTHER)

    def _any_order(self, path: str, rule: _Rule, shape: Shape, role: Role) -> Iterator[Dim]:
        left = list(rule)
        for value in shape:
            named = ((what, self._dim(path, what, value, role)) for what in left)
            what, dim = next(((what, dim) for what, dim in named if dim.symbol), ("", Dim(value)))
            if what:
                left.remove(what)
            yield dim

    def _dim(self, path: str, what: str, value: int, role: Role) -> Dim:
        """The number with the first name in ``what`` that the config confirms."""
        for symbol in self._symbols(path, what, role):
            if symbol.value == value:
                self.used.update(symbol.keys)
                return Dim(value, symbol.text)
        return Dim(value)

    def _symbols(self, path: str, what: str, role: Role) -> Iterator[Symbol]:
        if self._vocabulary is None:
            return
        side = next((word for word in path.split(".") if word in {"encoder", "decoder"}), "")
        for one in filter(None, map(str.strip, what.split("|"))):
            widths = _WIDTHS.get(role, _WIDTH).split(" | ") if "width" in one else [""]
            for width in widths:
                if (symbol := self._vocabulary.symbol(one.replace("width", width), side)) is not None:
                    yield symbol


def _rule(path: str, kind: str, rank: int) -> _Rule | None:
    """The rule for the longest end of the path that has one."""
    table = _BARE if kind == "Parameter" else _BY_RANK.get(rank, {})
    words = path.split(".")
    ends = (".".join(words[-length:]) for length in (3, 2, 1))
    rule = next((table[end] for end in ends if end in table), None)
    return rule[::-1] if rule is not None and kind == "Conv1D" else rule
