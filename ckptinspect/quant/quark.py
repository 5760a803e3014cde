"""AMD Quark's integers of 4 bits, packed in words of 32 bits in one of two orders.

In groups: ``weight`` I32 [K, N*b/32] beside ``weight_scale`` [K/g, N], packed along the outputs as AWQ does. By row:
``weight`` I32 [N, ceil(K*b/32)] beside ``weight_scale`` or ``weight_scale_2`` [N] and, asymmetric,
``weight_zero_point`` I32 [ceil(N*b/32)]. Layout: Quark ``torch/export/nn/modules/qparamslinear.py``. Its other formats
have the names of FP8, integers of 8 bits and microscaling.
"""

from typing import ClassVar

from ckptinspect.model import Kind
from ckptinspect.quant.base import FLOATS, Explained, Format, Setting, Unit, packed, unknown
from ckptinspect.quant.deciding import Reading, decided
from ckptinspect.quant.packing import bits_of, group_of, values_in

_BITS = (2, 3, 4, 8)
_SERVING = ("weight_zero_point_2", "input_scale_2")
_ZEROS = ("weight_zero_point", "weight_zero_point_2")


class Quark:
    """Quark's packed integers."""

    name: ClassVar[str] = "quark"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weight = unit.only("weight", frozenset({"I32"}))
        if weight is None or weight.rank != 2:
            return None
        scale = unit.only("weight_scale", FLOATS)
        if scale is not None and scale.rank == 2:
            return self._grouped(unit, weight, scale)
        rows = [kind for leaf in ("weight_scale", "weight_scale_2") if (kind := unit.only(leaf, FLOATS)) is not None]
        if not any(kind.shape == weight.shape[:1] for kind in rows):
            return None
        return self._by_row(unit, weight, setting)

    def _grouped(self, unit: Unit, weight: Kind, scale: Kind) -> Explained | None:
        inputs, outputs = weight.shape[0], scale.shape[1]
        bits = bits_of(outputs, weight.shape[1], choices=_BITS)
        if bits is None or not 0 < scale.shape[0] <= inputs:
            return None
        form = Format(self.name, bits, group_of(inputs, scale.shape[0]))
        return packed(unit, weight, (outputs, inputs), form, ("weight_scale", *_SERVING))

    def _by_row(self, unit: Unit, weight: Kind, setting: Setting) -> Explained:
        zeros = next((kind for leaf in _ZEROS if (kind := unit.only(leaf, frozenset({"I32"}))) is not None), None)
        told = (
            bits_of(weight.shape[0], zeros.shape[0], choices=_BITS) if zeros is not None and zeros.rank == 1 else None
        )
        readings = [
            Reading(inputs, bits, None)
            for bits in (_BITS if told is None else (told,))
            for inputs in values_in(weight.shape[1], bits)
        ]
        if (found := decided(unit, weight, readings, setting)) is None:
            reason = (
                "the packed words do not say how many values they hold, and neither a neighbour nor the config does"
            )
            return unknown(self.name, unit, [weight], reason, _SERVING)
        reading, evidence = found
        form = Format(self.name, reading.bits, None, evidence)
        return packed(unit, weight, (weight.shape[0], reading.inputs), form, _SERVING)
