"""Figures by hand: ZeRO's section 3.1, Korthikanti's formulas, and the bytes of each recipe."""

import pytest
from msgspec.structs import replace

from ckptinspect.analysis.estimate.asked import Asked
from ckptinspect.analysis.estimate.dimensions import dimensions
from ckptinspect.analysis.estimate.recipes import RECIPES
from ckptinspect.analysis.estimate.subject import Subject
from ckptinspect.analysis.estimate.training import training_sections
from ckptinspect.model import Checkpoint
from ckptinspect.naming.roles import Role
from tests.checkpoints import checkpoint_of, llama_3_1_8b, matrix, small_deepseek, vector
from tests.estimating import figures, real, values

LLAMA = 8_030_261_248


def test_mixed_precision_adam_takes_sixteen_bytes() -> None:
    found = values(llama_3_1_8b(), "training")

    assert found["weights"] == found["gradients"] == LLAMA * 2
    assert found["optimizer states"] == LLAMA * 12
    assert found["model states"] == LLAMA * 16 == 128_484_179_968


def test_every_other_recipe_has_its_line() -> None:
    found = values(llama_3_1_8b(), "training")
    each = {"Adam, FP32 gradients": 18, "Adam in FP32": 16, "Adam in BF16": 8, "Adam, 8-bit moments": 10}

    for title, count in (each | {"SGD with momentum": 12, "Muon": 12}).items():
        assert found[title] == LLAMA * count
    assert len({recipe.name for recipe in RECIPES}) == len(RECIPES)


def test_adafactor_keeps_rows_and_columns() -> None:
    tensors = matrix("model.layers.0.self_attn.q_proj", 64, 32) | vector("model.norm", 7)
    tensors["model.layers.0.mlp.experts.down_proj"] = ("BF16", (4, 32, 16))
    found = values(checkpoint_of(tensors), "training", Asked(recipe="adafactor"))

    # A matrix keeps 64 + 32, a vector 7, four experts 4 * (32 + 16)
    assert found["optimizer states"] == 4 * (64 + 32 + 7 + 4 * (32 + 16))
    assert found["model states"] == 8 * (64 * 32 + 7 + 4 * 32 * 16) + 4 * (64 + 32 + 7 + 4 * 48)


@pytest.mark.parametrize(
    ("stage", "expected"),
    # 2 + 2 + 12 bytes over 64 devices: 16, 4 + 12/64, 2 + 14/64, 16/64 bytes each
    [(0, LLAMA * 16), (1, LLAMA * 4 + LLAMA * 12 // 64), (2, LLAMA * 2 + LLAMA * 14 // 64), (3, LLAMA * 16 // 64)],
)
def test_zero_divides_more_at_each_stage(stage: int, expected: int) -> None:
    found = values(llama_3_1_8b(), "training", Asked(data=64))

    assert found[f"model states, ZeRO stage {stage}"] == expected
    alone = values(llama_3_1_8b(), "training", Asked(data=64, zero=stage))
    assert [name for name in alone if "ZeRO" in name] == [f"model states, ZeRO stage {stage}"]
    parts = [alone[name] or 0 for name in ("activations, no scores kept", "logits")]
    assert alone["in all"] == expected + sum(parts)


def test_activations_are_those_of_korthikanti_for_a_feed_forward_of_four_times_the_width() -> None:
    # gpt2: S = 1024, H = 768, a = 12, L = 12, B = 3: S*B*H*(34 + 5*a*S/H) for each layer
    found = figures(real("gpt2"), "training", Asked(batch=3))
    one = 1024 * 3 * 768

    assert found["activations, all kept"].value == 12 * (one * 34 + 5 * 12 * 1024 * 1024 * 3)
    assert found["activations, no scores kept"].value == 12 * one * 34
    assert found["activations, checkpointed"].value == 12 * one * 2
    assert found["logits"].value == 1024 * 3 * 50257 * 4
    assert not any(found[name].exact for name in found if "activations" in name)


def test_activations_go_by_the_width_that_a_token_sees() -> None:
    # Mixtral: two of eight experts of 14336; 18 * 4096 + 4 * 2 * 14336 bytes a token and layer
    found = values(real("Mixtral-8x7B"), "training", Asked(sequence=100))
    assert found["activations, no scores kept"] == 100 * 32 * (18 * 4096 + 4 * 2 * 14336)
    fused = values(real("Mixtral-8x7B.fused"), "training", Asked(sequence=100))
    assert fused["activations, no scores kept"] == found["activations, no scores kept"]


def test_tensor_parallelism_divides_what_korthikanti_divides() -> None:
    # S*B*H*(10 + 24/t + 5*a*S/(H*t)) with t = 4
    found = values(real("gpt2"), "training", Asked(tensor=4))

    assert found["activations, all kept"] == 12 * (1024 * 768 * 16 + 5 * 12 * 1024 * 1024 // 4)


def test_the_parts_sum_to_the_whole() -> None:
    found = values(real("gpt2"), "training")

    def of(*names: str) -> int:
        return sum(found[name] or 0 for name in names)

    assert of("model states") == of("weights", "gradients", "optimizer states")
    assert of("in all") == of("model states", "activations, no scores kept", "logits")
    assert of("in all, checkpointed") == of("model states", "activations, checkpointed", "logits")


def test_what_cannot_be_counted_says_why() -> None:
    mamba = figures(real("mamba-130m-hf"), "training")
    assert mamba["model states"].value == 129_135_360 * 16
    assert mamba["activations"].reason == "they are counted for attention, and no layer of it attends in a known way"
    adapter = figures(real("lora-llama-3.1-8b-r16"), "training")
    assert adapter["model states"].reason == "it is an adapter: see lora for what training it takes"


def test_each_device_trains_its_part() -> None:
    found = values(llama_3_1_8b(), "training", Asked(tensor=8))
    vectors = 65 * 4096

    assert found["weights"] == 2 * ((LLAMA - vectors) // 8 + vectors)


def packed(checkpoint: Checkpoint) -> Subject:
    """The same checkpoint, as if half of the parameters of each feed-forward stood in one element."""
    subject = Subject(checkpoint, Asked(recipe="adafactor"))
    rows = tuple(
        replace(row, parameters=2 * row.parameters) if row.place.role == Role.MLP else row
        for row in subject.counted.rows
    )
    subject.__dict__["counted"] = replace(subject.counted, rows=rows)
    return subject


def test_packed_matrices_have_no_rows_and_columns_to_sum_over() -> None:
    (section,) = training_sections(packed(llama_3_1_8b()))

    assert [estimate.reason for estimate in section.estimates] == [
        "the rows and columns of packed matrices are not to be seen"
    ]


def test_a_width_that_is_not_to_be_seen_is_the_config_s_or_none() -> None:
    seen = dimensions(packed(llama_3_1_8b()))
    assert seen is not None
    assert seen.widths == 32 * 14336
    # A mixture without the number of experts that a token is sent to
    mixture = dimensions(Subject(small_deepseek(), Asked()))
    assert mixture is not None
    assert mixture.widths is None
