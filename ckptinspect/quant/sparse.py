"""Sparse weights of compressed-tensors: the values that are not zero, and a bit for each that may be.

``compressed`` ([values] or, 2:4, [N, K/2]) beside ``bitmask`` U8 [N, ceil(K/8)], ``shape`` [2] and ``row_offsets``.
What counts is the dense matrix, as the model class holds it. With columns in whole bytes the mask is exact; else the
neighbours tell. Layout: compressed-tensors ``sparse_bitmask.py``, ``sparse_24_bitmask.py``.
"""

from typing import ClassVar

from ckptinspect.quant.base import Explained, Format, Setting, Unit, packed
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
            fitting = values_in(mask.shape[1], 1, 8)
            near = setting.neighbours.inputs(unit.path).intersection(fitting)
            halved = {2 * values.shape[1]}.intersection(fitting) if values.rank == 2 else set()
            inputs = min(near) if len(near) == 1 else min(halved, default=fitting[-1])
            if values.elements > mask.shape[0] * inputs:
                continue
            name = "sparse-24-bitmask" if 2 * values.elements == mask.shape[0] * inputs else self.name
            serving = tuple(f"{before}{leaf}" for leaf in _SERVING)
            return packed(unit, values, (mask.shape[0], inputs), Format(name, values.dtype.bits, None), serving)
        return None
