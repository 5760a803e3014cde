from collections.abc import Mapping

import pytest

from ckptinspect.analysis.symbols import Names
from ckptinspect.analysis.vocabulary import Vocabulary
from ckptinspect.model import Checkpoint, Config
from ckptinspect.naming.roles import Role
from ckptinspect.report import v1
from ckptinspect.report.formula import formula_report
from tests.arithmetic import value_of
from tests.checkpoints import (
    bloom_1b4_zh,
    checkpoint_in_parts,
    checkpoint_of,
    llama_3_1_8b,
    matrix,
    qwen2_vl_7b,
    small_deepseek,
    vector,
)

PATCHES = "(vision_config.image_size//vision_config.patch_size)"
QWEN2_VL = {"num_attention_heads": 28, "num_key_value_heads": 4, "hidden_size": 3584, "intermediate_size": 18944}


def data_of(checkpoint: Checkpoint) -> v1.FormulaData:
    data = formula_report(checkpoint, symbols=True).data
    assert isinstance(data, v1.FormulaData)
    for module in (*data.modules, data.total):
        assert module.symbolic is None or value_of(module.symbolic, data.symbols) == module.value
    return data


def symbolic(checkpoint: Checkpoint) -> dict[str, str | None]:
    return {module.module: module.symbolic for module in data_of(checkpoint).modules}


def names(
    config: Mapping[str, object], path: str, *shape: int, kind: str = "Linear", role: Role = Role.OTHER
) -> list[str]:
    module = "visual" if path.startswith("visual") else "model"
    found = Names(Vocabulary(Config(config), module)).dims(path, kind, shape, role)
    return [dim.written(symbolic=True) for dim in found]


def test_llama_by_the_names_of_its_config() -> None:
    data = data_of(llama_3_1_8b())

    assert data.total.symbolic == (
        "vocab_size*hidden_size"
        " + num_hidden_layers*(hidden_size*2"
        " + hidden_size*num_attention_heads*head_dim*2"
        " + hidden_size*num_key_value_heads*head_dim*2"
        " + hidden_size*intermediate_size*3)"
        " + hidden_size + hidden_size*vocab_size"
    )
    assert data.symbols == {
        "head_dim": 128,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    }


def test_a_head_size_that_is_no_key_is_explained_in_a_note() -> None:
    notes = {note.code: note.message for note in data_of(llama_3_1_8b()).notes}

    assert notes["derived-symbol"] == "head_dim is no key of the config; it is hidden_size//num_attention_heads"


def test_a_vision_tower_has_names_of_its_own() -> None:
    found = symbolic(qwen2_vl_7b())

    assert found["visual"] is not None
    assert found["visual"].startswith(
        "vision_config.embed_dim*vision_config.in_channels*vision_config.temporal_patch_size"
        "*vision_config.patch_size*vision_config.patch_size + vision_config.depth*(vision_config.embed_dim*2*2 + "
    )
    assert found["visual"].endswith("*vision_config.hidden_size")
    assert found["model"] is not None
    assert "(hidden_size+1)*num_key_value_heads*head_dim*2" in found["model"]


def test_gpt_like_configs_have_other_words() -> None:
    found = symbolic(bloom_1b4_zh())

    assert found["model"] == (
        "vocab_size*hidden_size + hidden_size*2*2"
        " + n_layer*(hidden_size*2*2 + (hidden_size+1)*3*hidden_size + (n_head*head_dim+1)*hidden_size"
        " + (hidden_size+1)*4*hidden_size + (4*hidden_size+1)*hidden_size)"
    )


def test_latent_attention_experts_and_dense_layers_have_names() -> None:
    found = symbolic(small_deepseek())

    assert found["model"] == (
        "vocab_size*hidden_size"
        " + first_k_dense_replace*(hidden_size + hidden_size*(kv_lora_rank+qk_rope_head_dim) + kv_lora_rank"
        " + kv_lora_rank*num_attention_heads*(qk_nope_head_dim+v_head_dim) + hidden_size*intermediate_size*3)"
        " + (num_hidden_layers-first_k_dense_replace)*(hidden_size"
        " + hidden_size*(kv_lora_rank+qk_rope_head_dim) + kv_lora_rank"
        " + kv_lora_rank*num_attention_heads*(qk_nope_head_dim+v_head_dim)"
        " + hidden_size*n_routed_experts + n_routed_experts"
        " + n_routed_experts*(hidden_size*moe_intermediate_size*3)"
        " + hidden_size*n_shared_experts*moe_intermediate_size*3)"
        " + hidden_size"
    )


def test_a_number_is_named_for_what_it_is_and_never_for_what_it_equals() -> None:
    config = QWEN2_VL | {"max_position_embeddings": 512, "sliding_window": 512}

    assert names(config, "model.layers.0.self_attn.k_proj", 512, 3584) == [
        "num_key_value_heads*head_dim",
        "hidden_size",
    ]
    assert names(config, "model.layers.0.self_attn.strange", 512, 3584) == ["512", "3584"]
    assert names(QWEN2_VL | {"num_key_value_heads": 8}, "model.layers.0.self_attn.k_proj", 512, 3584) == [
        "512",
        "hidden_size",
    ]


@pytest.mark.parametrize(
    ("config", "path", "shape", "expected"),
    [
        (QWEN2_VL, "model.layers.0.mlp.down_proj", (3584, 18944), ["hidden_size", "intermediate_size"]),
        ({"n_embd": 768}, "h.0.mlp.c_fc", (3072, 768), ["4*n_embd", "n_embd"]),
        ({"d_model": 512, "num_heads": 8, "d_kv": 64}, "x.SelfAttention.q", (512, 512), ["num_heads*d_kv", "d_model"]),
        (
            {"d_model": 8, "encoder_attention_heads": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 32},
            "model.decoder.layers.0.fc1",
            (32, 8),
            ["decoder_ffn_dim", "d_model"],
        ),
        (
            {"hidden_size": 64, "head_dim": 32, "num_attention_heads": 4, "num_key_value_heads": 2},
            "model.layers.0.self_attn.qkv_proj",
            (256, 64),
            ["(num_attention_heads+2*num_key_value_heads)*head_dim", "hidden_size"],
        ),
        (
            {"vision_config": {"hidden_size": 64, "image_size": 224, "patch_size": 14}},
            "visual.embeddings.position_embedding",
            (257, 64),
            [f"({PATCHES}*{PATCHES}+1)", "vision_config.hidden_size"],
        ),
        (
            {"text_config": {"vocab_size": 9}, "hidden_size": 4},
            "model.embed_tokens",
            (9, 4),
            ["vocab_size", "hidden_size"],
        ),
        (
            {"text_config": {"hidden_size": 4}, "hidden_size": 8},
            "model.embed_tokens",
            (9, 4),
            ["9", "text_config.hidden_size"],
        ),
    ],
)
def test_the_dimensions_of_a_matrix(
    config: Mapping[str, object], path: str, shape: tuple[int, int], expected: list[str]
) -> None:
    assert names(config, path, *shape) == expected


def test_the_dimensions_of_experts_in_one_tensor_stand_in_either_order() -> None:
    config = {"hidden_size": 64, "intermediate_size": 32, "num_local_experts": 8}
    path = "model.layers.0.mlp.experts.gate_up_proj"

    for shape in [(8, 64, 64), (8, 64, 64)]:
        assert names(config, path, *shape, kind="Parameter", role=Role.EXPERT) == [
            "num_local_experts",
            "hidden_size",
            "2*intermediate_size",
        ]
    down = names(config, "model.layers.0.mlp.experts.down_proj", 8, 64, 32, kind="Parameter", role=Role.EXPERT)
    assert down == ["num_local_experts", "hidden_size", "intermediate_size"]


def test_the_same_words_in_a_shape_of_another_rank_say_nothing() -> None:
    config = {"vision_config": {"embed_dim": 8, "in_channels": 3, "patch_size": 14, "temporal_patch_size": 2}}

    assert names(config, "visual.patch_embed.proj", 8, 3, 14, 14, kind="Conv2d") == [
        "vision_config.embed_dim",
        "vision_config.in_channels",
        "vision_config.patch_size",
        "vision_config.patch_size",
    ]
    assert names(config, "visual.patch_embed.proj", 8, 588) == ["8", "588"]


def test_the_number_of_layers_has_a_name_only_where_it_counts_the_models_layers() -> None:
    found = Names(Vocabulary(Config({"num_hidden_layers": 6, "first_k_dense_replace": 2}), "model"))

    def counted(path: str, indices: range, items: int) -> str:
        return found.count(path, indices, items).written(symbolic=True)

    assert counted("model.layers.0", range(6), 6) == "num_hidden_layers"
    assert counted("model.layers.0", range(2), 6) == "first_k_dense_replace"
    assert counted("model.layers.2", range(2, 6), 6) == "(num_hidden_layers-first_k_dense_replace)"
    assert counted("model.layers.1", range(1, 6), 6) == "(num_hidden_layers-1)"
    assert counted("model.layers.0", range(0, 6, 2), 6) == "3"
    assert counted("model.layers.0", range(5), 5) == "5"
    assert counted("model.mlp.0", range(6), 6) == "6"
    assert counted("model.layers.0.resnets.0", range(6), 6) == "6"


def test_without_a_config_there_are_no_names_and_a_note_says_so() -> None:
    data = data_of(checkpoint_of(matrix("lm_head", 9, 4)))

    assert data.total.symbolic is None
    assert data.symbols == {}
    assert [note.message for note in data.notes] == ["there is no config.json whose names the numbers could have"]


def test_a_config_that_names_nothing_is_said_to() -> None:
    data = data_of(checkpoint_of(matrix("lm_head", 9, 4), {"model_type": "acme"}))

    assert {note.code: note.message for note in data.notes} == {
        "no-symbols": "the config has no name for any of the numbers"
    }


def test_numbers_without_a_name_are_told_largest_first() -> None:
    tensors = matrix("lm_head", 9, 4) | vector("model.norm", 4)
    for number in range(12):
        tensors |= vector(f"other{'x' * number}", 100 + number)
    data = data_of(checkpoint_of(tensors, {"hidden_size": 4}))

    assert {note.code: note.message for note in data.notes} == {
        "unnamed": "the config has no name, or no sure one, for 111, 110, 109, 108, 107, 106, 105, 104 and 5 more"
    }


def test_a_component_without_a_config_is_told_by_its_name() -> None:
    tower, text = matrix("fc", 9, 4), matrix("lm_head", 9, 4)
    data = data_of(checkpoint_in_parts({"vae": tower, "text": text}, {"text": {"hidden_size": 4, "vocab_size": 9}}))

    assert {note.code: note.message for note in data.notes} == {
        "no-config": "there is no config.json for vae, whose numbers have no names"
    }


def test_names_are_given_where_they_are_asked_for() -> None:
    data = formula_report(llama_3_1_8b()).data

    assert isinstance(data, v1.FormulaData)
    assert (data.total.symbolic, data.symbols) == (None, {})


def test_each_component_of_a_pipeline_has_its_own_config() -> None:
    parts = {
        "text_encoder": matrix("text_model.encoder.layers.0.mlp.fc1", 32, 8, bias=True),
        "text_encoder_2": matrix("text_model.encoder.layers.0.mlp.fc1", 64, 16, bias=True),
        "2_Dense": matrix("linear", 5, 8),
        "vae": vector("conv_in", 4, 3, 3, 3),
    }
    config = {"hidden_size": 8, "intermediate_size": 32}
    larger = {"hidden_size": 16, "intermediate_size": 64}
    found = symbolic(checkpoint_in_parts(parts, {"text_encoder": config, "text_encoder_2": larger, "2_Dense": config}))

    assert found == {
        "vae": None,
        "text_encoder": "(text_encoder.hidden_size+1)*text_encoder.intermediate_size",
        "text_encoder_2": "(text_encoder_2.hidden_size+1)*text_encoder_2.intermediate_size",
        "2_Dense": None,
    }


@pytest.mark.parametrize("value", [None, True, "4", 4.0, -1, 2**63, [4], {"x": 4}, 0])
def test_a_config_may_hold_anything(value: object) -> None:
    keys = ("hidden_size", "num_attention_heads", "num_hidden_layers", "vocab_size", "text_config", "vision_config")
    tensors = matrix("model.embed_tokens", 9, 4) | matrix("model.layers.0.self_attn.q_proj", 4, 4)

    assert symbolic(checkpoint_of(tensors, dict.fromkeys(keys, value)))["model"] == "9*4 + 4*4"
