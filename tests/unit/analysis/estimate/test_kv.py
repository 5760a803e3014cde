"""Every figure here is worked out by hand, from the published configs."""

import pytest
from msgspec.structs import replace

from ckptinspect.analysis.estimate.asked import Asked, dtype_named
from ckptinspect.model import Checkpoint
from tests.checkpoints import Tensors, checkpoint_of, llama_3_1_8b, matrix, small_deepseek, vector
from tests.decoders import (
    attention,
    decoder_of,
    falcon_7b,
    fused_decoder,
    jamba,
    kimi_linear,
    lfm2,
    llama_3_1_70b,
    llama_3_2_vision,
    mamba2_130m,
    mla,
    qwen3_next,
    rwkv_4,
)
from tests.estimating import figures, real, values

PER_TOKEN, WHOLE, STATE, FULL = "KV cache per token", "KV cache", "state per sequence", "per token, windows full"


def at(context: int, **asked: int) -> Asked:
    return Asked(context=context, **asked)  # type: ignore[arg-type]


def test_grouped_queries_keep_their_key_value_heads_only() -> None:
    # 32 layers * 2 * 8 heads * 128 * 2 bytes
    assert values(llama_3_1_8b(), "kv")[PER_TOKEN] == 131_072
    # 80 layers * 2 * 8 heads * 128 * 2 bytes
    assert values(llama_3_1_70b(), "kv")[PER_TOKEN] == 327_680


def test_latent_attention_keeps_one_vector_for_all_heads() -> None:
    # 61 layers * (512 + 64) * 2 bytes; peers say 25 times that
    found = values(mla(), "kv", at(4096))
    assert found[PER_TOKEN] == 70_272
    assert found[WHOLE] == 70_272 * 4096 == 287_834_112
    # In 8 bits half of it: 0.144 GB
    assert values(mla(), "kv", Asked(context=4096, kv_dtype=dtype_named("fp8", "")))[WHOLE] == 143_917_056


def test_an_indexer_keeps_a_key_beside_the_latent_vector() -> None:
    # DeepSeek-V3.2: 61 * (512 + 64 + 128) * 2 bytes
    assert values(mla(indexer=True), "kv")[PER_TOKEN] == 85_888


def test_multi_query_attention_keeps_one_head_whatever_the_config_says() -> None:
    # falcon-7b: 4672 rows less 4544 of the queries are 2 * 64; 32 layers * 128 * 2 bytes
    found = values(falcon_7b(), "kv", at(2048))
    assert found[PER_TOKEN] == 8_192
    assert found[WHOLE] == 16_777_216


def test_a_hybrid_keeps_tokens_in_the_layers_that_attend_alone() -> None:
    # Jamba: 4 layers * 2 * 8 heads * 128 * 2 bytes, times 262,144 tokens
    found = values(jamba(), "kv")
    assert found[PER_TOKEN] == 16_384
    # 28 layers * (8192 * (4 - 1) + 8192 * 16) * 2 bytes
    assert found[STATE] == 28 * (8192 * 3 + 8192 * 16) * 2 == 8_716_288
    assert found["full attention, per sequence"] == 4_294_967_296
    assert found[WHOLE] == 4_294_967_296 + 8_716_288


def gemma(layers: int, keys: int, **config: object) -> Checkpoint:
    return decoder_of(config, layers, hidden=2560, queries=2 * keys, keys=keys)


def test_every_other_layer_of_gemma_2_slides() -> None:
    # gemma-2-9b: 42 layers, 8 heads of 256, a window of 4096 in 21 of them
    found = values(gemma(42, 2048, model_type="gemma2", sliding_window=4096), "kv", at(8192))
    assert found[PER_TOKEN] == 42 * 2 * 2048 * 2 == 344_064
    assert found[FULL] == 21 * 2 * 2048 * 2 == 172_032
    assert found["sliding attention, per sequence"] == 21 * 4096 * 4096 * 2 == 704_643_072
    assert found["full attention, per sequence"] == 21 * 4096 * 8192 * 2 == 1_409_286_144
    assert found[WHOLE] == 2_113_929_216


def test_five_of_six_layers_of_gemma_3_slide() -> None:
    # gemma-3-4b: 34 layers, 4 heads of 256; layers 5, 11, 17, 23, 29 attend to everything, 29 slide over 1024
    config = {"model_type": "gemma3_text", "sliding_window": 1024}
    found = values(gemma(34, 1024, text_config=config), "kv", at(131072))
    assert found[PER_TOKEN] == 34 * 2 * 1024 * 2 == 139_264
    assert found["sliding attention, per sequence"] == 29 * 2048 * 1024 * 2 == 121_634_816
    assert found["full attention, per sequence"] == 5 * 2048 * 131072 * 2 == 2_684_354_560
    assert found[WHOLE] == 2_805_989_376


def test_a_text_shorter_than_the_window_fills_no_window() -> None:
    found = values(gemma(42, 2048, model_type="gemma2", sliding_window=4096), "kv", at(1000))
    assert FULL not in found
    assert found[WHOLE] == 344_064 * 1000


def test_layers_that_share_a_cache_keep_nothing() -> None:
    # gemma-3n-E4B: the last 15 of 35 layers read the caches of others; 2 heads of 256
    config = {"model_type": "gemma3n_text", "sliding_window": 512, "num_kv_shared_layers": 15}
    assert values(gemma(35, 512, **config), "kv")[PER_TOKEN] == 20 * 2 * 512 * 2 == 40_960


def test_chunked_layers_keep_a_chunk() -> None:
    # Llama-4-Scout: 48 layers, 8 heads of 128; every fourth has no positions and attends to everything
    config = {"model_type": "llama4_text", "attention_chunk_size": 8192}
    found = values(decoder_of(config, 48, hidden=5120, queries=5120, keys=1024), "kv", at(131072))
    assert found[PER_TOKEN] == 48 * 2048 * 2 == 196_608
    assert found["chunked attention, per sequence"] == 36 * 2048 * 8192 * 2 == 1_207_959_552
    assert found[WHOLE] == 1_207_959_552 + 12 * 2048 * 131072 * 2 == 7_650_410_496


def test_all_layers_of_mistral_7b_slide_in_its_first_version() -> None:
    config = {"model_type": "mistral", "sliding_window": 4096, "num_key_value_heads": 8, "head_dim": 128}
    found = values(decoder_of(config, 32, hidden=4096, queries=4096, keys=1024), "kv", at(32768))
    assert found[PER_TOKEN] == 131_072
    assert found[WHOLE] == 131_072 * 4096 == 536_870_912


def test_a_window_that_the_config_does_not_use_bounds_nothing() -> None:
    config = {"model_type": "qwen2", "sliding_window": 4096, "use_sliding_window": False, "max_window_layers": 2}
    assert values(gemma(4, 128, **config), "kv", at(8192))[WHOLE] == 4 * 256 * 8192 * 2
    used = config | {"use_sliding_window": True}
    # Layers 2 and 3 slide.
    assert values(gemma(4, 128, **used), "kv", at(8192))[WHOLE] == 2 * 256 * 8192 * 2 + 2 * 256 * 4096 * 2


def test_mamba_keeps_a_state_and_no_tokens() -> None:
    # mamba-130m in F32: 24 * (1536 * 3 + 1536 * 16) * 4 bytes
    found = values(real("mamba-130m-hf"), "kv")
    assert found[PER_TOKEN] == 0
    assert found[STATE] == found[WHOLE] == 2_801_664


def test_mamba_2_takes_its_state_from_header_and_config_together() -> None:
    # 24 * ((1536 + 2 * 128) * 3 + 1536 * 128) * 4 bytes
    assert values(mamba2_130m(state_size=128), "kv")[STATE] == 19_390_464
    found = figures(mamba2_130m(), "kv")
    assert found[WHOLE].reason == "the config does not give the size of a state (state_size, mamba_d_state)"
    found = figures(mamba2_130m(state_size=100), "kv")
    assert found[WHOLE].reason == "a state of 100 does not fit a convolution over 1792 channels, 1536 of them inner"


def test_a_gated_delta_net_keeps_a_matrix_a_head() -> None:
    found = values(qwen3_next(), "kv", at(262144))
    # 12 layers * 2 * 2 heads * 256 * 2 bytes
    assert found[PER_TOKEN] == 24_576
    # 36 layers * ((2 * 16 * 128 + 32 * 128) * (4 - 1) + 32 * 128 * 128) * 2 bytes
    assert found[STATE] == 36 * (8192 * 3 + 4096 * 128) * 2 == 39_518_208


def test_a_short_convolution_keeps_its_last_inputs() -> None:
    found = values(lfm2(), "kv")
    assert found[PER_TOKEN] == 6 * 2 * 512 * 2 == 12_288
    assert found[STATE] == 10 * 2048 * 2 * 2 == 81_920


def test_kimi_delta_attention_keeps_its_state_in_32_bits() -> None:
    found = values(kimi_linear(), "kv")
    assert found[PER_TOKEN] == (512 + 64) * 2
    # Convolutions over 3 * 4096 channels in BF16, 32 heads of 128 by 128 in F32
    assert found[STATE] == 3 * 4096 * 3 * 2 + 32 * 128 * 128 * 4 == 2_170_880


def test_rwkv_4_keeps_five_numbers_a_channel() -> None:
    assert values(rwkv_4(), "kv")[STATE] == 12 * 5 * 768 * 4 == 184_320


def test_cross_attention_keeps_the_source_once() -> None:
    # Whisper-tiny: 4 layers * (384 + 384) * 1500 positions * 4 bytes, and 448 tokens of its own
    found = values(real("whisper-tiny"), "kv")
    assert found["cross attention, per sequence"] == 18_432_000
    assert found["full attention, per sequence"] == 4 * 768 * 448 * 4 == 5_505_024
    assert found[WHOLE] == 23_937_024
    # Llama-3.2-11B-Vision: 8 layers, (560 / 14)^2 patches and a class token on 4 tiles are 6404 tokens
    found = values(llama_3_2_vision(), "kv", at(8192))
    assert found[PER_TOKEN] == 32 * 2048 * 2 == 131_072
    assert found["cross attention, per sequence"] == 8 * 2048 * 6404 * 2 == 209_846_272


def test_an_encoder_keeps_nothing() -> None:
    found = figures(real("bert-base-uncased"), "kv")
    assert found[PER_TOKEN].value == 0
    assert found[PER_TOKEN].exact


@pytest.mark.parametrize(
    ("name", "per_token"),
    [
        ("gpt2", 12 * 2 * 768 * 4),
        ("bloom-1b4-zh", 24 * 2 * 2048 * 2),
        ("Llama-2-7b-hf", 32 * 2 * 4096 * 2),
        ("Mixtral-8x7B", 32 * 2 * 1024 * 2),
        ("Qwen2-VL-7B-Instruct.newlayout", 28 * 2 * 512 * 2),
        ("llava-1.5-7b-hf", 32 * 2 * 4096 * 2),
        ("gpt-oss-20b.original", 24 * 2 * 512 * 2),
        ("t5-small", 6 * 2 * 512 * 4),
    ],
)
def test_the_cache_of_real_checkpoints(name: str, per_token: int) -> None:
    assert values(real(name), "kv")[PER_TOKEN] == per_token


def test_gpt_oss_slides_in_every_other_layer() -> None:
    found = values(real("gpt-oss-20b"), "kv")
    assert found["sliding attention, per sequence"] == 12 * 1024 * 128 * 2 == 3_145_728
    assert found["full attention, per sequence"] == 12 * 1024 * 131072 * 2 == 3_221_225_472


def test_fused_projections_are_told_apart_by_the_output() -> None:
    # Phi-3-mini: 9216 rows less 3072 of the queries; a window of 2047
    name = "model.layers.{0}.self_attn.qkv_proj model.layers.{0}.self_attn.o_proj"
    config = {"model_type": "phi3", "sliding_window": 2047}
    phi = fused_decoder(config, 32, name, rows=9216, hidden=3072, output=(3072, 3072))
    found = values(phi, "kv", at(4096))
    assert found[PER_TOKEN] == 32 * 2 * 3072 * 2 == 393_216
    assert found[WHOLE] == 393_216 * 2047 == 804_913_152
    # ChatGLM3-6B: 2 groups of 128
    name = "transformer.encoder.layers.{0}.self_attention.query_key_value transformer.encoder.layers.{0}.self_attention.dense"
    glm = fused_decoder({"model_type": "chatglm"}, 28, name, rows=4608, hidden=4096, output=(4096, 4096))
    assert values(glm, "kv")[PER_TOKEN] == 28 * 2 * 256 * 2 == 28_672


def test_packed_keys_have_their_logical_widths() -> None:
    found = figures(real("Llama-3.1-8B-Instruct.AWQ-INT4"), "kv")[PER_TOKEN]
    assert found.value == 131_072
    assert found.exact


def test_keys_that_are_packed_in_no_known_way_have_the_widths_of_the_config_and_say_so() -> None:
    name = "model.layers.0.self_attn"
    tensors = vector("model.norm", 4096)
    for word in ("k_proj", "q_proj", "v_proj"):
        tensors |= {f"{name}.{word}.qweight": ("I32", (7, 1024)), f"{name}.{word}.scales": ("F16", (32, 1000))}
    config = {"model_type": "llama", "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128}
    found = figures(checkpoint_of(tensors, {"torch_dtype": "bfloat16", **config}), "kv")[PER_TOKEN]
    assert found.value == 2 * 1024 * 2
    assert not found.exact
    assert "keys and values are packed: their widths are the config's, 8 heads of 128" in found.assumptions


def test_where_config_and_header_disagree_the_header_counts() -> None:
    config = {"model_type": "llama", "num_attention_heads": 32, "num_key_value_heads": 32, "head_dim": 128}
    found = figures(decoder_of(config, 32, hidden=4096, queries=4096, keys=1024), "kv")[PER_TOKEN]
    assert found.value == 131_072
    said = "the config says num_key_value_heads 32 of 128 where the header's keys are 1024 wide: the header counts"
    assert said in found.assumptions


def test_a_window_that_nobody_says_who_uses_is_no_guess() -> None:
    found = figures(gemma(4, 128, model_type="novel", sliding_window=4096), "kv")
    assert found[PER_TOKEN].value == 4 * 256 * 2
    assert found[WHOLE].value is None
    assert found[WHOLE].reason == "the config has sliding_window 4,096 and does not say which layers slide"


def test_a_layer_type_that_is_not_understood_is_named() -> None:
    found = figures(gemma(2, 128, model_type="novel", layer_types=["full_attention", "compressed_sparse"]), "kv")
    assert found[WHOLE].reason == "the config calls the layer's attention 'compressed_sparse', which is not understood"


def test_projections_of_unknown_names_are_named() -> None:
    tensors = matrix("model.layers.0.self_attn.mystery", 64, 64) | matrix("model.layers.0.mlp.up_proj", 128, 64)
    found = figures(checkpoint_of(tensors, {"model_type": "novel"}), "kv")
    reason = "layer 0 mixes tokens by modules of unknown names (self_attn.mystery)"
    assert found[PER_TOKEN].reason == found[WHOLE].reason == reason


def test_models_that_would_be_misread_are_not_read() -> None:
    tensors = attention("model.layers.0.shared_transformer.self_attn", hidden=64, queries=64, keys=64)
    found = figures(checkpoint_of(tensors, {"model_type": "zamba2"}), "kv")
    reason = "its attention blocks are shared between layers, and the header does not show how often each is used"
    assert found[WHOLE].reason == reason


def test_without_a_config_the_figures_are_estimates() -> None:
    found = figures(decoder_of({}, 2, hidden=64, queries=64, keys=64), "kv")
    assert found[PER_TOKEN].exact
    bare = figures(checkpoint_of(attention("model.layers.0.self_attn", hidden=64, queries=64, keys=64)), "kv")
    assert bare[PER_TOKEN].value == 2 * 64 * 2
    assert not bare[PER_TOKEN].exact
    assert "without a config, every layer is taken to attend to all of the text" in bare[PER_TOKEN].assumptions


def test_what_is_no_language_model_has_no_cache() -> None:
    reason = figures(real("stable-diffusion-v1-5"), "kv")[PER_TOKEN].reason
    assert reason == "no layers of a language model are in it"
    reason = figures(real("lora-llama-3.1-8b-r16"), "kv")[PER_TOKEN].reason
    assert reason == "it is an adapter: what is cached is the base model's"


def test_an_mtp_layer_is_not_counted() -> None:
    # 5 layers of (64 + 32) in BF16; the sixth is multi-token prediction
    assert values(small_deepseek(), "kv")[PER_TOKEN] == 5 * 96 * 2


def test_batches_multiply_and_formats_narrow() -> None:
    asked = Asked(context=1000, batch=8, kv_dtype=dtype_named("int4", ""))
    # 32 layers * 2048 * 4 bits
    found = values(llama_3_1_8b(), "kv", asked)
    assert found[PER_TOKEN] == 32_768
    assert found[WHOLE] == 32_768 * 1000 * 8


def test_scales_for_the_cache_are_evidence_of_its_format() -> None:
    tensors = attention("model.layers.0.self_attn", hidden=64, queries=64, keys=64)
    tensors |= {
        "model.layers.0.self_attn.k_proj.k_scale": ("F32", ()),
        "model.layers.0.self_attn.v_proj.v_scale": ("F32", ()),
    }
    assert values(checkpoint_of(tensors, {"torch_dtype": "bfloat16"}), "kv")[PER_TOKEN] == 128
    config = {"torch_dtype": "bfloat16", "quantization_config": {"kv_cache_scheme": {"num_bits": 8, "type": "float"}}}
    assert values(decoder_of(config, 1, hidden=64, queries=64, keys=64), "kv")[PER_TOKEN] == 128


def test_the_file_of_modelopt_is_evidence_of_the_caches_format() -> None:
    checkpoint = decoder_of({"torch_dtype": "bfloat16"}, 1, hidden=64, queries=64, keys=64)
    beside = {"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}
    told = replace(checkpoint, configs={"": replace(checkpoint.config, beside=beside)})

    assert (values(checkpoint, "kv")[PER_TOKEN], values(told, "kv")[PER_TOKEN]) == (256, 128)


@pytest.mark.parametrize(("ways", "per_device"), [(1, 327_680), (8, 40_960), (16, 40_960)])
def test_devices_share_heads_and_no_less_than_one(ways: int, per_device: int) -> None:
    found = values(llama_3_1_70b(), "kv", at(100, tensor=ways, pipeline=2))
    # Half of the layers on each stage.
    assert found["KV cache on the largest device"] == per_device * 100 // 2


def test_every_device_keeps_the_latent_vector_whole() -> None:
    found = values(mla(), "kv", at(100, tensor=8))
    assert found["KV cache on the largest device"] == 70_272 * 100


def test_a_value_that_equals_its_key_is_kept_all_the_same() -> None:
    tensors = matrix("model.layers.0.self_attn.q_proj", 64, 64) | matrix("model.layers.0.self_attn.k_proj", 32, 64)
    tensors |= matrix("model.layers.0.self_attn.o_proj", 64, 64)
    config = {"torch_dtype": "bfloat16", "model_type": "gemma4_text"}
    assert figures(checkpoint_of(tensors, config), "kv")[PER_TOKEN].reason == "it has keys and no values"
    config |= {"attention_k_eq_v": True}  # type: ignore[dict-item]
    assert values(checkpoint_of(tensors, config), "kv")[PER_TOKEN] == 2 * 32 * 2


def test_layers_without_any_mixer_keep_nothing() -> None:
    tensors = attention("backbone.layers.0.mixer", hidden=64, queries=64, keys=64)
    tensors |= matrix("backbone.layers.1.mixer.up_proj", 128, 64) | matrix("backbone.layers.1.mixer.down_proj", 64, 128)
    tensors |= vector("backbone.layers.1.norm", 64)
    assert (
        values(checkpoint_of(tensors, {"torch_dtype": "bfloat16", "model_type": "nemotron_h"}), "kv")[PER_TOKEN] == 256
    )


def test_lightning_attention_keeps_a_square_a_head() -> None:
    # MiniMax-Text-01: 64 heads of 128
    name = "model.layers.0.self_attn"
    tensors = matrix(f"{name}.qkv_proj", 3 * 8192, 6144) | matrix(f"{name}.out_proj", 6144, 8192)
    tensors |= matrix(f"{name}.output_gate", 8192, 6144) | vector(f"{name}.norm", 8192)
    config = {"torch_dtype": "bfloat16", "model_type": "minimax_text_01", "head_dim": 128}
    assert values(checkpoint_of(tensors, config), "kv")[STATE] == 64 * 128 * 128 * 2 == 2_097_152
    found = figures(checkpoint_of(tensors, {"model_type": "minimax_text_01"}), "kv")
    assert found[WHOLE].reason == "the config does not give the size of its heads"


def packed_mla(**config: object) -> Checkpoint:
    name = "model.layers.0.self_attn.kv_a_proj_with_mqa"
    tensors: Tensors = {f"{name}.qweight": ("I32", (896, 576)), f"{name}.scales": ("F16", (56, 576))}
    tensors |= vector("model.layers.0.self_attn.kv_a_layernorm", 512)
    return checkpoint_of(tensors, {"torch_dtype": "bfloat16", "model_type": "deepseek_v3", **config})


def test_a_packed_latent_vector_is_as_wide_as_the_config_says() -> None:
    found = figures(packed_mla(kv_lora_rank=512, qk_rope_head_dim=64), "kv")[PER_TOKEN]
    assert found.value == 576 * 2
    found = figures(packed_mla(), "kv")[PER_TOKEN]
    assert found.value in {None, 576 * 2}


def test_a_config_with_another_rank_is_contradicted() -> None:
    tensors = {tensor.name: (tensor.dtype.code, tensor.shape) for tensor in mla(1).tensors}
    config = {"torch_dtype": "bfloat16", "model_type": "deepseek_v3", "kv_lora_rank": 256, "qk_rope_head_dim": 64}
    found = figures(checkpoint_of(tensors, config), "kv")[PER_TOKEN]
    assert found.value == 576 * 2
    assert "the config says 256 + 64 where the header has 512 + 64: the header counts" in found.assumptions


def test_the_names_of_deepseek_s_own_files_are_read() -> None:
    name = "layers.0.attn"
    tensors = matrix(f"{name}.wkv_a", 576, 7168) | vector(f"{name}.kv_norm", 512) | matrix(f"{name}.wkv_b", 32768, 512)
    tensors |= matrix(f"{name}.wo", 7168, 16384)
    assert values(checkpoint_of(tensors, {"torch_dtype": "bfloat16"}), "kv")[PER_TOKEN] == 576 * 2


def test_shapes_that_do_not_fit_each_other_are_no_figure() -> None:
    fused = "model.layers.{0}.attn.qkv model.layers.{0}.attn.out"
    found = figures(fused_decoder({}, 1, fused, rows=100, hidden=64, output=(64, 64)), "kv")
    assert found[WHOLE].value == 36 * 2 * 4096
    found = figures(fused_decoder({}, 1, fused, rows=64, hidden=64, output=(64, 64)), "kv")
    assert found[WHOLE].reason == "64 rows of queries, keys and values do not fit an output of 64"
    alone = matrix("model.layers.0.attn.qkv", 192, 64)
    found = figures(checkpoint_of(alone, {"model_type": "novel"}), "kv")
    assert found[WHOLE].reason == (
        "queries, keys and values are one matrix, and the output is none that tells them apart, "
        "and no config says how many heads there are of what size"
    )
    config = {"torch_dtype": "bfloat16", "num_attention_heads": 4, "hidden_size": 64, "num_key_value_heads": 2}
    assert values(checkpoint_of(alone, config), "kv")[PER_TOKEN] == 2 * 32 * 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"conv1d.weight": (64, 1, 4)}, "its convolution and A_log do not fit each other"),
        (
            {"A_log": (4,), "out_proj.weight": (8,)},
            "the widths of its convolution and of its output are not to be seen",
        ),
        ({"A_log": (4,)}, "the config does not give the size of a state (state_size, mamba_d_state)"),
    ],
)
def test_states_that_do_not_fit_their_convolution_are_no_figure(
    change: dict[str, tuple[int, ...]], reason: str
) -> None:
    name = "backbone.layers.0.mixer"
    shapes = {"in_proj.weight": (64, 16), "conv1d.weight": (32, 1, 4), "out_proj.weight": (16, 32), "A_log": (32, 8)}
    tensors = {f"{name}.{leaf}": ("BF16", shape) for leaf, shape in {**shapes, **change}.items()}
    assert figures(checkpoint_of(tensors, {"model_type": "novel"}), "kv")[WHOLE].reason == reason


def test_a_delta_net_may_give_heads_instead_of_their_size() -> None:
    tensors = {tensor.name: (tensor.dtype.code, tensor.shape) for tensor in qwen3_next().tensors}
    config = {"torch_dtype": "bfloat16", "model_type": "qwen3_next", "linear_num_key_heads": 16}
    assert values(checkpoint_of(tensors, config), "kv")[STATE] == 39_518_208
    found = figures(checkpoint_of(tensors, {"model_type": "qwen3_next"}), "kv")
    assert found[WHOLE].reason == "the config does not give the size of a key (linear_key_head_dim)"


def test_states_may_be_kept_in_32_bits_by_the_config() -> None:
    tensors = {tensor.name: (tensor.dtype.code, tensor.shape) for tensor in jamba().tensors}
    config = {**jamba().config.values, "mamba_ssm_dtype": "float32"}
    assert values(checkpoint_of(tensors, config), "kv")[STATE] == 2 * 8_716_288
