"""Checkpoints in memory for tests: true headers of famous models, from their hyper-parameters."""

from collections.abc import Mapping

from ckptinspect.header import parse_header
from ckptinspect.model import Checkpoint, Config, Header, Ref, Shard
from ckptinspect.naming.mtp import marks_in, mtp_marks
from tests.folders import Shapes, data_bytes, header_json

Tensors = dict[str, tuple[str, tuple[int, ...]]]


def checkpoint_of(
    tensors: Shapes, config: Mapping[str, object] | None = None, metadata: Mapping[str, str] | None = None
) -> Checkpoint:
    """A checkpoint of one file that holds these tensors, opened with their names."""
    return checkpoint_in_parts({"": tensors}, {"": config} if config is not None else {}, metadata)


def checkpoint_in_parts(
    parts: Mapping[str, Shapes],
    configs: Mapping[str, Mapping[str, object]] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Checkpoint:
    """A pipeline of these components, each in a file of its own."""
    found = {component: Config(values) for component, values in (configs or {}).items()}
    shards = tuple(
        Shard(f"{component or 'model'}.safetensors", header.nbytes + data_bytes(tensors), header, component=component)
        for component, tensors in parts.items()
        for header in [header_of(tensors, found.get(component) or Config(), metadata)]
    )
    layout = "single" if tuple(parts) == ("",) else "pipeline"
    return Checkpoint(Ref("checkpoints/tiny", "local", "checkpoints/tiny"), "local", layout, shards, found)


def header_of(tensors: Shapes, config: Config, metadata: Mapping[str, str] | None = None) -> Header:
    """The header of these tensors, MTP layers kept apart."""
    raw = header_json(tensors, metadata)
    size = 8 + len(raw) + data_bytes(tensors)
    return parse_header(raw, size, apart=tuple(sorted({*mtp_marks(config), *marks_in(tensors)})))


def matrix(name: str, rows: int, columns: int, *, bias: bool = False) -> Tensors:
    """A Linear, or whatever else has a matrix and perhaps a bias."""
    return vector(name, rows, columns, bias=rows if bias else 0)


def vector(name: str, *shape: int, bias: int = 0) -> Tensors:
    """A module with a weight of this shape and a bias of this length."""
    tensors: Tensors = {f"{name}.weight": ("BF16", shape)}
    return tensors | ({f"{name}.bias": ("BF16", (bias,))} if bias else {})


def decoder_layer(name: str, *, hidden: int, kv: int, ffn: int, bias: bool = False) -> Tensors:
    """A layer of Llama or, with ``bias``, of Qwen2."""
    return {
        **vector(f"{name}.input_layernorm", hidden),
        **matrix(f"{name}.mlp.down_proj", hidden, ffn),
        **matrix(f"{name}.mlp.gate_proj", ffn, hidden),
        **matrix(f"{name}.mlp.up_proj", ffn, hidden),
        **vector(f"{name}.post_attention_layernorm", hidden),
        **matrix(f"{name}.self_attn.k_proj", kv, hidden, bias=bias),
        **matrix(f"{name}.self_attn.o_proj", hidden, hidden),
        **matrix(f"{name}.self_attn.q_proj", hidden, hidden, bias=bias),
        **matrix(f"{name}.self_attn.v_proj", kv, hidden, bias=bias),
    }


def decoder(name: str, *, layers: int, vocab: int, hidden: int, kv: int, ffn: int, bias: bool = False) -> Tensors:
    """A language model without its head, sorted by name as writers sort it."""
    tensors = matrix(f"{name}.embed_tokens", vocab, hidden) | vector(f"{name}.norm", hidden)
    for number in range(layers):
        tensors |= decoder_layer(f"{name}.layers.{number}", hidden=hidden, kv=kv, ffn=ffn, bias=bias)
    return dict(sorted(tensors.items()))


def llama_3_1_8b() -> Checkpoint:
    """Llama-3.1-8B-Instruct."""
    model = decoder("model", layers=32, vocab=128256, hidden=4096, kv=1024, ffn=14336)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "tie_word_embeddings": False,
    }
    return checkpoint_of(matrix("lm_head", 128256, 4096) | model, config)


def vision_block(name: str) -> Tensors:
    """A block of Qwen2-VL's vision tower."""
    return {
        **matrix(f"{name}.attn.proj", 1280, 1280, bias=True),
        **matrix(f"{name}.attn.qkv", 3840, 1280, bias=True),
        **matrix(f"{name}.mlp.fc1", 5120, 1280, bias=True),
        **matrix(f"{name}.mlp.fc2", 1280, 5120, bias=True),
        **vector(f"{name}.norm1", 1280, bias=1280),
        **vector(f"{name}.norm2", 1280, bias=1280),
    }


def qwen2_vl_7b(visual: str = "visual", model: str = "model") -> Checkpoint:
    """Qwen2-VL-7B-Instruct, in either layout."""
    tower = {
        **vector(f"{visual}.patch_embed.proj", 1280, 3, 2, 14, 14),
        **vector(f"{visual}.merger.ln_q", 1280, bias=1280),
        **matrix(f"{visual}.merger.mlp.0", 5120, 5120, bias=True),
        **matrix(f"{visual}.merger.mlp.2", 3584, 5120, bias=True),
    }
    for number in range(32):
        tower |= vision_block(f"{visual}.blocks.{number}")
    text = decoder(model, layers=28, vocab=152064, hidden=3584, kv=512, ffn=18944, bias=True)
    config = {
        "model_type": "qwen2_vl",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "tie_word_embeddings": False,
        "vision_config": {
            "depth": 32,
            "embed_dim": 1280,
            "hidden_size": 3584,
            "in_channels": 3,
            "mlp_ratio": 4,
            "num_heads": 16,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
    }
    return checkpoint_of(matrix("lm_head", 152064, 3584) | text | tower, config)


def bloom_1b4_zh() -> Checkpoint:
    """Langboat/bloom-1b4-zh: LayerNorms, biases, a head that is tied and not stored."""
    tensors = matrix("transformer.word_embeddings", 46145, 2048)
    for name in ("transformer.word_embeddings_layernorm", "transformer.ln_f"):
        tensors |= vector(name, 2048, bias=2048)
    for number in range(24):
        name = f"transformer.h.{number}"
        tensors |= vector(f"{name}.input_layernorm", 2048, bias=2048)
        tensors |= matrix(f"{name}.mlp.dense_4h_to_h", 2048, 8192, bias=True)
        tensors |= matrix(f"{name}.mlp.dense_h_to_4h", 8192, 2048, bias=True)
        tensors |= vector(f"{name}.post_attention_layernorm", 2048, bias=2048)
        tensors |= matrix(f"{name}.self_attention.dense", 2048, 2048, bias=True)
        tensors |= matrix(f"{name}.self_attention.query_key_value", 6144, 2048, bias=True)
    config = {"model_type": "bloom", "hidden_size": 2048, "n_head": 16, "n_layer": 24, "vocab_size": 46145}
    return checkpoint_of(tensors, config)


def fp8(name: str, rows: int, columns: int) -> Tensors:
    """An FP8 weight with the scales of its 128 by 128 blocks."""
    scales = -(-rows // 128), -(-columns // 128)
    return {f"{name}.weight": ("F8_E4M3", (rows, columns)), f"{name}.weight_scale_inv": ("F32", scales)}


def gated(name: str, width: int, hidden: int = 256) -> Tensors:
    """A gated feed-forward in FP8."""
    down = fp8(f"{name}.down_proj", hidden, width)
    return down | fp8(f"{name}.gate_proj", width, hidden) | fp8(f"{name}.up_proj", width, hidden)


def small_deepseek() -> Checkpoint:
    """DeepSeek-V3 in small: 2 dense layers, 3 with 4 experts, one MTP layer with its own embedding and head."""
    tensors = matrix("model.embed_tokens", 1000, 256) | vector("model.norm", 256) | matrix("lm_head", 1000, 256)
    for number in range(6):
        name = f"model.layers.{number}"
        tensors |= vector(f"{name}.input_layernorm", 256) | vector(f"{name}.self_attn.kv_a_layernorm", 64)
        tensors |= fp8(f"{name}.self_attn.kv_a_proj_with_mqa", 96, 256)
        tensors |= fp8(f"{name}.self_attn.kv_b_proj", 512, 64)
        if number < 2:
            tensors |= gated(f"{name}.mlp", 768)
            continue
        tensors |= matrix(f"{name}.mlp.gate", 4, 256)
        tensors[f"{name}.mlp.gate.e_score_correction_bias"] = ("F32", (4,))
        for expert in range(4):
            tensors |= gated(f"{name}.mlp.experts.{expert}", 128)
        tensors |= gated(f"{name}.mlp.shared_experts", 128)
    extra = "model.layers.5"
    tensors |= matrix(f"{extra}.eh_proj", 256, 512) | vector(f"{extra}.enorm", 256) | vector(f"{extra}.hnorm", 256)
    tensors |= matrix(f"{extra}.embed_tokens", 1000, 256) | matrix(f"{extra}.shared_head.head", 1000, 256)
    config = {
        "model_type": "deepseek_v3",
        "first_k_dense_replace": 2,
        "hidden_size": 256,
        "intermediate_size": 768,
        "kv_lora_rank": 64,
        "moe_intermediate_size": 128,
        "n_routed_experts": 4,
        "n_shared_experts": 1,
        "num_attention_heads": 4,
        "num_hidden_layers": 5,
        "num_nextn_predict_layers": 1,
        "qk_nope_head_dim": 64,
        "qk_rope_head_dim": 32,
        "v_head_dim": 64,
        "vocab_size": 1000,
        "tie_word_embeddings": False,
    }
    return checkpoint_of(tensors, config)
