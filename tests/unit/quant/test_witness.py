"""Where a config and the headers disagree: the headers count, and a sentence says so."""

from collections.abc import Mapping

import pytest

from ckptinspect.quant.budget import Budget
from tests import layouts
from tests.checkpoints import matrix, vector
from tests.folders import Shapes
from tests.quantized import NORM, PATH, counted, told

GPTQ: Shapes = layouts.at(PATH, layouts.gptq(512, 512))
MLX: Shapes = {**layouts.at(PATH, layouts.mlx(512, 512)), NORM: ("BF16", (512,))}


def said(tensors: Shapes, section: Mapping[str, object]) -> list[str]:
    return told(tensors, {"quantization_config": dict(section)})


@pytest.mark.parametrize(
    ("tensors", "section", "sentence"),
    [
        (
            GPTQ,
            {"quant_method": "gptq", "bits": 8, "group_size": 128},
            f"the config says 8 bits, and the headers show 4 (1 module, such as '{PATH}'): the headers count",
        ),
        (
            GPTQ,
            {"quant_method": "gptq", "bits": 4, "group_size": 64},
            (
                "the config says groups of 64, and the headers show groups of 128 "
                f"(1 module, such as '{PATH}'): the headers count"
            ),
        ),
        (
            GPTQ,
            {"quant_method": "awq", "bits": 4, "group_size": 128},
            "the config says 'awq', and the tensors are laid out as gptq: the headers count",
        ),
        (
            GPTQ,
            {"quant_method": "gptq", "bits": 4, "group_size": 128, "modules_to_not_convert": ["self_attn.q_proj"]},
            f"the config leaves out of the quantization what is quantized in the headers: '{PATH}'",
        ),
        (
            MLX,
            {"bits": 8, "group_size": 32},
            f"the config says 8 bits, and the headers show 4 (1 module, such as '{PATH}'): the headers count",
        ),
        (
            matrix("lm_head", 64, 32),
            {"quant_method": "gptq", "bits": 4, "group_size": 128},
            (
                "the config says that the weights are quantized ('gptq'), and no tensor shows it: "
                "they are counted as they are stored"
            ),
        ),
        (
            GPTQ,
            {"quant_method": "gptq", "ignore": ["re:(?!x)"]},
            "1 pattern of the quantization config, which are not followed, decide nothing: 're:(?!x)'",
        ),
    ],
)
def test_a_disagreement_is_one_sentence(tensors: Shapes, section: Mapping[str, object], sentence: str) -> None:
    assert said(tensors, section) == [sentence]


@pytest.mark.parametrize(
    "section",
    [
        {"quant_method": "gptq", "bits": 4, "group_size": 128},
        {"quant_method": "gptq", "bits": 4, "group_size": -1},
        {"quant_method": "gptq"},
        {"quant_method": "somebody's", "bits": 4},
        {},
    ],
)
def test_where_they_agree_nothing_is_said(section: Mapping[str, object]) -> None:
    assert said(GPTQ, section) == []


@pytest.mark.parametrize(
    "section",
    [
        {"bits": 8, "group_size": 32},
        {"bits": 2, "group_size": 128},
        {"bits": 3, "group_size": 64},
        {PATH: {"bits": 8, "group_size": 32}},
        {"quant_method": "gptq", "bits": 8},
    ],
)
def test_a_wrong_config_never_changes_what_the_norm_in_front_proves(section: Mapping[str, object]) -> None:
    found = counted(MLX, {"quantization_config": dict(section)})

    assert found.total.parameters == 512 * 512 + 512
    assert said(MLX, section)


def test_a_config_that_contradicts_its_own_widths_decides_nothing() -> None:
    tensors = layouts.at(PATH, layouts.mlx(512, 512))
    config = {"quantization": {"bits": 8, "group_size": 32}, "hidden_size": 512}

    found = counted(tensors, config)

    assert (found.total.parameters, found.total.unexplained) == (0, 512 * 64)
    assert told(tensors, config, "unexplained") == [
        (
            "32,768 stored elements in 1 tensor are not explained (words per scale leave the bits open, and neither a "
            "neighbour nor the config decides): the parameters are those of the rest"
        )
    ]


def test_a_name_from_the_config_comes_out_inert() -> None:
    section = {"quant_method": "gptq\x1b[31m", "ignore": ["re:(?\x1b[2J"]}

    sentences = said(matrix("lm_head", 64, 32), section)

    assert sentences
    assert all(sentence.isprintable() for sentence in sentences)


def test_a_bias_of_a_model_that_nobody_knows_counts_and_is_told() -> None:
    tensors = layouts.at(PATH, layouts.gptq(512, 512) | {"bias": ("F16", (512,))})
    llama = {"model_type": "llama"}

    assert counted(tensors).total.parameters == 512 * 512 + 512
    assert told(tensors, {}, "quantizer-biases") == [
        (
            "every quantized module has a bias, 512 parameters in all: if the model has none, they are zeros that "
            "AutoGPTQ wrote"
        )
    ]
    assert counted(tensors, llama).total.parameters == 512 * 512
    assert told(tensors, {"model_type": "opt"}, "quantizer-biases") == []


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"model_type": "llama"}, "by its model class"),
        ({"model_type": "novel", "attention_bias": False}, "by the config"),
        ({"model_type": "llama", "attention_bias": False}, "by the config"),
    ],
)
def test_biases_that_are_left_out_are_told_with_whose_word_that_is(config: dict[str, object], word: str) -> None:
    tensors = layouts.at(PATH, layouts.gptq(512, 512) | {"bias": ("F16", (512,))})

    assert counted(tensors, config).total.parameters == 512 * 512
    assert told(tensors, config, "quantizer-biases") == [
        (
            "512 biases beside quantized weights are left out as zeros that AutoGPTQ wrote: "
            f"{word} the model has none there"
        )
    ]


@pytest.mark.parametrize(
    ("word", "config", "counts"),
    [
        ("self_attn.q_proj", {"model_type": "qwen2"}, True),
        ("self_attn.o_proj", {"model_type": "qwen2"}, False),
        ("mlp.up_proj", {"model_type": "qwen2"}, False),
        ("self_attn.q_proj", {"model_type": "llama", "attention_bias": True}, True),
        ("mlp.up_proj", {"model_type": "llama", "attention_bias": True}, False),
        ("mlp.up_proj", {"model_type": "llama", "mlp_bias": True}, True),
        ("mlp.up_proj", {"mlp_bias": False}, False),
        ("self_attn.q_proj", {"text_config": {"attention_bias": False}}, False),
        ("mlp.dense_h_to_4h", {"model_type": "llama"}, True),
        ("mlp.fc1", {"model_type": "phi"}, True),
    ],
)
def test_whether_a_bias_is_the_models_or_the_quantizers(word: str, config: dict[str, object], counts: bool) -> None:
    tensors = layouts.at(f"model.layers.0.{word}", layouts.gptq(512, 512) | {"bias": ("F16", (512,))})

    found = counted(tensors, config)

    assert found.total.parameters == 512 * 512 + 512 * counts
    assert ("biases of zeros that the quantizer wrote" in dict(found.decomposition)) is not counts


def test_a_bias_beside_a_plain_weight_is_nobodys_phantom() -> None:
    tensors = matrix("model.layers.0.mlp.up_proj", 8, 4, bias=True) | vector("model.norm", 4)

    assert counted(tensors, {"model_type": "llama", "mlp_bias": False}).total.parameters == 8 * 4 + 8 + 4


def test_a_head_that_is_stored_packed_though_tied_counts_once() -> None:
    tensors = matrix("model.embed_tokens", 1024, 512) | vector("model.norm", 512)
    tensors |= layouts.at("lm_head", layouts.gptq(1024, 512))
    config = {"tie_word_embeddings": True}

    found = counted(tensors, config)

    assert found.total.parameters == 1024 * 512 + 512
    assert dict(found.decomposition)["tied weights, stored again"] == -64 * 1024
    assert told(tensors, config, "tied-stored") == [
        (
            "'lm_head.qweight' is tied to 'model.embed_tokens.weight' by the config, though stored: 524,288 elements that "
            "count once"
        )
    ]


def test_a_tie_to_a_packed_embedding_has_the_parameters_that_it_holds() -> None:
    tensors = {**layouts.at("model.embed_tokens", layouts.mlx(1024, 512)), "model.norm.weight": ("BF16", (512,))}

    assert told(tensors, {"tie_word_embeddings": True}, "tied") == [
        (
            "'lm_head.weight' is tied to 'model.embed_tokens.weight' by the config and not stored; counting it again "
            "would give 1,049,088"
        )
    ]


def test_patterns_that_cost_too_much_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ckptinspect.analysis.count.Budget", lambda: Budget(120))
    section = {"quant_method": "gptq", "bits": 4, "ignore": ["re:.*q_proj$", "re:.*k.{20}x"]}

    assert said(GPTQ, section) == [
        f"the patterns of the quantization config cost too much to follow: from '{PATH}' on they decide nothing"
    ]
