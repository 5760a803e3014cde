"""EETQ: bytes stored transposed, with a scale for each output.

``weight`` I8 [K, N] beside ``weight_scales`` F16 [N]. One byte is one parameter. Layout: transformers
``integrations/eetq.py``.
"""

from typing import ClassVar

from ckptinspect.quant.base import FLOATS, Explained, Format, Setting, Unit, packed


class Eetq:
    """8-bit integers, transposed."""

    name: ClassVar[str] = "eetq"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weight, scales = unit.only("weight", frozenset({"I8"})), unit.only("weight_scales", FLOATS)
        if weight is None or scales is None or weight.rank != 2 or scales.shape != weight.shape[1:]:
            return None
        return packed(unit, weight, weight.shape[::-1], Format(self.name, 8, None), ("weight_scales",))
