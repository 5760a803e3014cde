import math
from typing import NamedTuple

import numpy as np
import pytest

from ckptinspect.dtypes import DTYPES, Dtype, Family, dtype_of


class Layout(NamedTuple):
    """How the bits of a float are read: the bias of its exponent, and which codes are no finite number."""

    exponent: int
    mantissa: int
    bias: int
    special: str


# IEEE 754: the highest exponent is for infinities and NaN. OFP8 E4M3: all ones is NaN. OCP MX: F4 and F6 have no
# special code. FNUZ: only what would be negative zero is NaN.
LAYOUTS = {
    "F4": Layout(2, 1, 1, "none"),
    "F6_E2M3": Layout(2, 3, 1, "none"),
    "F6_E3M2": Layout(3, 2, 3, "none"),
    "F8_E5M2": Layout(5, 2, 15, "ieee"),
    "F8_E4M3": Layout(4, 3, 7, "all ones"),
    "F8_E4M3FNUZ": Layout(4, 3, 8, "none"),
    "F8_E5M2FNUZ": Layout(5, 2, 16, "none"),
    "F16": Layout(5, 10, 15, "ieee"),
    "BF16": Layout(8, 7, 127, "ieee"),
    "F32": Layout(8, 23, 127, "ieee"),
    "F64": Layout(11, 52, 1023, "ieee"),
}


def largest(layout: Layout) -> float:
    """The largest finite value: the highest exponent and mantissa that are left to numbers."""
    top = 2**layout.exponent - 1 - (layout.special == "ieee")
    ones = 2**layout.mantissa - 1 - (layout.special == "all ones")
    return math.ldexp(1 + ones / 2**layout.mantissa, top - layout.bias)


def smallest(layout: Layout) -> float:
    """The smallest normal value: exponent 1, mantissa 0."""
    return math.ldexp(1.0, 1 - layout.bias)


@pytest.mark.parametrize(
    ("code", "bits", "family", "fields", "range_"),
    [
        ("BOOL", 8, "bool", (0, 0, 1), (1, 1)),
        ("F4", 4, "float", (1, 2, 1), (6.0, 1.0)),
        ("F6_E2M3", 6, "float", (1, 2, 3), (7.5, 1.0)),
        ("F6_E3M2", 6, "float", (1, 3, 2), (28.0, 0.25)),
        ("U8", 8, "uint", (0, 0, 8), (255, 1)),
        ("I8", 8, "int", (1, 0, 7), (127, 1)),
        ("F8_E5M2", 8, "float", (1, 5, 2), (57344.0, 6.103515625e-05)),
        ("F8_E4M3", 8, "float", (1, 4, 3), (448.0, 0.015625)),
        ("F8_E8M0", 8, "exponent", (0, 8, 0), (1.7014118346046923e38, 5.877471754111438e-39)),
        ("F8_E4M3FNUZ", 8, "float", (1, 4, 3), (240.0, 0.0078125)),
        ("F8_E5M2FNUZ", 8, "float", (1, 5, 2), (57344.0, 3.0517578125e-05)),
        ("I16", 16, "int", (1, 0, 15), (32767, 1)),
        ("U16", 16, "uint", (0, 0, 16), (65535, 1)),
        ("F16", 16, "float", (1, 5, 10), (65504.0, 6.103515625e-05)),
        ("BF16", 16, "float", (1, 8, 7), (3.3895313892515355e38, 1.1754943508222875e-38)),
        ("I32", 32, "int", (1, 0, 31), (2147483647, 1)),
        ("U32", 32, "uint", (0, 0, 32), (4294967295, 1)),
        ("F32", 32, "float", (1, 8, 23), (3.4028234663852886e38, 1.1754943508222875e-38)),
        ("C64", 64, "complex", (1, 8, 23), (3.4028234663852886e38, 1.1754943508222875e-38)),
        ("F64", 64, "float", (1, 11, 52), (1.7976931348623157e308, 2.2250738585072014e-308)),
        ("I64", 64, "int", (1, 0, 63), (9223372036854775807, 1)),
        ("U64", 64, "uint", (0, 0, 64), (18446744073709551615, 1)),
    ],
)
def test_every_dtype_has_its_figures(
    code: str, bits: int, family: str, fields: tuple[int, int, int], range_: tuple[float, float]
) -> None:
    dtype = DTYPES[code]

    assert (dtype.code, dtype.bits, dtype.family) == (code, bits, family)
    assert (dtype.sign, dtype.exponent, dtype.mantissa) == fields
    assert (dtype.largest, dtype.smallest) == range_


def test_there_are_22_in_the_order_of_the_reference() -> None:
    assert " ".join(DTYPES) == (
        "BOOL F4 F6_E2M3 F6_E3M2 U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ "
        "I16 U16 F16 BF16 I32 U32 F32 C64 F64 I64 U64"
    )


@pytest.mark.parametrize("code", LAYOUTS)
def test_a_floats_figures_follow_from_its_bits(code: str) -> None:
    layout = LAYOUTS[code]
    dtype = DTYPES[code]

    assert (dtype.exponent, dtype.mantissa) == (layout.exponent, layout.mantissa)
    assert dtype.bits == 1 + layout.exponent + layout.mantissa
    assert dtype.largest == largest(layout)
    assert dtype.smallest == smallest(layout)


@pytest.mark.parametrize("code", [code for code, layout in LAYOUTS.items() if layout.exponent + layout.mantissa < 16])
def test_no_bit_pattern_of_a_small_float_is_larger(code: str) -> None:
    layout = LAYOUTS[code]
    finite = []
    for pattern in range(2 ** (layout.exponent + layout.mantissa)):
        power, fraction = pattern >> layout.mantissa, pattern % 2**layout.mantissa
        if layout.special == "ieee" and power == 2**layout.exponent - 1:
            continue
        if layout.special == "all ones" and pattern == 2 ** (layout.exponent + layout.mantissa) - 1:
            continue
        finite.append(math.ldexp(bool(power) + fraction / 2**layout.mantissa, max(power, 1) - layout.bias))

    assert max(finite) == DTYPES[code].largest
    assert sorted(finite)[2**layout.mantissa] == DTYPES[code].smallest
    assert len(set(finite)) == len(finite)


def test_a_block_scale_is_a_power_of_two() -> None:
    # OCP MX 1.0, E8M0: 2 ** (code - 127), and code 255 is NaN.
    powers = [math.ldexp(1.0, code - 127) for code in range(255)]

    assert (max(powers), min(powers)) == (DTYPES["F8_E8M0"].largest, DTYPES["F8_E8M0"].smallest)


@pytest.mark.parametrize(
    ("code", "name"), [("F16", "float16"), ("F32", "float32"), ("C64", "complex64"), ("F64", "float64")]
)
def test_numpy_has_the_same_figures_of_its_floats(code: str, name: str) -> None:
    figures = np.finfo(np.dtype(name))

    assert DTYPES[code].largest == float(figures.max)
    assert DTYPES[code].smallest == float(figures.smallest_normal)
    assert DTYPES[code].exponent == figures.iexp
    assert DTYPES[code].mantissa == figures.nmant
    assert DTYPES[code].bits == np.dtype(name).itemsize * 8


@pytest.mark.parametrize("code", ["I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64"])
def test_numpy_has_the_same_figures_of_its_integers(code: str) -> None:
    figures = np.iinfo(np.dtype(code.replace("I", "int").replace("U", "uint")))

    assert (DTYPES[code].largest, DTYPES[code].bits) == (figures.max, figures.bits)


@pytest.mark.parametrize("code", ["U3", "f32", "", "FP4", "E8M0", "UE8", "F32 "])
def test_a_dtype_that_is_not_in_the_table_has_no_width(code: str) -> None:
    assert dtype_of(code) == Dtype(code)
    assert (dtype_of(code).bits, dtype_of(code).family) == (None, Family.UNKNOWN)


def test_the_table_gives_the_same_object_every_time() -> None:
    assert dtype_of("BF16") is DTYPES["BF16"]
