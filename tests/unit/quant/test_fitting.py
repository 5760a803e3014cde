"""What a scale may look like beside a weight, and what it may not."""

import pytest

from ckptinspect.dtypes import DTYPES
from ckptinspect.model import Kind, Shape, elements_in
from ckptinspect.quant.fitting import fits, serves

WEIGHT = (1536, 4096)


@pytest.mark.parametrize(
    ("scale", "weight"),
    [
        ((), WEIGHT),
        ((1,), WEIGHT),
        ((1, 1), WEIGHT),
        ((0,), WEIGHT),
        ((1536,), WEIGHT),
        ((1536, 1), WEIGHT),
        ((4096,), WEIGHT),
        ((1, 4096), WEIGHT),
        ((12, 32), WEIGHT),
        ((12, 1, 32, 1), WEIGHT),
        ((1536, 128), WEIGHT),
        ((5, 33), (576, 4098)),
        ((8, 2880), (8, 2880, 5760)),
        ((8, 1, 5760), (8, 2880, 5760)),
        ((8,), (8, 2880, 5760)),
        ((100, 5), (100, 100)),
    ],
)
def test_scales_for_all_rows_columns_blocks_and_groups_fit(scale: Shape, weight: Shape) -> None:
    assert fits(scale, weight)


@pytest.mark.parametrize(
    ("scale", "weight"),
    [
        (WEIGHT, WEIGHT),
        ((999,), WEIGHT),
        ((77, 3), (512, 512)),
        ((4096, 1536), WEIGHT),
        ((1536, 1024), WEIGHT),
        ((4096, 4096), (512, 512)),
        ((12, 32, 2), WEIGHT),
        ((512,), (512,)),
    ],
)
def test_what_has_another_shape_or_is_no_coarser_does_not(scale: Shape, weight: Shape) -> None:
    assert not fits(scale, weight)


@pytest.mark.parametrize(
    ("leaf", "code", "shape", "expected"),
    [
        ("weight_shape", "I64", (2, 1), True),
        ("weight_g_idx", "I32", (4096,), True),
        ("weight_zero_point", "I32", (192, 32), True),
        ("weight_zero_point", "I32", (4096, 4096), False),
        ("weight_zero_point", "I8", (1536, 1), True),
        ("weight_zero_point", "I8", (1000, 7), False),
        ("comfy_quant", "U8", (57,), True),
        ("comfy_quant", "U8", (57, 57), False),
        ("k_scale", "F32", (999, 999), False),
        ("input_scale", "F32", (), True),
    ],
)
def test_integers_serve_a_weight_as_zero_points_orders_and_texts(
    leaf: str, code: str, shape: Shape, expected: bool
) -> None:
    elements = elements_in(shape)
    kind = Kind(leaf, DTYPES[code], shape, elements * (DTYPES[code].bits or 0) // 8, 1, leaf)

    assert serves(kind, leaf, (WEIGHT,)) is expected
