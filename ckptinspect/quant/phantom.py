"""Biases of zeros that a quantizer wrote where the model has none.

AutoGPTQ gave every quantized linear a ``bias``. A header does not show that it is zeros; but where the config says
that the attention or the feed-forward has no biases, or the model class has none to load, they are the quantizer's.
A Llama-3.1-8B of that kind shows 1,376,256 elements too many.
"""

from msgspec.structs import replace

from ckptinspect.model import Config
from ckptinspect.quant.base import Explained, Setting

_ATTENTION = frozenset(("q_proj", "k_proj", "v_proj", "o_proj", "qkv_proj", "W_pack", "wqkv", "wo"))
_FEED_FORWARD = frozenset(("gate_proj", "up_proj", "down_proj", "gate_up_proj", "w1", "w2", "w3"))
_QUERIES = frozenset(("q_proj", "k_proj", "v_proj"))
# Classes without biases but where the config asks for them (transformers, modeling_*.py), and those of which only
# queries, keys and values have them.
_WITHOUT = frozenset(
    (
        *("llama", "mistral", "mixtral", "gemma", "gemma2", "gemma3", "gemma3_text", "qwen3", "qwen3_moe", "phi3"),
        *("olmo", "olmo2", "cohere", "cohere2", "internlm2", "baichuan", "granite", "deepseek_v2", "deepseek_v3"),
        *("ministral", "mistral3", "smollm3", "yi", "aquila"),
    )
)
_QUERIES_ONLY = frozenset(("qwen2", "qwen2_moe", "qwen2_vl", "qwen2_vl_text", "qwen2_5_vl", "qwen2_5_vl_text"))
# And those whose linears all have them.
_WITH = frozenset(("opt", "bloom", "gpt2", "gpt_neox", "gptj", "codegen", "phi", "gpt_bigcode", "starcoder2", "mpt"))
_FLAGS = ("attention_bias", "qkv_bias", "bias", "use_bias")
_TEXT = ("text_config", "llm_config", "language_config")


def is_phantom(explained: Explained, setting: Setting) -> Explained:
    """The same, with the unit's bias marked where the model has none."""
    unit = explained.unit
    if unit is None or not (biases := unit.all(("bias",))) or not denied_by(unit.path, setting.config):
        return explained
    return replace(explained, phantom=biases)


def has_biases(config: Config) -> bool:
    """Whether all linears of the model class have a bias."""
    return config.text("model_type") in _WITH or _flag(config, config.section(*_TEXT), *_FLAGS) is True


def denied_by(path: str, config: Config) -> str:
    """Who says that the model's module at this path has no bias: the config or its class; empty where nobody does."""
    words = path.split(".")
    text = config.section(*_TEXT)
    if words[-1] in _ATTENTION:
        flag = _flag(config, text, "attention_bias", "qkv_bias", "bias")
    elif words[-1] in _FEED_FORWARD:
        flag = _flag(config, text, "mlp_bias", "bias")
    else:
        return ""
    types = {config.text("model_type"), text.text("model_type")}
    if not types.isdisjoint(_QUERIES_ONLY):
        return "class" if words[-1] not in _QUERIES else ""
    if flag is not None:
        return "config" if not flag else ""
    return "class" if not types.isdisjoint(_WITHOUT) else ""


def _flag(config: Config, text: Config, *keys: str) -> bool | None:
    found = text.flag(*keys)
    return config.flag(*keys) if found is None else found
