"""What configs say, in every dialect, and what hostile ones try."""

import time
from collections.abc import Mapping

import pytest

from ckptinspect.model import Config
from ckptinspect.quant.budget import Budget
from ckptinspect.quant.claims import Claims
from ckptinspect.quant.dialects import Claim

PATH = "model.layers.3.mlp.down_proj"


def claims(section: Mapping[str, object], **config: object) -> Claims:
    return Claims(Config({"quantization_config": dict(section), **config}))


def figures(section: Mapping[str, object], path: str = PATH, **config: object) -> set[tuple[int | None, int | None]]:
    return {(claim.bits, claim.group_size) for claim in claims(section, **config).about(path)}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, (4, 128)),
        ({"quant_method": "gptq", "bits": 4, "group_size": -1}, (4, None)),
        ({"quant_method": "awq", "bits": 4, "group_size": 64, "version": "gemv"}, (4, 64)),
        ({"quant_method": "awq", "w_bit": 4, "q_group_size": 128}, (4, 128)),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, (4, None)),
        ({"quant_method": "bitsandbytes", "_load_in_4bit": False, "load_in_8bit": True}, (8, None)),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, (8, 128)),
        ({"quant_method": "fp8", "weight_block_size": None}, (8, None)),
        ({"quant_method": "fbgemm_fp8"}, (8, None)),
        ({"quant_method": "mxfp4"}, (4, 32)),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, (4, 16)),
        ({"quant_method": "modelopt", "quant_algo": "W4A16_AWQ"}, (4, 128)),
        ({"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 3, "group_size": 64}}}, (3, 64)),
        ({"quant_method": "quanto", "weights": "int4"}, (4, None)),
        ({"bits": 6, "group_size": 64}, (6, 64)),
        ({"mode": "nvfp4"}, (4, 16)),
        ({"quant_method": "eetq", "weights": "int8"}, (8, None)),
        ({"quant_method": "gemma", "num_bits": 2}, (2, None)),
    ],
)
def test_each_writers_bits_and_groups_are_read(section: dict[str, object], expected: tuple[int, int | None]) -> None:
    assert figures(section) == {expected}


def test_a_quantization_section_is_found_wherever_its_writer_put_it() -> None:
    section = {"quant_method": "gptq", "bits": 4, "group_size": 128}

    for config in (
        {"quantization_config": section},
        {"quantization": section},
        {"compression_config": section},
        {"text_config": {"quantization_config": section}},
        {"llm_config": {"quantization_config": section}},
    ):
        assert Claims(Config(config)).method == "gptq"
    assert not Claims(Config({"hidden_size": 64}))


def test_what_is_said_of_a_module_comes_before_what_is_said_of_all() -> None:
    groups = {
        "a": {"targets": ["re:.*self_attn.*"], "weights": {"num_bits": 8, "group_size": 64}},
        "b": {"targets": [PATH], "weights": {"num_bits": 3, "group_size": 32}},
        "c": {"targets": ["Linear"], "weights": {"num_bits": 4, "group_size": 128}},
    }
    compressed = {"quant_method": "compressed-tensors", "config_groups": groups}
    dynamic = {"-:.*o_proj": {}, r"+:.*\.down_proj": {"bits": 8, "group_size": 64}, "lm_head": {"bits": 2}}

    assert figures(compressed, "model.layers.0.self_attn.q_proj") == {(8, 64)}
    assert figures(compressed) == {(3, 32)}
    assert figures(compressed, "model.layers.0.mlp.up_proj") == {(4, 128)}
    assert figures({"quant_method": "gptq", "bits": 4, "dynamic": dynamic}) == {(8, 64), (4, None)}
    assert figures({"quant_method": "gptq", "bits": 4, "dynamic": dynamic}, "lm_head") == {(2, None), (4, None)}
    assert figures({"bits": 4, "group_size": 64, PATH: {"bits": 8, "group_size": 32}}) == {(8, 32), (4, 64)}
    extra = {"quant_method": "auto-round", "bits": 4, "extra_config": {PATH: {"bits": 8}, ".*mlp.up.*": {"bits": 2}}}
    assert figures(extra) == {(8, None), (4, None)}
    assert figures(extra, "model.layers.0.mlp.up_proj") == {(2, None), (4, None)}
    gemma = {"quant_method": "gemma", "num_bits": 4, "module_quant_configs": {r"\.mlp\.": {"num_bits": 2}}}
    assert figures(gemma) == {(2, None), (4, None)}


def test_what_is_said_of_one_layer_is_heard_for_all_that_are_counted_with_it() -> None:
    section = {"bits": 4, "group_size": 64, "model.layers.7.mlp.down_proj": {"bits": 8, "group_size": 64}}

    assert figures(section) == {(8, 64), (4, 64)}


def test_experts_have_a_width_of_their_own() -> None:
    path = "layers.3.ffn.experts.7.w1"

    assert figures({"quant_method": "fp8"}, path, expert_dtype="fp4") == {(4, 32), (8, None)}
    assert figures({"quant_method": "fp8", "store_dtype": "mxfp4"}, path) == {(4, 32), (8, None)}
    assert figures({"quant_method": "fp8"}, expert_dtype="fp4") == {(8, None)}


@pytest.mark.parametrize(
    ("entry", "path", "left_out"),
    [
        ("lm_head", "lm_head", True),
        ("lm_head", "model.lm_head", True),
        ("model.layers.3", PATH, True),
        ("model.layers.3", "model.layers.31.mlp.down_proj", False),
        ("down_proj", PATH, True),
        ("*.mlp.*", PATH, True),
        ("model.layers.*.self_attn", PATH, False),
        ("re:.*mlp.*", PATH, True),
        ("re:model\\.visual.*", PATH, False),
        ("proj", PATH, False),
    ],
)
def test_what_is_left_out_is_known_by_name_or_pattern(entry: str, path: str, left_out: bool) -> None:
    for key in ("ignore", "modules_to_not_convert", "ignored_layers", "exclude_modules"):
        assert claims({"quant_method": "x", key: [entry]}).leaves_out(path) == left_out


@pytest.mark.parametrize(
    "section",
    [
        {"bits": 10**30},
        {"bits": -4},
        {"bits": True},
        {"bits": "4"},
        {"bits": [4]},
        {"bits": 4.0},
        {"bits": 0},
        {"bits": 65},
    ],
)
def test_bits_that_cannot_be_are_no_claim(section: dict[str, object]) -> None:
    assert claims(section).about(PATH) == (Claim(),)


@pytest.mark.parametrize(
    "section",
    [
        {"config_groups": [1, 2]},
        {"config_groups": {"a": 3, "b": {"targets": 4, "weights": [5]}}},
        {"config_groups": {"a": {"targets": [["re:x"]], "weights": {"num_bits": {"a": 1}}}}},
        {"ignore": {"re:x": 1}},
        {"ignore": [None, 3, ["re:x"], {}]},
        {"quant_method": 7, "quant_algo": ["NVFP4"]},
        {"dynamic": [["+:x", {"bits": 4}]]},
        {"extra_config": "re:.*", "quantized_layers": 3, "config_for_layers": None},
        {"weight_block_size": [True, "128"]},
        {"weight_block_size": [[128], 128]},
        {"quant_config": {"weight_quant_params": [4]}},
        {"mode": ["affine"], "module_quant_configs": {"(": {"num_bits": 4}}},
    ],
)
def test_a_config_of_the_wrong_types_claims_nothing_and_harms_nobody(section: dict[str, object]) -> None:
    found = claims(section)

    assert all(claim.bits is None and claim.group_size is None for claim in found.about(PATH))
    assert not found.leaves_out(PATH)


def test_patterns_that_are_not_followed_are_told() -> None:
    found = claims({"quant_method": "compressed-tensors", "ignore": ["re:(?!lm_head).*", "lm_head", "re:.*gate$"]})

    assert found.not_understood == ["re:(?!lm_head).*"]
    assert found.leaves_out("model.layers.0.mlp.gate")


def test_thousands_of_groups_names_and_patterns_take_a_moment() -> None:
    groups = {f"g{number}": {"targets": [f"re:(a+)+{number}$"], "weights": {"num_bits": 4}} for number in range(20_000)}
    section = {
        "quant_method": "compressed-tensors",
        "config_groups": groups,
        "ignore": [f"re:.*.*.*{number}" for number in range(50_000)] + [f"model.{number}" for number in range(300_000)],
        **{f"m{number}": {"bits": 4} for number in range(300_000)},
    }
    begin = time.perf_counter()

    found = claims(section)
    for number in range(50):
        found.about(f"model.layers.{number}." + "a" * 200)
        found.leaves_out(f"model.layers.{number}." + "a" * 200)

    assert time.perf_counter() - begin < 5
    assert any("after the first" in text for text in found.not_understood)


COSTLY = {
    "quant_method": "compressed-tensors",
    "ignore": [r"re:.*down_proj$"],
    "config_groups": {
        "a": {"targets": [r"re:.*a.{30}b.*"], "weights": {"num_bits": 8, "group_size": 64}},
        "b": {"targets": [r"re:.*down_proj$"], "weights": {"num_bits": 4, "group_size": 128}},
    },
}


def test_patterns_that_cost_more_than_the_budget_decide_nothing_from_there_on() -> None:
    found = Claims(Config({"quantization_config": COSTLY}), Budget(800))

    assert [(claim.bits, claim.group_size) for claim in found.about(PATH)] == [(4, 128)]
    assert (found.leaves_out(PATH), found.given_up) == (True, None)

    other = "model." + "a" * 500 + ".down_proj"
    # Which of the groups it is in is not known: it may be in either.
    assert {(claim.bits, claim.group_size) for claim in found.about(other)} == {(8, 64), (4, 128)}
    assert (found.leaves_out(other), found.given_up) == (False, other)
    assert [(claim.bits, claim.group_size) for claim in found.about(PATH)] == [(4, 128)]


def test_all_configs_of_a_checkpoint_have_one_budget() -> None:
    budget = Budget()
    config = Config({"quantization_config": COSTLY})

    Claims(config, budget).about("a" * 3_000)
    left = budget.left
    Claims(config, budget).about("a" * 3_000)

    assert budget.left < left < 500_000


def test_a_thousand_modules_of_one_path_are_looked_up_at_once() -> None:
    tables = {f"model.layers.{number}.mlp.down_proj": {"bits": 4, "group_size": 64} for number in range(20_000)}
    found = claims({"bits": 8, "group_size": 32, **tables})
    begin = time.perf_counter()

    for number in range(2_000):
        assert {claim.bits for claim in found.about(f"model.layers.{number}.mlp.down_proj")} == {4, 8}

    assert time.perf_counter() - begin < 2
