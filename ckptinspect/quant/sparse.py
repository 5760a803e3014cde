"""Sparse weights of compressed-tensors: the values that are not zero, and a bit for each that may be.

``compressed`` ([values] or, 2:4, [N, K/2]) beside ``bitmask`` U8 [N, ceil(K/8)], ``shape`` [2] and ``row_offsets``.
What counts is the dense matrix, as the model class holds it. Of 2:4 the values show half of the columns; else the
mask leaves a byte of them open, and the neighbours or the config tell. Layout: compressed-tensors
``sparse_bitmask.py``, ``sparse_24_bitmask.py``.
"""

from typing import ClassVar

from ckptinspect.model import Kind
from ckptinspect.quant.base import Explained, Format, Setting, Unit, packed, unknown
from ckptinspect.quant.deciding import Decision, Reading, decided
from ckptinspect.quant.packing import values_in

_SERVING = ("bitmask", "shape", "row_offsets")


class Sparse:
    """Bitmasks over what is stored."""

    name: ClassVar[str] = "sparse-bitmask"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        for before in ("", "weight."):
            values, mask = unit.only(f"{before}compressed"), unit.only(f"{before}bitmask", frozenset({"U8"}))
            if values is None or mask is None or mask.rank != 2 or values.dtype.bits is None:
                continue
            rows, serving = mask.shape[0], tuple(f"{before}{leaf}" for leaf in _SERVING)
            if (found := _columns(unit, values, mask, setting)) is None:
                reason = "the mask does not say how many columns it is for, and neither a neighbour nor the config does"
                return unknown(self.name, unit, [values], reason, serving)
            reading, evidence = found
            name = "sparse-24-bitmask" if 2 * values.elements == rows * reading.inputs else self.name
            form = Format(name, reading.bits, None, evidence)
            return packed(unit, values, (rows, reading.inputs), form, serving)
        return None


def _columns(unit: Unit, values: Kind, mask: Kind, setting: Setting) -> Decision | None:
    """How many columns the dense matrix has: as many as fill the mask and are enough for the values."""
    rows, bits = mask.shape[0], values.dtype.bits or 0
    fitting = [k for k in values_in(mask.shape[1], 1, 8) if values.elements <= rows * k]
    if values.rank == 2 and values.shape[0] == rows and 2 * values.shape[1] in fitting:
        return Reading(2 * values.shape[1], bits, None), "header"
    return decided(unit, mask, [Reading(inputs, bits, None) for inputs in fitting], setting) if fitting else None
