"""The widths that a config gives its modules: the word of a witness, which other tensors may refute."""

from collections.abc import Iterator

from ckptinspect.model import Config
from ckptinspect.quant.widths import above

_HIDDEN = ("hidden_size", "n_embd", "d_model", "dim", "hidden_dim")
_WIDTHS = (
    *("intermediate_size", "moe_intermediate_size", "shared_expert_intermediate_size", "ffn_dim", "d_ff", "n_inner"),
    *("ffn_hidden_size", "expert_ffn_hidden_size", "intermediate_size_mlp"),
)
_HEADS = ("num_attention_heads", "n_head", "num_heads", "n_heads")
_GROUPS = ("num_key_value_heads", "num_kv_heads", "n_head_kv")
_RANKS = {"q_b_proj": "q_lora_rank", "wq_b": "q_lora_rank", "kv_b_proj": "kv_lora_rank", "wkv_b": "kv_lora_rank"}
_ENDS = frozenset(("lm_head", "embed_tokens", "wte", "word_embeddings", "embed_out"))
_DOWN = frozenset(("down_proj", "w2", "fc2", "dense_4h_to_h", "fc_out", "mlp2_weight"))
_OUT = frozenset(("o_proj", "out_proj", "wo", "dense", "to_out", "c_proj"))
_QUERIES = frozenset(("q_proj", "wq", "query", "to_q"))
_GATED = frozenset(("gate_proj", "up_proj", "w1", "w3", "fc1", "c_fc", "dense_h_to_4h", "wi", "wi_0", "wi_1", "fc_in"))
_JOINT = frozenset(("gate_up_proj", "mlp1_weight", "w13", "w12"))
_SECTIONS = ("text_config", "llm_config", "language_config", "vision_config")


def claimed_inputs(path: str, config: Config) -> frozenset[int]:
    """The widths that may go into the module at a path by its config."""
    word = above(path)[1]
    found: set[int | None] = set()
    for part in _parts(config):
        hidden, heads = part.integer(*_HIDDEN), part.integer(*_HEADS)
        if word in _RANKS:
            found.add(part.integer(_RANKS[word]))
        elif word in _DOWN:
            found |= {part.integer(key) for key in _WIDTHS}
        elif word in _OUT:
            sizes = [size for key in ("head_dim", "v_head_dim") if (size := part.integer(key))]
            found |= {heads * size for size in sizes} if heads and sizes else {hidden}
        else:
            found.add(hidden)
    return frozenset(width for width in found if width)


def claimed_outputs(path: str, config: Config) -> frozenset[int]:
    """The widths that may come out of the module by its config."""
    word = above(path)[1]
    found: set[int | None] = set()
    for part in _parts(config):
        hidden, heads = part.integer(*_HIDDEN), part.integer(*_HEADS)
        size = part.integer("head_dim") or (hidden // heads if hidden and heads else None)
        if word in _DOWN | _OUT:
            found.add(hidden)
        elif word in _GATED:
            found |= {part.integer(key) for key in _WIDTHS}
        elif word in _JOINT:
            found |= {2 * value for key in _WIDTHS if (value := part.integer(key))}
        elif word in _QUERIES and size and heads:
            found.add(size * heads)
        elif word in {"k_proj", "v_proj"} and size:
            groups = part.integer(*_GROUPS) or heads
            found.add(size * groups if groups else None)
        elif word in _ENDS:
            found.add(part.integer("vocab_size"))
    return frozenset(width for width in found if width)


def _parts(config: Config) -> Iterator[Config]:
    yield config
    yield from (config.section(name) for name in _SECTIONS)
