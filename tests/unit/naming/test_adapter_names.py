"""Names of adapters, as PEFT, sd-scripts, LyCORIS, diffusers and ComfyUI write them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptinspect.naming.adapter_leaves import LEAVES
from ckptinspect.naming.adapters import AdapterName, adapter_name, base_path
from ckptinspect.naming.base import Naming
from ckptinspect.naming.flat import dotted, flat

PEFT = "base_model.model.model.layers.1.self_attn.q_proj"
Q_PROJ = "model.layers.1.self_attn.q_proj"
TO_Q = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
FLAT_TO_Q = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"

WORDS = (*LEAVES, "", "0", "base_model", "model", "layers", "weight", "alpha", "lora", "to_q_lora", "down", "processor")
FLAT_WORDS = (
    "lora",
    "unet",
    "te1",
    "down",
    "blocks",
    "0",
    "attentions",
    "proj",
    "in",
    "out",
    "",
    "norm",
    "final",
    "layer",
)


@pytest.mark.parametrize(
    ("name", "method", "base", "part"),
    [
        (f"{PEFT}.lora_A.weight", "lora", Q_PROJ, "A"),
        (f"{PEFT}.lora_B.weight", "lora", Q_PROJ, "B"),
        (f"{PEFT}.lora_B.bias", "lora", Q_PROJ, "bias"),
        (f"{PEFT}.lora_A", "lora", Q_PROJ, "A"),
        (f"{PEFT}.lora_E", "adalora", Q_PROJ, "E"),
        (f"{PEFT}.lora_magnitude_vector", "dora", Q_PROJ, "magnitude"),
        (f"{PEFT}.lora_magnitude_vector.weight", "dora", Q_PROJ, "magnitude"),
        ("base_model.model.model.embed_tokens.lora_embedding_A", "lora", "model.embed_tokens", "A"),
        (
            "base_model.model.model.layers.0.mlp.experts.base_layer.lora_B.weight",
            "lora",
            "model.layers.0.mlp.experts",
            "B",
        ),
        (
            "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta",
            "trainable_tokens",
            "model.embed_tokens",
            "delta",
        ),
        (
            "base_model.model.model.layers.0.input_layernorm.ln_tuning_layers.weight",
            "ln_tuning",
            "model.layers.0.input_layernorm",
            "weight",
        ),
        (f"{PEFT}.ia3_l", "ia3", Q_PROJ, "l"),
        (f"{PEFT}.hada_w1_a", "loha", Q_PROJ, "w1_a"),
        (f"{PEFT}.lokr_w2", "lokr", Q_PROJ, "w2"),
        (f"{PEFT}.oft_R.weight", "oft", Q_PROJ, "R"),
        (f"{PEFT}.boft_s", "boft", Q_PROJ, "s"),
        (f"{PEFT}.hra_u", "hra", Q_PROJ, "u"),
        (f"{PEFT}.c3a_kernel", "c3a", Q_PROJ, "kernel"),
        (f"{PEFT}.fourierft_spectrum", "fourierft", Q_PROJ, "spectrum"),
        (f"{PEFT}.vera_lambda_d", "vera", Q_PROJ, "lambda_d"),
        ("base_model.vera_A", "vera", "", "A"),
        ("base_model.vblora_vector_bank", "vblora", "", "vector_bank"),
        (f"{PEFT}.vblora_logits_A", "vblora", Q_PROJ, "logits_A"),
        (f"{PEFT}.miss_block", "miss", Q_PROJ, "block"),
        (f"{PEFT}.randlora_gamma", "randlora", Q_PROJ, "gamma"),
        ("prompt_embeddings", "prompt", "", "embeddings"),
        (f"unet.{TO_Q}.lora_A.weight", "lora", f"unet.{TO_Q}", "A"),
        (f"unet.{TO_Q}.lora.down.weight", "lora", f"unet.{TO_Q}", "down"),
        ("unet.mid_block.attn1.processor.to_q_lora.up.weight", "lora", "unet.mid_block.attn1.to_q", "up"),
        ("unet.mid_block.attn1.processor.to_out_lora.down.weight", "lora", "unet.mid_block.attn1.to_out.0", "down"),
        ("text_encoder.fc1.lora_linear_layer.down.weight", "lora", "text_encoder.fc1", "down"),
        ("diffusion_model.blocks.0.cross_attn.k.diff_b", "diff", "diffusion_model.blocks.0.cross_attn.k", "diff_b"),
        (f"{FLAT_TO_Q}.lora_down.weight", "lora", f"unet.{TO_Q}", "down"),
        (f"{FLAT_TO_Q}.lora_mid.weight", "lora", f"unet.{TO_Q}", "mid"),
        (f"{FLAT_TO_Q}.alpha", "lora", f"unet.{TO_Q}", "alpha"),
        (f"{FLAT_TO_Q}.dora_scale", "dora", f"unet.{TO_Q}", "magnitude"),
        (f"{FLAT_TO_Q}.hada_t1", "loha", f"unet.{TO_Q}", "t1"),
        (f"{FLAT_TO_Q}.a1.weight", "glora", f"unet.{TO_Q}", "a1"),
    ],
)
def test_a_name_says_method_base_and_part(name: str, method: str, base: str, part: str) -> None:
    assert adapter_name(name) == AdapterName(method, base, part)


@pytest.mark.parametrize(
    "name",
    ["model.layers.0.mlp.up_proj.weight", "", ".", "lora", "vocoder.alpha", "model.layers.0.self_attn.lora.weight"],
)
def test_other_names_are_no_adapter_s(name: str) -> None:
    assert adapter_name(name) is None


def test_of_several_adapters_in_a_model_each_is_named() -> None:
    found = adapter_name("model.layers.0.self_attn.qkv_proj.lora_A.vision.weight")

    assert found == AdapterName("lora", "model.layers.0.self_attn.qkv_proj", "A", "vision")
    assert base_path("model.layers.0.self_attn.qkv_proj.base_layer.weight") == "model.layers.0.self_attn.qkv_proj"


@pytest.mark.parametrize(
    ("name", "component", "path"),
    [
        ("lora_unet_down_blocks_1_attentions_0_proj_in", "unet", "down_blocks.1.attentions.0.proj_in"),
        ("lora_unet_mid_block_resnets_1_time_emb_proj", "unet", "mid_block.resnets.1.time_emb_proj"),
        ("lora_unet_up_blocks_2_upsamplers_0_conv", "unet", "up_blocks.2.upsamplers.0.conv"),
        ("lora_unet_input_blocks_4_1_transformer_blocks_0_ff_net_0_proj", "unet", "input_blocks.4.1.transformer_blocks.0.ff.net.0.proj"),
        ("lora_unet_output_blocks_0_0_emb_layers_1", "unet", "output_blocks.0.0.emb_layers.1"),
        ("lora_unet_middle_block_1_proj_out", "unet", "middle_block.1.proj_out"),
        ("lora_unet_label_emb_0_2", "unet", "label_emb.0.2"),
        ("lora_unet_double_blocks_18_img_attn_proj", "transformer", "double_blocks.18.img_attn.proj"),
        ("lora_unet_double_blocks_0_txt_mod_lin", "transformer", "double_blocks.0.txt_mod.lin"),
        ("lora_unet_double_blocks_0_img_mlp_2", "transformer", "double_blocks.0.img_mlp.2"),
        ("lora_unet_single_blocks_37_modulation_lin", "transformer", "single_blocks.37.modulation.lin"),
        ("lora_unet_single_blocks_0_linear2", "transformer", "single_blocks.0.linear2"),
        ("lora_unet_joint_blocks_3_context_block_adaLN_modulation_1", "transformer", "joint_blocks.3.context_block.adaLN_modulation.1"),
        ("lora_unet_blocks_0_cross_attn_k_img", "transformer", "blocks.0.cross_attn.k_img"),
        ("lora_transformer_single_transformer_blocks_0_proj_mlp", "transformer", "single_transformer_blocks.0.proj_mlp"),
        ("lora_te_text_model_encoder_layers_11_self_attn_out_proj", "text_encoder", "text_model.encoder.layers.11.self_attn.out_proj"),
        ("lora_te2_text_model_encoder_layers_31_mlp_fc2", "text_encoder_2", "text_model.encoder.layers.31.mlp.fc2"),
        ("lora_te3_encoder_block_23_layer_1_DenseReluDense_wi_0", "text_encoder_3", "encoder.block.23.layer.1.DenseReluDense.wi_0"),
        ("lycoris_transformer_blocks_0_attn_to_out_0", "", "transformer_blocks.0.attn.to_out.0"),
    ],
)  # fmt: skip
def test_a_flattened_name_has_its_dots_back(name: str, component: str, path: str) -> None:
    found = flat(name)

    assert found is not None
    assert (found.component, found.path) == (component, path)


@pytest.mark.parametrize(
    "path",
    [
        "final_layer_norm",  # final_layer.norm or final_layer_norm
        "down_blocks_attentions_0_proj_in",  # a list has a number
        "down_blocks_0_my_block",
        "proj_in_conv",  # nothing stands inside a linear layer
        "mid__block",
        "mid_block_0_conv",
        "",
        "_" * 1000,
        "x" * 100_000,
        "blocks_0_" * 40 + "q",
    ],
)
def test_what_is_ambiguous_or_not_known_is_not_guessed(path: str) -> None:
    assert dotted(path) is None


def test_a_flattened_name_without_a_reading_stays_as_it_is() -> None:
    assert adapter_name("lora_unet_my_block.lora_up.weight") == AdapterName(
        "lora", "lora_unet_my_block", "up", resolved=False
    )


def test_the_dots_that_come_back_are_those_that_were_taken() -> None:
    for path in (TO_Q, "text_model.encoder.layers.0.mlp.fc1", "double_blocks.3.img_attn.qkv", "mid_block.resnets.0.conv_shortcut"):  # fmt: skip
        assert dotted(path.replace(".", "_")) == path


def test_a_scale_beside_an_adapter_s_matrices_is_the_adapter_s() -> None:
    names = ["diffusion_model.blocks.0.q.lora_down.weight", "diffusion_model.blocks.0.q.alpha", "snake.alpha"]
    naming = Naming(names)

    assert [naming.module_of(name) for name in names] == ["adapter", "adapter", "model"]
    assert naming.place("diffusion_model.blocks.12.q.alpha").role == "adapter"
    assert naming.place("snake.alpha").role == "scale"


dotted_names = st.lists(st.sampled_from(WORDS) | st.text(max_size=8), max_size=8).map(".".join)
flat_names = st.lists(st.sampled_from(FLAT_WORDS), max_size=90).map("_".join)
prefixed = st.builds("{}{}".format, st.sampled_from(["", "lora_unet_", "lora_te1_", "lycoris_"]), flat_names)


@given(
    name=st.text(max_size=80) | dotted_names | prefixed | st.builds("{}.{}".format, prefixed, st.sampled_from(WORDS))
)
def test_any_name_at_all_has_an_answer_or_none(name: str) -> None:
    found = adapter_name(name)

    assert isinstance(base_path(name), str)
    assert found is None or Naming([]).module_of(name) in {"adapter", "mtp"}
    if Naming([]).module_of(name) == "adapter":
        assert found is not None


@given(path=flat_names)
def test_dots_that_come_back_are_the_only_change(path: str) -> None:
    found = dotted(path)

    assert found is None or found.replace(".", "_") == path


def test_a_name_of_a_million_letters_takes_no_time() -> None:
    began = time.perf_counter()
    for name in (
        "lora_unet_" + "blocks_0_" * 100_000,
        "a." * 500_000 + "lora_A.weight",
        "lora_unet_" + "_" * 1_000_000,
    ):
        adapter_name(name)

    assert time.perf_counter() - began < 5
