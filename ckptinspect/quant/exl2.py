"""EXL2: rows of a matrix at bits of their own, packed along the inputs.

``q_weight`` I32 [words, N] beside ``q_scale`` I32 [groups, N/8], ``q_scale_max`` [groups], ``q_groups`` I16 and
``q_invperm`` (or ``q_perm``) [K]. K and N stand in the header; the bits are an average. Layout: exllamav2
``exl2`` conversion.
"""

from typing import ClassVar

from ckptinspect.quant.base import Explained, Format, Setting, Unit, packed
from ckptinspect.quant.packing import group_of

_SERVING = ("q_scale", "q_scale_max", "q_groups", "q_invperm", "q_perm", "q_group_map")


class Exl2:
    """Mixed bits of exllamav2."""

    name: ClassVar[str] = "exl2"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weight, scale = unit.only("q_weight", frozenset({"I32"})), unit.only("q_scale")
        order = unit.only("q_invperm") or unit.only("q_perm")
        if weight is None or scale is None or order is None or weight.rank != 2 or order.rank != 1:
            return None
        outputs, inputs = weight.shape[1], order.shape[0]
        if not inputs or not outputs or scale.rank != 2 or scale.shape[1] * 8 != outputs:
            return None
        bits = round(32 * weight.shape[0] / inputs, 2)
        if not 1 <= bits <= 8:
            return None
        form = Format(self.name, bits, group_of(inputs, scale.shape[0]))
        return packed(unit, weight, (outputs, inputs), form, _SERVING)
