import pytest

from ckptinspect.dtypes import DTYPES
from ckptinspect.model import Config, Kind, Place
from ckptinspect.naming.base import Naming, Role
from ckptinspect.naming.mtp import is_marked, marks_in, mtp_marks, unmarked
from ckptinspect.naming.name import anatomy, folded

DEEPSEEK = Config({"model_type": "deepseek_v3", "num_hidden_layers": 61, "num_nextn_predict_layers": 1})

ROLES = {
    Role.EMBEDDING: """
        model.embed_tokens.weight wte.weight wpe.weight shared.weight bert.embeddings.word_embeddings.weight
        vit.embeddings.cls_token visual.patch_embed.proj.weight vision_model.embeddings.patch_embedding.weight
        model.decoder.embed_positions.weight gpt_neox.embed_in.weight tok_embeddings.weight
        time_embedding.linear_1.weight model.language_model.embed_tokens_per_layer.weight emb.weight
    """,
    Role.ATTENTION: """
        model.layers.0.self_attn.q_proj.weight model.layers.0.self_attn.q_proj.bias
        model.layers.0.self_attn.kv_b_proj.weight_scale_inv visual.blocks.0.attn.proj.weight h.0.attn.c_proj.weight
        h.0.self_attention.dense.weight blocks.0.attn.qkv.weight bert.encoder.layer.0.attention.output.dense.weight
        encoder.block.0.layer.0.SelfAttention.o.weight
        encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight model.layers.0.self_attn.sinks
        model.layers.0.self_attn.gate_proj.weight model.layers.0.self_attn.indexer.wq_b.weight
        down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0.weight model.layers.0.attention.wo.weight
        model.transformer.blocks.0.att_proj.weight
    """,
    Role.MLP: """
        model.layers.0.mlp.gate_proj.weight model.layers.0.mlp.down_proj.qzeros model.decoder.layers.0.fc1.bias
        h.0.mlp.c_proj.weight h.0.mlp.dense_4h_to_h.weight encoder.block.0.layer.1.DenseReluDense.wo.weight
        bert.encoder.layer.0.intermediate.dense.weight bert.encoder.layer.0.output.dense.weight
        down_blocks.0.attentions.0.transformer_blocks.0.ff.net.2.weight layers.0.feed_forward.w2.weight
        distilbert.transformer.layer.0.ffn.lin1.weight model.transformer.blocks.0.ff_out.weight
    """,
    Role.NORM: """
        model.norm.weight ln_f.bias h.0.ln_1.weight word_embeddings_layernorm.weight bert.embeddings.LayerNorm.gamma
        vision_model.pre_layrnorm.weight model.layers.0.self_attn.q_norm.weight
        model.layers.0.self_attn.kv_a_layernorm.weight visual.merger.ln_q.weight block.0.attn.norm.scale bn1.weight
        model.layers.0.linear_attn.norm.weight lm_head.layer_norm.weight mtp.pre_fc_norm_hidden.weight
        multi_modal_projector.mm_soft_emb_norm.weight first_stage_model.encoder.conv_norm_out.weight
    """,
    Role.HEAD: """
        lm_head.weight lm_head.bias output.weight classifier.weight cls.predictions.transform.dense.weight
        cls.seq_relationship.bias embed_out.weight text_projection.weight transformer.output_layer.weight
    """,
    Role.ROUTER: """
        model.layers.3.mlp.gate.weight model.layers.3.mlp.gate.e_score_correction_bias
        model.layers.0.block_sparse_moe.gate.weight model.layers.0.mlp.router.weight model.layers.0.mlp.router.bias
        language_model.model.layers.0.feed_forward.router.weight layers.0.ffn.gate.bias layers.0.gate.weight
        model.layers.0.block_sparse_moe.router.layer.weight model.layers.0.moe.expert_bias
    """,
    Role.EXPERT: """
        model.layers.0.mlp.experts.0.gate_proj.weight model.layers.0.mlp.experts.gate_up_proj
        model.layers.0.mlp.experts.down_proj_bias model.layers.0.block_sparse_moe.experts.7.w2.weight
        model.layers.0.block_sparse_moe.input_linear.weight model.layers.0.moe.gate_proj.weight
        transformer.blocks.0.ffn.experts.mlp.w1
    """,
    Role.SHARED_EXPERT: """
        model.layers.0.mlp.shared_experts.gate_proj.weight model.layers.0.mlp.shared_expert_gate.weight
        model.layers.0.shared_mlp.input_linear.weight layers.0.shared_experts.w1.weight
    """,
    Role.CONV: """
        model.encoder.conv1.weight resnet.embedder.embedder.convolution.weight conv_in.weight
        down_blocks.0.downsamplers.0.conv.weight model.layers.0.conv.in_proj.weight layer1.0.downsample.0.weight
    """,
    Role.SSM: """
        backbone.layers.0.mixer.A_log backbone.layers.0.mixer.D backbone.layers.0.mixer.conv1d.weight
        backbone.layers.0.mixer.in_proj.weight backbone.layers.0.mixer.dt_proj.bias
        model.layers.0.mamba.out_proj.weight model.layers.0.linear_attn.in_proj_qkvz.weight
        rwkv.blocks.0.attention.time_decay model.layers.0.self_attn.q_conv1d.weight
    """,
    Role.PROJECTOR: """
        multi_modal_projector.linear_1.bias visual.merger.mlp.0.weight visual_projection.weight query_tokens
        qformer.encoder.layer.0.attention.attention.query.weight model.layers.61.eh_proj.weight mtp.fc.weight
        model.visual.deepstack_merger_list.0.linear_fc1.weight
    """,
    Role.BUFFER: """
        model.layers.0.self_attn.rotary_emb.inv_freq h.0.attn.bias gpt_neox.layers.0.attention.masked_bias
        text_model.embeddings.position_ids bn1.running_mean bn1.num_batches_tracked final_logits_bias
        layers.0.ffn.gate.tid2eid
    """,
    Role.SCALE: """
        logit_scale logit_bias vision_model.encoder.layers.0.ls1 dinov2.encoder.layer.0.layer_scale1.lambda1
        stages.0.blocks.0.gamma layers.0.hc_attn_scale language_model.model.layers.3.cross_attn_attn_gate
    """,
    Role.ADAPTER: """
        base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight prompt_embeddings
        lora_unet_down_blocks_0_attentions_0_proj_in.alpha model.layers.0.mlp.down_proj.ia3_l
    """,
    Role.OTHER: """
        bert.pooler.dense.weight model.language_model.layers.0.laurel.linear_left.weight empty
    """,
}


def place(name: str, component: str = "") -> Place:
    return Naming([name]).place(name, component)


def kind(name: str, count: int = 1) -> Kind:
    return Kind(folded(name), DTYPES["BF16"], (4,), 8, count, name)


def test_a_place_says_module_path_layer_expert_and_role() -> None:
    assert place("model.layers.60.mlp.experts.255.down_proj.weight_scale_inv") == Place(
        "model", "model.layers.60.mlp.experts.255.down_proj", 60, 255, "expert"
    )


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("model.norm.weight", "model.norm"),
        ("bert.embeddings.LayerNorm.gamma", "bert.embeddings.LayerNorm"),
        ("model.layers.0.mlp.experts.gate_up_proj", "model.layers.0.mlp.experts"),
        ("vision_model.embeddings.class_embedding", "vision_model.embeddings"),
        ("model.layers.0.self_attn.sinks", "model.layers.0.self_attn"),
        ("logit_scale", ""),
        ("model.layers.0.mlp.down_proj.weight.absmax", "model.layers.0.mlp.down_proj"),
        ("model.layers.0.mlp.down_proj.weight.quant_state.bitsandbytes__nf4", "model.layers.0.mlp.down_proj"),
        ("conv.parametrizations.weight.original0", "conv"),
        ("base_model.model.model.layers.0.mlp.up_proj.lora_A.weight", "base_model.model.model.layers.0.mlp.up_proj"),
        ("model.layers.0.qkv_proj.lora_A.speech.weight", "model.layers.0.qkv_proj"),
        ("unet.mid_block.attn1.processor.to_q_lora.down.weight", "unet.mid_block.attn1.processor"),
        ("lora_unet_mid_block_proj_in.alpha", "lora_unet_mid_block_proj_in"),
        ("trail.", "trail"),
        ("", ""),
    ],
)
def test_the_path_is_the_owning_module_as_stored(name: str, path: str) -> None:
    assert place(name).path == path


@pytest.mark.parametrize(
    ("name", "layer", "expert"),
    [
        ("h.11.ln_1.weight", 11, None),
        ("encoder.block.3.layer.1.DenseReluDense.wi.weight", 3, None),
        ("visual.merger.mlp.2.weight", None, None),
        ("visual.blocks.31.mlp.fc2.weight", 31, None),
        ("down_blocks.2.resnets.1.conv1.weight", 2, None),
        ("input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight", 4, None),
        ("single_transformer_blocks.37.proj_out.weight", 37, None),
        ("resnet.encoder.stages.3.layers.2.layer.0.convolution.weight", 3, None),
        ("albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight", 0, None),
        ("mtp.0.attn.wq_a.weight", 0, None),
        ("model.layers.5.mlp.experts.17.w2.weight", 5, 17),
        ("model.layers.5.mlp.experts.down_proj", 5, None),
        ("model.layers.5.mlp.shared_experts.down_proj.weight", 5, None),
        ("classifier.1.weight", None, None),
        ("module.model.layers.7._fsdp_wrapped_module.mlp.up_proj.weight", 7, None),
        ("model.layers.1234567890.mlp.up_proj.weight", None, None),
        ("model.layers.٣.mlp.up_proj.weight", None, None),
        ("model.layers..mlp.up_proj.weight", None, None),
    ],
)
def test_layer_and_expert_are_the_numbers_after_their_containers(
    name: str, layer: int | None, expert: int | None
) -> None:
    found = place(name)

    assert (found.layer, found.expert) == (layer, expert)


@pytest.mark.parametrize(
    "name",
    [
        "module.model.layers.0.mlp.up_proj.weight",
        "_orig_mod.model.layers.0.mlp.up_proj.weight",
        "module._orig_mod.model.layers.0.mlp.up_proj.weight",
        "_fsdp_wrapped_module.model.layers.0._fsdp_wrapped_module._checkpoint_wrapped_module.mlp.up_proj.weight",
        "base_model.model.model.layers.0.mlp.up_proj.base_layer.weight",
        "state_dict.model.layers.0.mlp.up_proj.weight",
    ],
)
def test_what_a_trainer_wraps_around_a_model_changes_no_place(name: str) -> None:
    found = place(name)

    assert (found.module, found.layer, found.role) == ("model", 0, "mlp")
    assert found.path == name.removesuffix(".weight")


def test_a_component_is_the_module_of_all_its_tensors() -> None:
    assert place("visual.blocks.0.attn.qkv.weight", "text_encoder").module == "text_encoder"
    assert place("x.lora_A.weight", "unet").module == "unet"
    assert place("conv_in.weight", "unet").role == "conv"


@pytest.mark.parametrize(("role", "name"), [(role, name) for role, names in ROLES.items() for name in names.split()])
def test_a_role_is_read_off_the_names(role: Role, name: str) -> None:
    assert place(name).role == role


def test_every_role_occurs() -> None:
    assert set(ROLES) == set(Role)


def test_an_alpha_is_an_adapter_s_only_in_a_name_of_an_adapter() -> None:
    assert place("lora_unet_x.alpha").module == "adapter"
    assert place("vocoder.resblocks.0.activations.0.alpha").role == "scale"


def test_the_layer_after_the_last_one_of_the_config_is_mtp() -> None:
    assert mtp_marks(DEEPSEEK) == ("layers.61.",)
    naming = Naming([], DEEPSEEK, mtp_marks(DEEPSEEK))

    assert naming.module_of("model.layers.61.self_attn.o_proj.weight") == "mtp"
    assert naming.module_of("model.layers.61.embed_tokens.weight") == "mtp"
    assert naming.module_of("model.layers.61.shared_head.head.weight") == "mtp"
    assert naming.module_of("model.layers.60.self_attn.o_proj.weight") == "model"
    assert naming.module_of("lm_head.weight") == "lm_head"


def test_a_vision_tower_has_no_mtp_layer_however_deep_it_is() -> None:
    naming = Naming([], marks=("layers.61.",))

    assert naming.module_of("vision_model.encoder.layers.61.mlp.fc1.weight") == "visual"
    assert naming.module_of("model.layers.61.mlp.up_proj.lora_A.weight") == "adapter"


def test_the_text_section_of_a_config_counts_the_decoder_s_layers() -> None:
    glm = Config({"text_config": {"num_hidden_layers": 46, "num_nextn_predict_layers": 1}})
    omni = Config({"thinker_config": {"text_config": {"num_hidden_layers": 48, "num_nextn_predict_layers": 2}}})

    assert mtp_marks(glm) == ("layers.46.",)
    assert mtp_marks(omni) == ("layers.48.", "layers.49.")


def test_without_a_config_the_leaves_of_an_mtp_layer_give_it_away() -> None:
    names = ["model.layers.0.mlp.up_proj.weight", "model.layers.61.eh_proj.weight"]

    assert unmarked([kind(names[0], 61), kind(names[1])], ())
    assert marks_in(names) == ("layers.61.",)
    assert Naming(names, marks=("layers.61.",)).module_of("model.layers.61.mlp.up_proj.weight") == "mtp"


def test_layers_that_are_marked_already_need_no_names() -> None:
    assert not unmarked([kind("model.layers.61.eh_proj.weight")], ("layers.61.",))
    assert not unmarked([kind("model.layers.0.mlp.up_proj.weight", 61)], ())


def test_three_mtp_layers_are_three_marks_wherever_their_numbers_begin() -> None:
    names = [f"model.layers.{layer}.enorm.weight" for layer in (10, 11, 9)]

    assert marks_in(names) == ("layers.9.", "layers.10.", "layers.11.")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"num_hidden_layers": 32},
        {"num_hidden_layers": 32, "num_nextn_predict_layers": 0},
        {"num_hidden_layers": 32, "num_nextn_predict_layers": 10**9},
        {"num_hidden_layers": "61", "num_nextn_predict_layers": 1},
        {"num_nextn_predict_layers": 1},
    ],
)
def test_most_checkpoints_have_no_marks(config: dict[str, object]) -> None:
    assert mtp_marks(Config(config)) == ()


def test_a_hostile_layer_number_is_no_mark() -> None:
    assert marks_in([f"model.layers.{'9' * 10_000}.enorm.weight", "model.layers.x.enorm.weight"]) == ()


def test_a_hostile_count_of_mtp_layers_is_cut() -> None:
    assert len(marks_in(f"model.layers.{layer}.enorm.weight" for layer in range(10_000))) == 16


def test_a_mark_begins_at_a_whole_word() -> None:
    assert is_marked("layers.61.enorm.weight", ("layers.60.", "layers.61."))
    assert not is_marked("model.layers.610.enorm.weight", ("layers.61.",))


def test_naming_a_checkpoint_keeps_its_marks() -> None:
    naming = Naming.of([kind("model.layers.0.mlp.up_proj.weight")], DEEPSEEK, ("layers.61.",))

    assert naming.marks == ("layers.61.",)
    assert naming.family is None


def test_a_name_that_is_all_wrapper_keeps_its_leaf() -> None:
    assert anatomy("module.weight").words == ("weight",)
    assert anatomy("base_model.model").words == ("base_model", "model")
