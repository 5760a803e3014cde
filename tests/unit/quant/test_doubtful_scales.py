"""Names of scales, descriptions and bytes that prove nothing by themselves: what they are taken for."""

import json

import pytest

from ckptinspect.analysis.meaning import Meaning
from tests import layouts
from tests.checkpoints import vector
from tests.folders import Shapes
from tests.quantized import counted, told

REASON = "a tensor is named as the scale of a weight, and its shape does not prove that it is one"
FP8 = ("F8_E4M3", (512, 512))
SQUARE = 512 * 512


@pytest.mark.parametrize(
    ("weight", "leaf", "scale"),
    [
        (FP8, "scales", ("BF16", (77, 3))),
        (FP8, "weight_scale", ("BF16", (512, 512))),
        (FP8, "weight_scale_inv", ("F32", (5, 4))),
        (FP8, "input_scale", ("BF16", (4096, 4096))),
        (FP8, "k_scale", ("BF16", (999, 999))),
        # Learned ones look so, and nobody is known to write those of rows under this name.
        (FP8, "scale", ("BF16", (512,))),
    ],
)
def test_a_scale_of_no_fitting_shape_stays_unexplained(
    weight: tuple[str, tuple[int, ...]], leaf: str, scale: tuple[str, tuple[int, ...]]
) -> None:
    tensors: Shapes = {"a.weight": weight, f"a.{leaf}": scale}
    if leaf in {"k_scale", "input_scale"}:
        tensors = {**tensors, "a.weight_scale": ("F32", ())}

    found = counted(tensors)

    assert found.total.parameters == SQUARE
    assert found.total.unexplained == layouts.elements({leaf: scale})
    assert [one.reason for one in found.explained] == [REASON]
    assert REASON in told(tensors, {}, "unexplained")[0]


@pytest.mark.parametrize("shape", [(), (1,), (512,), (512, 1), (1, 512), (4, 4), (4, 1, 4, 1), (512, 4)])
def test_a_scale_of_a_fitting_shape_is_none_of_the_parameters(shape: tuple[int, ...]) -> None:
    found = counted({"a.weight": FP8, "a.weight_scale": ("F32", shape)})

    assert (found.total.parameters, found.total.unexplained) == (SQUARE, 0)


def test_the_scales_of_8_bit_integers_need_a_fitting_shape_too() -> None:
    tensors: Shapes = {
        "a.weight": ("I8", (512, 512)),
        "a.weight_scale": ("F32", (512,)),
        "a.q_scale": ("BF16", (999,)),
        "a.k_scale": ("BF16", (999, 999)),
    }

    found = counted(tensors)

    assert (found.total.parameters, found.total.unexplained) == (SQUARE, 999 + 999 * 999)


def test_a_learned_scale_of_another_module_is_a_parameter() -> None:
    """The names fold to one: a linear, a learned scale, a linear."""
    tensors: dict[str, tuple[str, tuple[int, ...]]] = {}
    for layer in range(2):
        path = f"model.layers.{layer}.net"
        tensors |= layouts.at(f"{path}.0", layouts.fp8_scaled(512, 512, (1,), static=False))
        tensors[f"{path}.1.scale"] = ("BF16", (512,))
        tensors |= layouts.at(f"{path}.2", layouts.fp8_scaled(512, 512, (1,), static=False))

    found = counted(tensors)

    assert (found.total.parameters, found.total.unexplained) == (4 * SQUARE + 2 * 512, 0)


def test_modules_are_told_apart_where_as_many_scales_stand_elsewhere() -> None:
    """One FP8 weight and one matrix of scales, in modules whose names fold to one: they are no pair."""
    tensors: Shapes = {"model.layers.0.weight": FP8, "model.layers.1.scale": ("F32", (4, 4))}

    found = counted(tensors)

    assert (found.total.parameters, found.total.unexplained) == (SQUARE + 16, 0)
    assert not found.explained


def described(kind: str, **attributes: object) -> dict[str, str]:
    return {"a.weight": json.dumps({"_type": kind, "_data": attributes, "_tensor_data_names": ["qdata", "scale"]})}


@pytest.mark.parametrize("kind", ["NVFP4Tensor", "MXTensor"])
@pytest.mark.parametrize("element", ["float4_e2m1fn_x2", "float8_e4m3fn"])
def test_no_description_makes_two_values_of_an_8_bit_float(kind: str, element: str) -> None:
    metadata = described(kind, block_size=16, elem_dtype={"_type": "torch.dtype", "_data": element})

    found = counted(layouts.at("a", layouts.torchao_float8(512, 512)), None, metadata)

    assert (found.total.parameters, found.total.unexplained) == (SQUARE, 0)
    assert [(one.bits, one.group_size) for one in found.explained] == [(8, None)]


@pytest.mark.parametrize(
    ("code", "scale"),
    [
        ("I8", ("F32", (512, 1))),
        ("U8", ("F32", (512, 1))),
        ("U8", ("F8_E4M3", (512, 32))),
        ("I8", ("F8_E4M3", (512, 64))),
    ],
)
def test_4_bit_floats_need_bytes_and_a_scale_for_16_of_them(code: str, scale: tuple[str, tuple[int, ...]]) -> None:
    tensors: Shapes = {"a._weight_qdata": (code, (512, 512)), "a._weight_scale": scale}

    found = counted(tensors, None, described("NVFP4Tensor", block_size=16))

    assert (found.total.parameters, found.total.unexplained) == (0, SQUARE)


@pytest.mark.parametrize("scale", [(512, 64), (512, 64, 1), (128, 256)])
def test_their_scales_may_be_put_in_tiles(scale: tuple[int, ...]) -> None:
    """128 * 4 rows of 4 * 16 scales are as many as 32 * 4 rows of 16 * 16."""
    tensors: Shapes = {"a._weight_qdata": ("U8", (512, 512)), "a._weight_scale": ("F8_E4M3", scale)}

    found = counted(tensors, None, described("NVFP4Tensor", block_size=16))

    assert (found.total.parameters, found.total.unexplained) == (2 * SQUARE, 0)


def test_tiles_are_not_filled_up_further_than_the_norm_in_front_says() -> None:
    path = "model.layers.0.self_attn.q_proj"
    tensors = {**layouts.at(path, layouts.torchao_tiles(512, 4096)), **vector("model.layers.0.input_layernorm", 4096)}

    for inputs, parameters in ((4096, 512 * 4096 + 4096), (3100, 4096)):
        described_so = layouts.torchao_metadata(
            path, "Int4TilePackedTo4dTensor", {"block_size": [1, 128], "shape": [512, inputs]}
        )
        assert counted(tensors, None, described_so).total.parameters == parameters


BITNET: Shapes = layouts.at("model.layers.0.self_attn.q_proj", layouts.bitnet(512, 256))
INPUTS: Shapes = {"model.layers.0.input_layernorm.weight": ("BF16", (256,))}
OTHER = {"quant_method": "somebody's", "bits": 4}


@pytest.mark.parametrize(
    ("tensors", "section", "expected"),
    [
        (BITNET, None, 0),
        (BITNET, OTHER, 0),
        (BITNET, {"bits": 2}, 0),
        (BITNET, {"quant_method": "bitnet"}, 512 * 256),
        ({**INPUTS, **BITNET}, None, 512 * 256),
        ({**INPUTS, **BITNET}, {"quant_method": "bitnet"}, 512 * 256),
        # The bytes are as wide as the norm, but so would be bytes of a parameter each.
        ({**INPUTS, **BITNET}, OTHER, 0),
    ],
)
def test_bytes_beside_one_scale_are_four_weights_where_a_width_or_the_config_says_so(
    tensors: Shapes, section: dict[str, object] | None, expected: int
) -> None:
    config = {} if section is None else {"quantization_config": section}

    found = counted(tensors, config)

    scaled = [row.parameters for row in found.rows if row.kind.dtype.code == "U8"]
    assert scaled == [expected]
    assert found.total.unexplained == (0 if expected else 128 * 256)
    assert not any("headers count" in sentence for sentence in told(tensors, config))


@pytest.mark.parametrize(("rows", "expected"), [(64, 256 * 768), (256, 0), (128, 0)])
def test_outputs_of_four_times_the_rows_prove_bitnet_against_any_config(rows: int, expected: int) -> None:
    """``down_proj`` gives the hidden state, which is 256 wide."""
    leaves = {"weight": ("U8", (rows, 768)), "weight_scale": ("F32", (1,))}
    tensors: Shapes = {**INPUTS, **layouts.at("model.layers.0.mlp.down_proj", leaves)}

    for section in (OTHER, {"quant_method": "bitnet"}, {}):
        found = counted(tensors, {"quantization_config": section})
        assert found.total.parameters == expected + 256
        assert any(row.meaning is Meaning.UNEXPLAINED for row in found.rows) is not bool(expected)
