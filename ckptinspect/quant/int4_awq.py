"""ModelOpt's INT4 AWQ: two rows of the output in a byte.

``weight`` U8 [N/2, K] beside ``weight_scale`` float [N, K/g] and, smoothed, ``pre_quant_scale`` [K]. No other scheme
packs along the outputs under these names, so that twice the rows in the scales prove it. Layout: ModelOpt
``quantization/qtensor/int4_tensor.py``.
"""

from typing import ClassVar

from ckptinspect.quant.base import FLOATS, Explained, Format, Setting, Unit, packed
from ckptinspect.quant.packing import divides, group_of


class Int4Awq:
    """4-bit integers of ModelOpt."""

    name: ClassVar[str] = "int4-awq"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weight, scale = unit.only("weight", frozenset({"U8"})), unit.only("weight_scale", FLOATS)
        if weight is None or scale is None or weight.rank < 2 or scale.rank != weight.rank:
            return None
        rows, inputs = weight.shape[-2:]
        if scale.shape[:-1] != (*weight.shape[:-2], 2 * rows) or not divides(scale.shape[-1], inputs):
            return None
        group = group_of(inputs, scale.shape[-1])
        return packed(unit, weight, (*weight.shape[:-2], 2 * rows, inputs), Format(self.name, 4, group))
