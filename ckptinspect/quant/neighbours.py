"""What the tensors around a module, and the config, say about its widths.

A packed weight hides how many inputs it takes. The norm in front of it does not, nor do the outputs of the module
that feeds it: ``down_proj`` takes what ``gate_proj`` gives. Paths are looked at without their digits, so that one
layer speaks for all.
"""

from collections.abc import Iterable, Iterator, Mapping

from ckptinspect.model import Config, Kind, Shape
from ckptinspect.quant.leaves import template_and_leaf

_FLOATS = frozenset({"F16", "BF16", "F32", "F64", "F8_E4M3", "F8_E5M2"})
# Modules by their last word. Those that read the hidden state, and those that write to it from within the
# attention or the feed-forward.
_READERS = frozenset(
    (
        *("q_proj", "k_proj", "v_proj", "qkv_proj", "query_key_value", "Wqkv", "wqkv", "W_pack", "c_attn", "to_q"),
        *("to_k", "to_v", "wq", "wk", "wv", "query", "key", "value", "gate_proj", "up_proj", "gate_up_proj", "w1"),
        *("w3", "fc1", "c_fc", "dense_h_to_4h", "wi", "wi_0", "wi_1", "q_a_proj", "kv_a_proj_with_mqa", "lm_head"),
        *("embed_tokens", "embedding", "unembedding", "wte", "embed_out", "word_embeddings", "qkv", "fc_in", "gate"),
        *("mlp1_weight", "in_proj_qkvz", "in_proj_ba", "in_proj_qkv", "in_proj_z", "in_proj_a", "in_proj_b"),
        *("output", "tok_embeddings", "attn_qkv"),
    )
)
_GATED = ("gate_proj", "up_proj", "w1", "w3", "fc1", "c_fc", "dense_h_to_4h", "wi", "wi_0", "wi_1", "fc_in")
_JOINT = ("gate_up_proj", "mlp1_weight", "w13", "w12")
_DOWN = frozenset(("down_proj", "w2", "fc2", "dense_4h_to_h", "fc_out", "mlp2_weight"))
_OUT = frozenset(("o_proj", "out_proj", "wo", "dense", "to_out", "c_proj"))
_QUERIES = ("q_proj", "wq", "query", "to_q")
_NORMS = (
    *("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "attention_norm", "ffn_norm"),
    *(
        "ln_1",
        "ln_2",
        "norm1",
        "norm2",
        "ln_attn",
        "ln_mlp",
        "attn_norm",
        "mlp_norm",
        "norm",
        "ln_f",
        "final_layernorm",
    ),
    *("layer_norm1", "layer_norm2", "layernorm_before", "layernorm_after", "operator_norm", "pre_attention_layernorm"),
    *("final_layer_norm", "self_attn_layer_norm", "layer_norm", "norm_f", "post_feedforward_layernorm"),
)
_LAST = (".norm", ".ln_f", ".norm_f", ".final_layernorm", ".final_layer_norm")
_HIDDEN = ("hidden_size", "n_embd", "d_model", "dim", "hidden_dim")
_WIDTHS = (
    *("intermediate_size", "moe_intermediate_size", "shared_expert_intermediate_size", "ffn_dim", "d_ff", "n_inner"),
    *("ffn_hidden_size", "expert_ffn_hidden_size", "intermediate_size_mlp"),
)
_HEADS = ("num_attention_heads", "n_head", "num_heads", "n_heads")
_GROUPS = ("num_key_value_heads", "num_kv_heads", "n_head_kv")
_ENDS = frozenset(("lm_head", "embed_tokens", "wte", "word_embeddings", "embed_out"))
_SECTIONS = ("text_config", "llm_config", "language_config", "vision_config")
_DIGITS = str.maketrans("", "", "0123456789")


class Neighbours:
    """The widths that a component's tensors and its config vouch for."""

    def __init__(self, kinds: Iterable[Kind], config: Config) -> None:
        self._config = config
        self._outputs: dict[str, set[int]] = {}
        self._inputs: dict[str, set[int]] = {}
        self._vectors: dict[str, set[int]] = {}
        groups: dict[str, dict[str, list[Kind]]] = {}
        for kind in kinds:
            if kind.example:
                path, leaf = template_and_leaf(kind)
                groups.setdefault(path, {}).setdefault(leaf, []).append(kind)
        for leaves in groups.values():
            self._learn(leaves)

    def inputs(self, path: str) -> frozenset[int]:
        """The widths that may go into the module at this path, by other tensors; empty where none tells."""
        parent, word = _above(path)
        found = set(self._inputs.get(_key(path), ()))
        if word in _DOWN or (word == "c_proj" and "mlp" in parent):
            found |= self._rows(parent, _GATED)
            found |= {rows // 2 for rows in self._rows(parent, _JOINT)}
        elif _is_attention_out(parent, word):
            gated = self._config.flag("attn_output_gate") or "qwen3_next" in (self._config.text("model_type") or "")
            found |= {rows // 2 if gated else rows for rows in self._rows(parent, _QUERIES)}
        elif word in _READERS:
            found |= self._hidden(path)
        return frozenset(width for width in found if width > 0)

    def outputs(self, path: str) -> frozenset[int]:
        """The widths that may come out of the module, by its bias or by what takes them."""
        parent, word = _above(path)
        found = set(self._outputs.get(_key(path), ()))
        if word in _DOWN or _is_attention_out(parent, word):
            found |= self._hidden(path)
        elif word in _GATED:
            found |= self._rows(parent, _GATED)
        return frozenset(found)

    def claimed(self, path: str) -> frozenset[int]:
        """The widths that may go into the module by the config."""
        _, word = _above(path)
        found = set()
        for config in self._configs():
            hidden, heads = config.integer(*_HIDDEN), config.integer(*_HEADS)
            if word in _DOWN:
                found |= {value for key in _WIDTHS if (value := config.integer(key))}
            elif word in _OUT:
                size = config.integer("head_dim", "v_head_dim")
                found |= {heads * size} if heads and size else {hidden} if hidden else set()
            elif hidden:
                found.add(hidden)
        return frozenset(found)

    def products(self, path: str) -> frozenset[int]:
        """How many values a matrix at this path may have, by the widths of its neighbours and of the config."""
        wide = self.inputs(path) or self.claimed(path)
        long = self.outputs(path) or self._claimed_outputs(path)
        return frozenset(inputs * outputs for inputs in wide for outputs in long)

    def _claimed_outputs(self, path: str) -> frozenset[int]:
        """The widths that may come out of the module by the config."""
        _, word = _above(path)
        found = set()
        for config in self._configs():
            hidden, heads = config.integer(*_HIDDEN), config.integer(*_HEADS)
            size = config.integer("head_dim") or (hidden // heads if hidden and heads else None)
            if word in _DOWN | _OUT:
                found.add(hidden)
            elif word in _GATED:
                found |= {config.integer(key) for key in _WIDTHS}
            elif word in _JOINT:
                found |= {2 * value for key in _WIDTHS if (value := config.integer(key))}
            elif word in _QUERIES and size and heads:
                found.add(size * heads)
            elif word in {"k_proj", "v_proj"} and size:
                groups = config.integer(*_GROUPS) or heads
                found.add(size * groups if groups else None)
            elif word in _ENDS:
                found.add(config.integer("vocab_size"))
        return frozenset(width for width in found if width)

    def _configs(self) -> Iterator[Config]:
        yield self._config
        yield from (self._config.section(name) for name in _SECTIONS)

    def _learn(self, leaves: Mapping[str, list[Kind]]) -> None:
        for kind in leaves.get("weight", ()):
            key = _key(_owner(kind, "weight"))
            if kind.dtype.code in _FLOATS and kind.rank == 1:
                self._vectors.setdefault(key, set()).add(kind.shape[0])
            elif kind.dtype.code in _FLOATS and kind.rank in {2, 3} and not _is_flat(kind.shape):
                self._outputs.setdefault(key, set()).add(kind.shape[-2])
                self._inputs.setdefault(key, set()).add(kind.shape[-1])
        for kind, leaf, at in _witnesses(leaves):
            if kind.rank >= -at:
                self._outputs.setdefault(_key(_owner(kind, leaf)), set()).add(kind.shape[at])

    def _rows(self, parent: str, words: Iterable[str]) -> set[int]:
        return {rows for word in words for rows in self._outputs.get(f"{_folded(parent)}.{word}", ())}

    def _hidden(self, path: str) -> set[int]:
        """The width of the hidden state where the module stands: by the norms of its layer or of its stack."""
        scopes = tuple(_scopes(path))
        for scope in scopes:
            if found := {width for name in _NORMS for width in self._vectors.get(f"{scope}{name}", ())}:
                return found
        if _layer_at(path) is not None:
            return set()
        # A head stands outside: the last norm of the model, or the embedding, is as wide as it.
        for scope in scopes:
            norms = (key for key in self._vectors if key.startswith(scope) and key.endswith(_LAST) and ".." not in key)
            if found := {width for key in norms for width in self._vectors[key]}:
                return found
        embeddings = (key for key in self._inputs if key.endswith((".embed_tokens", ".wte")) or key == "embedding")
        return {width for key in embeddings for width in self._inputs[key]}


def _witnesses(leaves: Mapping[str, list[Kind]]) -> Iterator[tuple[Kind, str, int]]:
    """Tensors of a packed module that show its outputs, and in which dimension."""
    for leaf, at in (("bias", -1), ("weight_packed", -2)):
        yield from ((kind, leaf, at) for kind in leaves.get(leaf, ()))
    weights = [kind.shape[:-1] for kind in leaves.get("weight", ()) if kind.dtype.code not in _FLOATS]
    for kind in leaves.get("weight_scale", ()):
        if kind.rank > 1 and kind.shape[:-1] in weights:
            yield kind, "weight_scale", -2
        elif kind.rank == 1 and kind.shape in weights:
            yield kind, "weight_scale", -1
    if "qweight" in leaves:
        yield from ((kind, "scales", -1) for kind in leaves.get("scales", ()))
    elif any(kind.dtype.code == "U32" for kind in leaves.get("weight", ())):
        yield from ((kind, "scales", -2) for kind in leaves.get("scales", ()))


def _is_attention_out(parent: str, word: str) -> bool:
    """Whether a module writes what the attention gives; BERT's ``dense`` may be any of its linears."""
    return word in _OUT and (word != "dense" or "attention" in parent.rpartition(".")[2])


def _is_flat(shape: Shape) -> bool:
    """Whether a container holds its values in one column."""
    return shape[-1] == 1


def _owner(kind: Kind, leaf: str) -> str:
    return kind.example[: -len(leaf) - 1]


def _above(path: str) -> tuple[str, str]:
    """The path above and the last word; what only counts modules (``to_out.0``) is passed over."""
    parent, _, word = path.rpartition(".")
    if word.isdigit() and parent:
        parent, _, word = parent.rpartition(".")
    return parent, word


def _key(path: str) -> str:
    """The path without the digits of all words but the last."""
    parent, word = _above(path)
    return f"{_folded(parent)}.{word}" if parent else word


def _folded(path: str) -> str:
    return path.translate(_DIGITS)


def _layer_at(path: str) -> int | None:
    """How many words stand before the number of the first layer that the module is in."""
    return next((at for at, word in enumerate(path.split(".")[:-1]) if at and word.isdigit()), None)


def _scopes(path: str) -> Iterator[str]:
    """The folded paths around a module, outwards, each with the dot that ends it: of what stands in a layer no
    further than to what holds the stack, since beyond it another tower's norms begin.
    """
    words = _folded(path).split(".")[:-1]
    layer = _layer_at(path)
    for length in range(len(words), -1 if layer is None else layer - 2, -1):
        yield "".join(f"{word}." for word in words[:length])
