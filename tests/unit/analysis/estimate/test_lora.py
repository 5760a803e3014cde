"""Trainable parameters as PEFT's own ``print_trainable_parameters`` gives them for the same targets."""

from typing import Any

import pytest

from ckptinspect.analysis.estimate.asked import Asked
from ckptinspect.model import Checkpoint
from tests.checkpoints import Tensors, checkpoint_of, decoder, llama_3_1_8b, matrix, qwen2_vl_7b
from tests.estimating import figures, real, values

TRAINABLE = "trainable parameters"


def lora(name: str, **asked: Any) -> int | None:
    return values(real(name), "lora", Asked(**asked))[TRAINABLE]


def test_all_linear_layers_of_llama() -> None:
    # 32 layers * rank 16 * (2*(4096+4096) + 2*(4096+1024) + 2*(4096+14336) + (14336+4096))
    assert lora("Llama-3.1-8B-Instruct") == 41_943_040


def test_queries_and_values_of_llama() -> None:
    # 32 layers * rank 8 * ((4096+4096) + (4096+1024))
    assert lora("Llama-3.1-8B-Instruct", rank=8, targets=("q_proj", "v_proj")) == 3_407_872
    # Llama-2 has as many heads for keys: 32 * 8 * 2 * (4096+4096)
    assert lora("Llama-2-7b-hf", rank=8, targets=("q_proj", "v_proj")) == 4_194_304


def test_fp8_weights_have_their_shapes() -> None:
    assert lora("Llama-3.1-8B-Instruct.FP8-block") == 41_943_040


def test_conv1d_is_linear_too() -> None:
    # 12 layers of gpt2 * rank 16 * ((768+2304) + (768+768) + (768+3072) + (3072+768))
    assert lora("gpt2") == 2_359_296
    assert lora("gpt2", targets=("c_attn",)) == 12 * 16 * (768 + 2304) == 589_824


def test_a_target_is_a_whole_name() -> None:
    found = figures(llama_3_1_8b(), "lora", Asked(targets=("proj",)))[TRAINABLE]

    assert found.reason == (
        "no linear layer or embedding is called so; there are down_proj, embed_tokens, gate_proj, k_proj, lm_head, "
        "o_proj, q_proj, up_proj, v_proj"
    )


def test_the_modules_sum_to_the_whole() -> None:
    found = values(qwen2_vl_7b(), "lora")

    assert found[TRAINABLE] == (found["of them in visual"] or 0) + (found["of them in model"] or 0)


def test_the_bytes_of_lora_and_qlora() -> None:
    found = values(llama_3_1_8b(), "lora")
    linear = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336)

    assert found["adapter, gradients, optimizer"] == 41_943_040 * 16 == 671_088_640
    assert found["LoRA, base as stored"] == 16_060_522_496 + 671_088_640
    # Half a byte, 8 bits for 64 and 32 bits for 64 * 256; embedding, head and norms in 16 bits
    base = linear // 2 + linear // 64 + linear // 16384 * 4 + (8_030_261_248 - linear) * 2
    assert found["QLoRA, base in NF4"] == base == 5_702_295_552
    assert found["QLoRA, base and adapter"] == base + 671_088_640


@pytest.mark.parametrize("packed", ["bnb-nf4", "GPTQ-INT4", "mlx-4bit", "w4a16", "NVFP4"])
def test_packed_layers_are_adapted_by_their_logical_shapes(packed: str) -> None:
    assert figures(real(f"Llama-3.1-8B-Instruct.{packed}"), "lora")[TRAINABLE].value == 41_943_040


def test_a_target_that_no_layer_is_called_by_is_told_beside_those_that_there_are() -> None:
    found = figures(llama_3_1_8b(), "lora", Asked(rank=8, targets=("q_proj", "v_proj", "c_attn")))

    assert found[TRAINABLE].value == 3_407_872
    assert found["for 'c_attn'"].value is None
    assert found["for 'c_attn'"].reason == "no linear layer or embedding is called so"


def tiny_llama(*, tied: bool) -> Checkpoint:
    """The model that PEFT 0.18 was asked about: 2 layers, 320 words, 64 wide."""
    tensors = decoder("model", layers=2, vocab=320, hidden=64, kv=32, ffn=128)
    head = {} if tied else matrix("lm_head", 320, 64)
    return checkpoint_of(tensors | head, {"model_type": "llama", "tie_word_embeddings": tied})


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(
    ("targets", "trainable"),
    [
        # What get_peft_model gives at rank 8, tied or not
        (("q_proj", "embed_tokens"), 5120),
        (("lm_head",), 3072),
        (("embed_tokens", "lm_head"), 6144),
        (("q_proj", "embed_tokens", "lm_head"), 8192),
    ],
)
def test_an_embedding_and_a_head_are_adapted_where_they_are_named(
    targets: tuple[str, ...], trainable: int, *, tied: bool
) -> None:
    found = figures(tiny_llama(tied=tied), "lora", Asked(rank=8, targets=targets))

    assert found[TRAINABLE].value == trainable
    assert not any(name.startswith("for ") for name in found)
    # All linear layers are without them, as PEFT's all-linear: 2 * 8 * (2*128 + 2*96 + 3*192)
    assert values(tiny_llama(tied=tied), "lora", Asked(rank=8))[TRAINABLE] == 16_384


def test_what_is_adapted_is_named_for_what_it_is() -> None:
    found = figures(tiny_llama(tied=False), "lora", Asked(rank=8, targets=("embed_tokens", "lm_head")))
    said = "1 linear layer and 1 embedding: rank * (inputs + outputs) of each, no biases"

    assert said in found[TRAINABLE].assumptions


def test_positions_are_an_embedding_too() -> None:
    # PEFT on gpt2: rank * (50257 + 768) and rank * (1024 + 768)
    assert lora("gpt2", rank=8, targets=("wte",)) == 8 * 51_025
    assert lora("gpt2", rank=8, targets=("wpe",)) == 8 * 1_792


def test_a_packed_embedding_is_adapted_by_its_logical_shape() -> None:
    # 128256 words, 4096 wide, in 4 bits
    found = figures(real("Llama-3.1-8B-Instruct.mlx-4bit"), "lora", Asked(rank=16, targets=("embed_tokens",)))

    assert found[TRAINABLE].value == 16 * (128_256 + 4_096)


def test_an_adapter_tells_its_rank_its_targets_and_its_base() -> None:
    found = figures(real("lora-llama-3.1-8b-r16"), "lora")

    assert found[TRAINABLE].value == 41_943_040
    assert found["rank"].value == 16
    assert found["targeted modules"].value == 224
    assert (
        "targets: down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj"
        in found["targeted modules"].assumptions
    )
    assert found["layers of the base, at least"].value == 32
    assert found["base parameters it changes"].value == 6_979_321_856
    (fits, *_) = found["layers of the base, at least"].assumptions
    assert fits == (
        "it fits a base with down_proj 14336->4096, gate_proj 4096->14336, k_proj 4096->1024, o_proj 4096->4096, "
        "q_proj 4096->4096, up_proj 4096->14336, v_proj 4096->1024"
    )
    assert found["to train it"].value == 41_943_040 * 16


def pair(name: str, down: str, up: str, rank: int) -> Tensors:
    return {f"{name}.{down}.weight": ("F16", (rank, 64)), f"{name}.{up}.weight": ("F16", (128, rank))}


def test_every_way_to_name_the_pair_is_read() -> None:
    for down, up in (("lora_A", "lora_B"), ("lora_down", "lora_up"), ("lora_A.default", "lora_B.default")):
        found = values(checkpoint_of(pair("unet.layers.3.attn.to_q", down, up, 4)), "lora")
        assert (found["rank"], found[TRAINABLE]) == (4, 4 * (64 + 128)), (down, up)


def test_the_kernel_of_a_convolution_goes_with_its_inputs() -> None:
    tensors: Tensors = {"m.conv.lora_A.weight": ("F16", (8, 3, 3, 3)), "m.conv.lora_B.weight": ("F16", (16, 8, 1, 1))}
    found = values(checkpoint_of(tensors), "lora")

    assert found[TRAINABLE] == 8 * (3 * 3 * 3 + 16)
    assert found["base parameters it changes"] == 27 * 16


def test_ranks_that_differ_and_a_config_that_is_wrong_are_told() -> None:
    tensors = pair("m.layers.0.q_proj", "lora_A", "lora_B", 4) | pair("m.layers.1.q_proj", "lora_A", "lora_B", 8)
    tensors |= pair("m.layers.2.q_proj", "lora_A", "lora_B", 8)
    config = {"r": 16, "base_model_name_or_path": "org/\x1b[31mbase"}
    found = figures(checkpoint_of(tensors, config), "lora")

    assert found["rank"].value == 8
    assert found["rank"].assumptions == ("ranks differ: 1 of 4, 2 of 8", "the config says r 16: the header counts")
    assert r"its config names 'org/\x1b[31mbase'" in found["layers of the base, at least"].assumptions


def test_what_else_an_adapter_holds_is_counted_with_it() -> None:
    tensors = pair("m.layers.0.q_proj", "lora_A", "lora_B", 4)
    tensors["m.layers.0.q_proj.lora_magnitude_vector"] = ("F16", (128,))

    assert values(checkpoint_of(tensors), "lora")[TRAINABLE] == 4 * 192 + 128


def test_an_adapter_of_another_kind_has_no_rank() -> None:
    found = figures(checkpoint_of({"m.layers.0.k_proj.ia3_l": ("F32", (64, 1))}), "lora")

    assert found[TRAINABLE].value == 64
    assert found["rank"].reason == "it holds no pairs of low-rank matrices of a known name"


def test_routers_and_heads_are_left_aside() -> None:
    # Mixtral, rank 1: 32 * (2*(4096+4096) + 2*(4096+1024) + 8 * 3 * (4096+14336))
    assert lora("Mixtral-8x7B", rank=1) == 32 * (2 * 8192 + 2 * 5120 + 8 * 3 * 18432)
    # Fused, the experts are no layers to PEFT
    assert lora("Mixtral-8x7B.fused", rank=1) == 32 * (2 * 8192 + 2 * 5120)


def test_without_linear_layers_there_is_nothing_to_adapt() -> None:
    found = figures(checkpoint_of({"conv.weight": ("F32", (4, 3, 3, 3))}), "lora")[TRAINABLE]

    assert found.reason == "it has no linear layers"


def test_a_pipeline_is_adapted_component_by_component() -> None:
    found = values(real("stable-diffusion-v1-5"), "lora", Asked(rank=4, targets=("to_q", "to_k", "to_v", "to_out.0")))

    # What diffusers trains of the UNet at rank 4; the VAE attends once in its encoder and once in its decoder,
    # by 4 matrices of 512 by 512 each.
    assert found["of them in unet"] == 797_184
    assert found["of them in vae"] == 32_768
    assert found[TRAINABLE] == 797_184 + 32_768


def test_a_bare_matrix_is_no_layer() -> None:
    assert values(checkpoint_of(matrix("model.layers.0.mlp.up_proj", 8, 4)), "lora", Asked(rank=2))[TRAINABLE] == 24
