"""Counts that are published, and often misread, of checkpoints grown from their hyper-parameters."""

from collections.abc import Callable

import pytest

from ckptinspect.analysis.count import Count, count
from ckptinspect.analysis.names import by_tensor
from fixtures import deepseek_v3, published
from fixtures.published import Published
from tests.checkpoints import checkpoint_of


def deepseek() -> Published:
    return {name: (code, shape) for name, code, shape in deepseek_v3.tensors()}, deepseek_v3.CONFIG


def counted(grow: Callable[[], Published]) -> Count:
    tensors, config = grow()
    return count(checkpoint_of(tensors, config))


# The printed decompositions: from what the file stores to what the model has.
DECOMPOSED: dict[Callable[[], Published], tuple[int, dict[str, int]]] = {
    published.gpt2: (124_439_808, {"stored elements": 137_022_720, "buffers": -12_582_912}),
    published.gpt_neox_20b: (
        20_554_567_680,
        # 20,554,568,208 in F16, 184,549,376 of masks in U8, and 44 scalars.
        {"stored elements": 20_739_117_628, "buffers": -(184_549_376 + 528 + 44)},
    ),
    published.qwen3_0_6b: (
        596_049_920,
        {"stored elements": 751_632_384, "tied weights, stored again": -155_582_464},
    ),
    deepseek: (
        671_026_419_200 + 11_610_068_224,
        {
            "stored elements": 684_531_386_000,
            "quantization scales and maps": -41_540_496,
            "copies of embedding and head in the MTP layers": -1_853_358_080,
        },
    ),
    published.gpt_oss_20b: (
        20_914_757_184,
        {
            "stored elements": 11_956_805_184,
            "packed weights, expanded": 9_555_148_800,
            "quantization scales and maps": -597_196_800,
        },
    ),
    published.minimax_m2: (
        228_689_764_864,
        {"stored elements": 228_703_644_928, "quantization scales and maps": -13_880_064},
    ),
    published.bitnet_2b: (
        2_412_820_480,
        {
            "stored elements": 849_787_090,
            "packed weights, expanded": 3 * 521_011_200,
            "quantization scales and maps": -210,
        },
    ),
    published.llama_bnb: (
        8_030_261_248,
        {
            # BF16 1,050,939,392; U8 3,489,660,928 of weights; scales and maps of them.
            "stored elements": 1_050_939_392 + 3_489_660_928 + 109_051_904 + 486_912 + 224 * 174,
            "packed weights, expanded": 3_489_660_928,
            "quantization scales and maps": -(109_051_904 + 486_912 + 224 * 174),
        },
    ),
    published.llama_gptq: (
        8_030_261_248,
        {
            "stored elements": 1_985_941_504 + 1_376_256,
            "packed weights, expanded": 6_106_906_624,
            "quantization scales and maps": -62_586_880,
            "biases of zeros that the quantizer wrote": -1_376_256,
        },
    ),
    published.qwen2_5_vl_7b: (8_292_166_656, {"stored elements": 8_292_166_656}),
}


@pytest.mark.parametrize("grow", DECOMPOSED, ids=lambda grow: grow.__name__)
def test_the_count_and_its_decomposition_are_those_that_are_published(grow: Callable[[], Published]) -> None:
    parameters, parts = DECOMPOSED[grow]
    found = counted(grow)

    assert dict(found.decomposition) == parts
    assert (found.total.parameters, found.total.unexplained) == (parameters, 0)
    assert sum(parts.values()) == parameters


def test_deepseek_v3_has_its_multi_token_prediction_apart() -> None:
    modules = counted(deepseek).by(lambda row: row.place.module)

    assert modules["mtp",].parameters == 11_610_068_224
    assert sum(tally.parameters for tally in modules.values()) == 682_636_487_424
    assert {code: tally.stored for (code,), tally in counted(deepseek).by(lambda row: row.kind.dtype.code).items()} == {
        "BF16": 3_918_786_560,
        "F8_E4M3": 680_571_043_840,
        "F32": 41_555_600,
    }


def test_minimax_m2_has_the_bytes_that_are_published() -> None:
    assert counted(published.minimax_m2).total.nbytes == 230_121_630_720


def test_qwen2_5_vl_falls_into_its_modules() -> None:
    modules = counted(published.qwen2_5_vl_7b).by(lambda row: row.place.module)

    assert {module: tally.parameters for (module,), tally in modules.items()} == {
        "visual": 676_550_144,
        "model": 7_070_619_136,
        "lm_head": 544_997_376,
    }


def test_a_gptq_of_llama_shows_the_hubs_number_when_its_phantom_biases_are_added() -> None:
    tensors, config = published.llama_gptq()
    without_word = {key: value for key, value in config.items() if key not in {"attention_bias", "mlp_bias"}}
    unsaid = {**without_word, "model_type": "somebody's"}

    assert count(checkpoint_of(tensors, without_word)).total.parameters == 8_030_261_248
    assert count(checkpoint_of(tensors, unsaid)).total.parameters == 8_031_637_504


@pytest.mark.parametrize("grow", [published.bitnet_2b, published.llama_gptq], ids=lambda grow: grow.__name__)
def test_tensor_by_tensor_it_comes_to_the_same(grow: Callable[[], Published]) -> None:
    tensors, config = grow()
    checkpoint = checkpoint_of(tensors, config)
    found = count(checkpoint)

    assert by_tensor(checkpoint, found).total == found.total
