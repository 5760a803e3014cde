"""The only table of number formats: the 22 dtypes of safetensors 0.8.0.

Codes and widths are those of the ``Dtype`` enum in the reference implementation (safetensors
``tensor.rs``), in its order. Float layouts: IEEE 754 for F16, F32, F64; bfloat16; OCP 8-bit floating
point (OFP8) 1.0 for F8_E4M3 and F8_E5M2; OCP Microscaling Formats (MX) 1.0 for F4, F6_* and F8_E8M0;
the FNUZ pair as in "8-bit Numerical Formats for Deep Neural Networks" (arXiv:2206.02915).
"""

from enum import StrEnum

import msgspec


class Family(StrEnum):
    """What the bits of a dtype stand for."""

    BOOL = "bool"
    INT = "int"
    UINT = "uint"
    FLOAT = "float"
    COMPLEX = "complex"
    EXPONENT = "exponent"
    UNKNOWN = "unknown"


INTEGERS = frozenset({Family.BOOL, Family.INT, Family.UINT})


class Dtype(msgspec.Struct, frozen=True, gc=False):
    """A number format. ``bits`` is None for a code that is newer than this table.

    ``sign``, ``exponent``, ``mantissa`` are field widths in bits (for C64, of each of its two halves);
    ``largest`` is the largest finite value, ``smallest`` the smallest positive normal one.

    >>> DTYPES["BF16"].bits, DTYPES["F16"].largest
    (16, 65504.0)
    """

    code: str
    bits: int | None = None
    family: Family = Family.UNKNOWN
    sign: int = 0
    exponent: int = 0
    mantissa: int = 0
    largest: float | None = None
    smallest: float | None = None
    note: str = ""


def _float(code: str, exponent: int, mantissa: int, largest: float, smallest: float, note: str = "") -> Dtype:
    return Dtype(code, 1 + exponent + mantissa, Family.FLOAT, 1, exponent, mantissa, largest, smallest, note)


def _int(code: str, bits: int) -> Dtype:
    return Dtype(code, bits, Family.INT, 1, 0, bits - 1, 2 ** (bits - 1) - 1, 1)


def _uint(code: str, bits: int) -> Dtype:
    return Dtype(code, bits, Family.UINT, 0, 0, bits, 2**bits - 1, 1)


_ALL = (
    Dtype("BOOL", 8, Family.BOOL, 0, 0, 1, 1, 1, "one byte per element"),
    _float("F4", 2, 1, 6.0, 1.0, "E2M1, element of MXFP4; two per byte"),
    _float("F6_E2M3", 2, 3, 7.5, 1.0, "four in three bytes"),
    _float("F6_E3M2", 3, 2, 28.0, 0.25, "four in three bytes"),
    _uint("U8", 8),
    _int("I8", 8),
    _float("F8_E5M2", 5, 2, 57344.0, 2.0**-14),
    _float("F8_E4M3", 4, 3, 448.0, 2.0**-6, "E4M3FN: no infinities"),
    Dtype("F8_E8M0", 8, Family.EXPONENT, 0, 8, 0, 2.0**127, 2.0**-127, "a power of two; a block scale"),
    _float("F8_E4M3FNUZ", 4, 3, 240.0, 2.0**-7, "no infinities, no negative zero"),
    _float("F8_E5M2FNUZ", 5, 2, 57344.0, 2.0**-15, "no infinities, no negative zero"),
    _int("I16", 16),
    _uint("U16", 16),
    _float("F16", 5, 10, 65504.0, 2.0**-14),
    _float("BF16", 8, 7, (2 - 2.0**-7) * 2.0**127, 2.0**-126),
    _int("I32", 32),
    _uint("U32", 32),
    _float("F32", 8, 23, (2 - 2.0**-23) * 2.0**127, 2.0**-126),
    Dtype(
        "C64", 64, Family.COMPLEX, 1, 8, 23, (2 - 2.0**-23) * 2.0**127, 2.0**-126, "two F32; one element, one parameter"
    ),
    _float("F64", 11, 52, (2 - 2.0**-52) * 2.0**1023, 2.0**-1022),
    _int("I64", 64),
    _uint("U64", 64),
)

DTYPES: dict[str, Dtype] = {dtype.code: dtype for dtype in _ALL}
"""Every known dtype by its code, in the order of the reference implementation."""


def dtype_of(code: str) -> Dtype:
    """The dtype with this code; one without a width where the code is unknown.

    >>> dtype_of("F32").bits, dtype_of("U3").bits
    (32, None)
    """
    return DTYPES.get(code) or Dtype(code)
