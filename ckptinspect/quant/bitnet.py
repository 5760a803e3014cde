"""BitNet: weights of -1, 0 and 1, four rows of the output in a byte.

``weight`` U8 [N/4, K] beside ``weight_scale`` of one element. The header does not show along which side the values
are packed: where the inputs of a neighbour are known, they must be the columns. Layout: transformers
``integrations/bitnet.py``.
"""

from typing import ClassVar

from ckptinspect.quant.base import FLOATS, Explained, Format, Setting, Unit, packed, unknown

_HELD = 4


class BitNet:
    """Ternary weights, packed along the outputs."""

    name: ClassVar[str] = "bitnet"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weight, scale = unit.only("weight", frozenset({"U8"})), unit.only("weight_scale", FLOATS)
        if weight is None or scale is None or weight.rank != 2 or scale.elements != 1:
            return None
        near = setting.neighbours.inputs(unit.path)
        if near and weight.shape[1] not in near:
            reason = "its columns are not the inputs that its neighbours show, so that it is packed in another way"
            return unknown(self.name, unit, [weight], reason)
        shape = (_HELD * weight.shape[0], weight.shape[1])
        return packed(unit, weight, shape, Format(self.name, 2, None))
