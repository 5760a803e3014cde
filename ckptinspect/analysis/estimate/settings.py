"""What the config says of the language model: whatever section it stands in, under whichever name."""

from collections.abc import Mapping

from ckptinspect.dtypes import Dtype, Family
from ckptinspect.errors import RefError
from ckptinspect.model import Config

_SECTIONS = ("text_config", "llm_config", "language_config", "decoder")
# transformers ``attribute_map``, DBRX's and MPT's ``attn_config``, ChatGLM, Falcon.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "hidden": ("hidden_size", "n_embd", "d_model", "dim", "hidden_dim"),
    "layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    "heads": ("num_attention_heads", "n_head", "num_heads", "n_heads", "decoder_attention_heads"),
    "kv_heads": ("num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num", "kv_n_heads"),
    "head_dim": ("head_dim", "d_kv", "kv_channels", "attention_head_dim", "attention_key_value_channels"),
    "ffn": ("intermediate_size", "n_inner", "ffn_dim", "d_ff", "ffn_hidden_size"),
    "vocab": ("vocab_size", "padded_vocab_size"),
    "positions": (
        *("max_position_embeddings", "n_positions", "max_target_positions", "seq_length", "max_seq_len"),
        *("max_sequence_length", "model_max_length", "n_ctx"),
    ),
    "window": ("sliding_window", "window_size", "attention_window_size"),
    "experts": ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"),
    "chosen": (
        *("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_top_k", "moe_k", "top_k_experts"),
        *("experts_per_token", "router_top_k"),
    ),
    "state": ("state_size", "mamba_d_state", "ssm_state_size"),
    "linear_key_heads": ("linear_num_key_heads",),
    "linear_key_dim": ("linear_key_head_dim",),
    "kv_rank": ("kv_lora_rank",),
    "rope": ("qk_rope_head_dim",),
    "index_dim": ("index_head_dim",),
    "shared_layers": ("num_kv_shared_layers",),
    "source_positions": ("max_source_positions",),
}


class Settings:
    """A config as the language model reads it; None for whatever it does not say."""

    def __init__(self, config: Config) -> None:
        self.root = config
        thinker = config.section("thinker_config")
        own = config.section(*_SECTIONS) or thinker.section(*_SECTIONS)
        self._parts = tuple(part for part in (own, config) if part)

    def number(self, concept: str) -> int | None:
        """The number that a concept has; 0 as a writer's way to say none counts as None."""
        return self.integer(*_KEYS[concept])

    def integer(self, *keys: str) -> int | None:
        """The first positive integer under one of these keys."""
        for part in self._parts:
            for section in (part, part.section("attn_config"), part.section("ffn_config")):
                if value := section.integer(*keys):
                    return value
        return None

    def key(self, concept: str) -> str:
        """What the config calls a concept, for messages."""
        keys = _KEYS[concept]
        return next((key for part in self._parts for key in keys if part.integer(key)), keys[0])

    def flag(self, *keys: str) -> bool | None:
        """The first truth value under one of these keys."""
        return next((value for part in self._parts if (value := part.flag(*keys)) is not None), None)

    def text(self, *keys: str) -> str | None:
        """The first string under one of these keys."""
        return next((value for part in self._parts if (value := part.text(*keys)) is not None), None)

    def items(self, key: str) -> list[object] | None:
        """The list under a key."""
        lists = (part.values.get(key) for part in self._parts)
        return next((value for value in lists if isinstance(value, list)), None)

    @property
    def kv_heads(self) -> int | None:
        """The heads of keys and values: those of the queries where the config has no others."""
        if self.flag("multi_query") and not self.flag("new_decoder_architecture"):
            # Falcon and GPTBigCode: one head for all, whatever num_kv_heads says.
            return 1
        return self.number("kv_heads") or self.number("heads")

    @property
    def model_type(self) -> str:
        """The type of the language model; empty where the config has none."""
        return self.text("model_type") or ""

    @property
    def dtype(self) -> Dtype | None:
        """The floating-point format that the model computes in."""
        from ckptinspect.analysis.estimate.asked import dtype_named

        for part in self._parts:
            if (name := part.text("dtype", "torch_dtype")) is not None:
                try:
                    dtype = dtype_named(name, "config.json")
                except RefError:
                    continue
                if dtype.family is Family.FLOAT:
                    return dtype
        return None

    def __bool__(self) -> bool:
        return bool(self.root)
