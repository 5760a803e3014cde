"""AQLM: several codebooks, a sum of whose vectors stands for a group of weights.

``codes`` I8 or I16 [N/out, K/in, C]; ``codebooks`` [C, 2^b, out, in]; ``scales`` [N/out, 1, 1, 1]. Exact from the
header. Layout: aqlm ``inference.py``.
"""

from typing import ClassVar

from ckptinspect.model import Kind
from ckptinspect.quant.base import FLOATS, Explained, Format, Setting, Unit, packed

_SERVING = ("codebooks", "scales")
# Bits a weight; the fewest that anybody writes are twice as many.
_FEWEST = 0.25


class Aqlm:
    """Additive quantization."""

    name: ClassVar[str] = "aqlm"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        codes, books = unit.only("codes"), unit.only("codebooks", FLOATS)
        if codes is None or books is None or codes.rank != 3 or books.rank != 4 or codes.shape[2] != books.shape[0]:
            return None
        rows, columns, count = codes.shape
        _, _, out_group, in_group = books.shape
        scales = unit.only("scales", FLOATS)
        if not out_group * in_group or (scales is not None and scales.shape[:1] != (rows,)):
            return None
        bits = _bits(books, count, out_group * in_group)
        if bits < _FEWEST or 1 << (codes.dtype.bits or 0) < books.shape[1]:
            return None
        form = Format(self.name, bits, in_group)
        return packed(unit, codes, (rows * out_group, columns * in_group), form, _SERVING)


def _bits(books: Kind, count: int, group: int) -> float:
    """Bits per weight: those of the codes of a group, over its weights."""
    bits = (books.shape[1] - 1).bit_length() * count
    return bits / group if bits % group else bits // group
