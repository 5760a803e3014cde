from collections import Counter

import pytest

from ckptinspect.analysis.estimate.asked import Asked, dtype_named
from ckptinspect.analysis.estimate.parallel import Load, Ways, loads, on_device, stage_layers
from ckptinspect.analysis.estimate.subject import Subject
from tests.checkpoints import (
    bloom_1b4_zh,
    checkpoint_of,
    decoder,
    llama_3_1_8b,
    matrix,
    qwen2_vl_7b,
    small_deepseek,
)
from tests.estimating import figures, real, values

STORED, LARGEST = "as stored", "on the largest device"


@pytest.mark.parametrize(
    ("name", "nbytes"),
    [
        ("Llama-3.1-8B-Instruct", 16_060_522_496),
        ("gpt2", 548_090_880),
        ("gpt-oss-20b", 13_761_264_768),
        ("all-dtypes", None),
    ],
)
def test_the_stored_bytes_are_those_of_the_tensors(name: str, nbytes: int | None) -> None:
    checkpoint = real(name)
    found = figures(checkpoint, "loading")[STORED]

    assert found.value == Subject(checkpoint, Asked()).counted.total.nbytes
    assert nbytes is None or found.value == nbytes
    assert found.exact


def test_casting_takes_all_parameters_in_one_format() -> None:
    # 124,439,808 parameters: buffers are none, and the tied head is one with the embedding
    assert values(real("gpt2"), "loading", Asked(dtype=dtype_named("bf16", "")))["cast to BF16"] == 248_879_616
    # 14e9 * 2 = 28 GB: Llama-3.1-8B in 4 bits
    assert values(llama_3_1_8b(), "loading", Asked(dtype=dtype_named("int4", "")))["cast to INT4"] == 4_015_130_624


def test_what_is_in_its_format_already_is_not_cast() -> None:
    assert list(values(llama_3_1_8b(), "loading")) == [STORED]


def test_dequantizing_takes_the_format_that_the_model_computes_in() -> None:
    found = figures(real("Llama-3.1-8B-Instruct.FP8-block"), "loading")["dequantized to BF16"]

    assert found.value == 8_030_261_248 * 2
    assert "BF16 is the config's dtype" in found.assumptions


def test_what_is_packed_and_not_explained_has_no_size_in_another_format() -> None:
    found = figures(real("Llama-3.1-8B-Instruct.GPTQ-INT4"), "loading")
    cast = next(estimate for name, estimate in found.items() if name.startswith("dequantized"))

    assert cast.value is None or cast.value == 8_030_261_248 * 2


def test_modules_that_a_model_can_do_without_are_taken_out() -> None:
    found = values(qwen2_vl_7b(), "loading")

    # visual is 675,759,104 parameters in BF16
    assert found["without visual"] == 8_291_375_616 * 2 - 675_759_104 * 2
    assert found["without visual"] == (7_070_619_136 + 544_997_376) * 2


def test_without_multi_token_prediction() -> None:
    checkpoint = small_deepseek()
    mtp = sum(row.tally.nbytes for row in Subject(checkpoint, Asked()).counted.rows if row.place.module == "mtp")
    found = values(checkpoint, "loading")

    assert found["without mtp"] == found[STORED] - mtp  # type: ignore[operator]


def test_the_projector_goes_with_the_tower() -> None:
    found = values(real("llava-1.5-7b-hf"), "loading")

    # 6,738,939,904 parameters of the language model in F16
    assert found["without visual"] == 6_738_939_904 * 2


def test_a_whisper_without_ears_is_none() -> None:
    assert "without audio" not in values(real("whisper-tiny"), "loading")


def test_a_weight_stored_twice_is_loaded_once() -> None:
    tensors = decoder("model", layers=1, vocab=100, hidden=64, kv=32, ffn=128) | matrix("lm_head", 100, 64)
    found = values(checkpoint_of(tensors, {"model_type": "qwen3", "tie_word_embeddings": True}), "loading")

    assert found["without what is stored twice"] == (found[STORED] or 0) - 100 * 64 * 2


def test_layers_are_divided_in_their_order() -> None:
    assert [len(part) for part in stage_layers(range(61), 4)] == [16, 15, 15, 15]
    assert stage_layers([1, 2], 5) == [[1], [2]]
    assert stage_layers([], 3) == [[]]


@pytest.mark.parametrize("stages", [1, 2, 3, 5])
def test_the_stages_of_a_pipeline_hold_all_there_is(stages: int) -> None:
    for checkpoint in (llama_3_1_8b(), small_deepseek(), qwen2_vl_7b()):
        subject = Subject(checkpoint, Asked(pipeline=stages))
        found = loads(subject, lambda row: row.kind.nbytes)
        held = sum(load.divided + load.keys + load.experts + load.repeated for load in found)

        assert len(found) == stages
        assert held == subject.counted.total.nbytes


def test_a_tied_head_is_held_at_both_ends_of_a_pipeline() -> None:
    subject = Subject(bloom_1b4_zh(), Asked(pipeline=2))
    found = loads(subject, lambda row: row.kind.nbytes)
    held = sum(load.divided + load.keys + load.experts + load.repeated for load in found)

    assert held == subject.counted.total.nbytes + 94_504_960 * 2


def test_tensor_parallelism_divides_matrices_and_repeats_vectors() -> None:
    # Llama-3.1-8B: 65 norms of 4096 and nothing else is no matrix; 8 heads over 8 devices
    found = values(llama_3_1_8b(), "loading", Asked(tensor=8))
    vectors = 65 * 4096 * 2

    assert found[LARGEST] == (16_060_522_496 - vectors) // 8 + vectors


def test_keys_and_values_are_divided_by_heads_alone() -> None:
    found = values(llama_3_1_8b(), "loading", Asked(tensor=32))
    vectors, keys = 65 * 4096 * 2, 32 * 2 * 1024 * 4096 * 2

    assert found[LARGEST] == (16_060_522_496 - vectors - keys) // 32 + keys // 8 + vectors


def test_experts_go_whole_to_their_devices() -> None:
    # Mixtral: 8 experts over 8 devices, all else on each
    checkpoint = real("Mixtral-8x7B")
    routed = 45_097_156_608 * 2
    found = values(checkpoint, "loading", Asked(expert=8))

    assert found[LARGEST] == 46_702_792_704 * 2 - routed + routed // 8
    # Over 3 devices one has 3 of them.
    assert values(checkpoint, "loading", Asked(expert=3))[LARGEST] == 46_702_792_704 * 2 - routed + routed // 8 * 3
    # Without --ep they are divided like any other matrix.
    shared = Asked(tensor=4)
    vectors = 65 * 4096 * 2 + 32 * 8 * 4096 * 2
    assert values(checkpoint, "loading", shared)[LARGEST] == (46_702_792_704 * 2 - vectors) // 4 + vectors


def test_what_one_device_holds_is_a_part_of_the_whole() -> None:
    ways = Ways(tensor=4, expert=2, heads=2, experts=4)
    subject = Subject(small_deepseek(), Asked(tensor=4, expert=2, pipeline=2))
    found = loads(subject, lambda row: row.kind.nbytes)
    largest = max(on_device(load, ways).value for load in found)

    assert 0 < largest < subject.counted.total.nbytes
    assert Counter(type(on_device(load, ways).value) for load in found) == {int: 2}


def test_keys_and_values_go_by_whole_heads_where_the_devices_do_not_divide_them() -> None:
    """Eight heads over three devices: one of them has three."""
    weights = 2 * 32 * 1024 * 4096 * 2

    assert on_device(Load(keys=weights), Ways(tensor=3, expert=1, heads=8, experts=None)).value == weights * 3 // 8
    assert on_device(Load(keys=weights), Ways(tensor=4, expert=1, heads=8, experts=None)).value == weights // 4
