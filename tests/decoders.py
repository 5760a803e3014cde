"""Headers of language models that mix tokens in one way or another, small but for what their caches depend on.

The widths of keys, values and states, the numbers of layers and the configs are the published ones; feed-forwards
and vocabularies are left out, since no cache depends on them.
"""

from collections.abc import Mapping

from ckptinspect.model import Checkpoint
from tests.checkpoints import Tensors, checkpoint_of, matrix, vector

Values = Mapping[str, object]


def attention(name: str, *, hidden: int, queries: int, keys: int) -> Tensors:
    """Separate projections, keys and values of one width."""
    return {
        **matrix(f"{name}.q_proj", queries, hidden),
        **matrix(f"{name}.k_proj", keys, hidden),
        **matrix(f"{name}.v_proj", keys, hidden),
        **matrix(f"{name}.o_proj", hidden, queries),
    }


def decoder_of(config: Values, layers: int, *, hidden: int, queries: int, keys: int) -> Checkpoint:
    """A decoder whose layers attend alike, as far as their shapes go."""
    tensors: Tensors = {}
    for number in range(layers):
        tensors |= attention(f"model.layers.{number}.self_attn", hidden=hidden, queries=queries, keys=keys)
    return checkpoint_of(tensors, {"torch_dtype": "bfloat16", "num_hidden_layers": layers, **config})


def fused_decoder(
    config: Values, layers: int, name: str, *, rows: int, hidden: int, output: tuple[int, int]
) -> Checkpoint:
    """A decoder with one matrix for queries, keys and values; ``name`` holds a ``{}`` for the layer."""
    qkv, out = name.split(" ")
    tensors: Tensors = {}
    for number in range(layers):
        tensors |= matrix(qkv.format(number), rows, hidden) | matrix(out.format(number), *output)
    return checkpoint_of(tensors, {"torch_dtype": "bfloat16", **config})


def llama_3_1_70b() -> Checkpoint:
    config = {"model_type": "llama", "num_attention_heads": 64, "num_key_value_heads": 8, "hidden_size": 8192}
    return decoder_of(config, 80, hidden=8192, queries=8192, keys=1024)


def mla(layers: int = 61, *, indexer: bool = False) -> Checkpoint:
    """DeepSeek-V3; with the indexer of V3.2."""
    tensors: Tensors = {}
    for number in range(layers):
        name = f"model.layers.{number}.self_attn"
        tensors |= matrix(f"{name}.kv_a_proj_with_mqa", 512 + 64, 7168) | vector(f"{name}.kv_a_layernorm", 512)
        tensors |= matrix(f"{name}.kv_b_proj", 128 * (128 + 128), 512) | matrix(f"{name}.o_proj", 7168, 128 * 128)
        tensors |= matrix(f"{name}.q_a_proj", 1536, 7168) | matrix(f"{name}.q_b_proj", 128 * (128 + 64), 1536)
        if indexer:
            tensors |= matrix(f"{name}.indexer.wk", 128, 7168) | matrix(f"{name}.indexer.wq_b", 8192, 1536)
    config = {
        "model_type": "deepseek_v3",
        "torch_dtype": "bfloat16",
        "kv_lora_rank": 512,
        "qk_rope_head_dim": 64,
        "index_head_dim": 128,
    }
    return checkpoint_of(tensors, config)


def falcon_7b() -> Checkpoint:
    """Multi-query attention, in a config that says 71 key-value heads all the same."""
    config = {
        "model_type": "falcon",
        "multi_query": True,
        "new_decoder_architecture": False,
        "num_attention_heads": 71,
        "num_kv_heads": 71,
        "hidden_size": 4544,
    }
    name = "transformer.h.{0}.self_attention.query_key_value transformer.h.{0}.self_attention.dense"
    return fused_decoder(config, 32, name, rows=4672, hidden=4544, output=(4544, 4544))


def mamba(name: str, *, hidden: int, inner: int, state: int, kernel: int = 4) -> Tensors:
    """A Mamba block."""
    return {
        **matrix(f"{name}.in_proj", 2 * inner, hidden),
        **vector(f"{name}.conv1d", inner, 1, kernel, bias=inner),
        **matrix(f"{name}.x_proj", 256 + 2 * state, inner),
        **matrix(f"{name}.out_proj", hidden, inner),
        f"{name}.A_log": ("BF16", (inner, state)),
        f"{name}.D": ("BF16", (inner,)),
    }


def jamba() -> Checkpoint:
    """Jamba-v0.1: 4 of 32 layers attend (attn_layer_period 8, attn_layer_offset 4)."""
    tensors: Tensors = {}
    for number in range(32):
        name = f"model.layers.{number}"
        if number % 8 == 4:
            tensors |= attention(f"{name}.self_attn", hidden=4096, queries=4096, keys=1024)
        else:
            tensors |= mamba(f"{name}.mamba", hidden=4096, inner=8192, state=16)
    config = {
        "model_type": "jamba",
        "torch_dtype": "bfloat16",
        "attn_layer_offset": 4,
        "attn_layer_period": 8,
        "hidden_size": 4096,
        "max_position_embeddings": 262144,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "sliding_window": None,
    }
    return checkpoint_of(tensors, config)


def mamba2_130m(**config: object) -> Checkpoint:
    """mamba2-130m: inner 1536 in 24 heads of 64, a state of 128, one group."""
    tensors: Tensors = {}
    for number in range(24):
        name = f"backbone.layers.{number}.mixer"
        tensors |= matrix(f"{name}.in_proj", 2 * 1536 + 2 * 128 + 24, 768) | matrix(f"{name}.out_proj", 768, 1536)
        tensors |= vector(f"{name}.conv1d", 1536 + 2 * 128, 1, 4, bias=1792) | vector(f"{name}.norm", 1536)
        tensors |= {f"{name}.A_log": ("BF16", (24,)), f"{name}.dt_bias": ("BF16", (24,)), f"{name}.D": ("BF16", (24,))}
    return checkpoint_of(tensors, {"model_type": "mamba2", "torch_dtype": "float32", **config})


def qwen3_next() -> Checkpoint:
    """Qwen3-Next-80B-A3B: every fourth of 48 layers attends, the others are gated delta nets."""
    tensors: Tensors = {}
    for number in range(48):
        name = f"model.layers.{number}"
        if number % 4 == 3:
            # The queries come with a gate: q_proj is twice as wide as what o_proj takes.
            tensors |= attention(f"{name}.self_attn", hidden=2048, queries=4096, keys=512)
            tensors |= matrix(f"{name}.self_attn.q_proj", 8192, 2048)
            continue
        net = f"{name}.linear_attn"
        tensors |= matrix(f"{net}.in_proj_qkvz", 12288, 2048) | matrix(f"{net}.in_proj_ba", 64, 2048)
        tensors |= vector(f"{net}.conv1d", 8192, 1, 4) | vector(f"{net}.norm", 128)
        tensors |= matrix(f"{net}.out_proj", 2048, 4096)
        tensors |= {f"{net}.A_log": ("BF16", (32,)), f"{net}.dt_bias": ("BF16", (32,))}
    config = {
        "model_type": "qwen3_next",
        "torch_dtype": "bfloat16",
        "full_attention_interval": 4,
        "head_dim": 256,
        "hidden_size": 2048,
        "linear_conv_kernel_dim": 4,
        "linear_key_head_dim": 128,
        "linear_num_key_heads": 16,
        "linear_num_value_heads": 32,
        "linear_value_head_dim": 128,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
    }
    return checkpoint_of(tensors, config)


def lfm2() -> Checkpoint:
    """LFM2-1.2B: 10 of 16 layers are short convolutions."""
    tensors: Tensors = {}
    attending = (2, 5, 8, 10, 12, 14)
    for number in range(16):
        name = f"model.layers.{number}"
        if number in attending:
            tensors |= attention(f"{name}.self_attn", hidden=2048, queries=2048, keys=512)
            continue
        tensors |= matrix(f"{name}.conv.in_proj", 3 * 2048, 2048) | matrix(f"{name}.conv.out_proj", 2048, 2048)
        tensors |= vector(f"{name}.conv.conv", 2048, 1, 3)
    types = ["full_attention" if number in attending else "conv" for number in range(16)]
    return checkpoint_of(tensors, {"model_type": "lfm2", "torch_dtype": "bfloat16", "layer_types": types})


def kimi_linear() -> Checkpoint:
    """One layer of Kimi delta attention, 32 heads of 128, and one of MLA."""
    tensors: Tensors = {}
    name = "model.layers.0.self_attn"
    for part in "qkv":
        tensors |= matrix(f"{name}.{part}_proj", 4096, 2304) | vector(f"{name}.{part}_conv1d", 4096, 1, 4)
    tensors |= matrix(f"{name}.o_proj", 2304, 4096) | matrix(f"{name}.f_a_proj", 128, 2304)
    tensors |= {f"{name}.A_log": ("F32", (1, 1, 32, 1)), f"{name}.dt_bias": ("F32", (4096,))}
    latent = "model.layers.1.self_attn"
    tensors |= matrix(f"{latent}.kv_a_proj_with_mqa", 576, 2304) | vector(f"{latent}.kv_a_layernorm", 512)
    return checkpoint_of(tensors, {"model_type": "kimi_linear", "torch_dtype": "bfloat16"})


def rwkv_4() -> Checkpoint:
    """RWKV-4-169M."""
    tensors: Tensors = {}
    for number in range(12):
        name = f"rwkv.blocks.{number}"
        for part in ("key", "value", "receptance", "output"):
            tensors |= matrix(f"{name}.attention.{part}", 768, 768)
        tensors |= matrix(f"{name}.feed_forward.key", 3072, 768) | matrix(f"{name}.feed_forward.value", 768, 3072)
        tensors |= matrix(f"{name}.feed_forward.receptance", 768, 768)
        tensors |= {f"{name}.attention.time_decay": ("F32", (768,)), f"{name}.attention.time_first": ("F32", (768,))}
    return checkpoint_of(tensors, {"model_type": "rwkv", "torch_dtype": "float32"})


def llama_3_2_vision() -> Checkpoint:
    """Llama-3.2-11B-Vision: 8 of 40 layers attend to the picture instead of the text."""
    tensors: Tensors = {}
    crossing = (3, 8, 13, 18, 23, 28, 33, 38)
    for number in range(40):
        inner = "cross_attn" if number in crossing else "self_attn"
        name = f"language_model.model.layers.{number}.{inner}"
        tensors |= attention(name, hidden=4096, queries=4096, keys=1024)
    config = {
        "model_type": "mllama",
        "torch_dtype": "bfloat16",
        "text_config": {"model_type": "mllama_text_model", "num_attention_heads": 32, "num_key_value_heads": 8},
        "vision_config": {"image_size": 560, "patch_size": 14, "max_num_tiles": 4},
    }
    return checkpoint_of(tensors, config)
