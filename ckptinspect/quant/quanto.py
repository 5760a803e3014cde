"""quanto: a tensor subclass taken apart into its data and its scale.

8 bits: ``weight._data`` I8 or FP8 [N, K], ``weight._scale``. 4 and 2 bits: ``weight._data._data`` U8, packed along the
first dimension of the groups [N*K/g, g], beside ``weight._scale`` and ``weight._shift`` with a row for each group; so
the rows of both tell the bits. Scalars ``input_scale`` and ``output_scale`` are of the activations. Groups along the
inputs, [g, N*K/g], hide their size from the header. Layout: optimum-quanto ``tensor/packed.py``, ``grouped.py``.
"""

from typing import ClassVar

from ckptinspect.model import Kind
from ckptinspect.quant.base import BYTES, FP8, Explained, Format, Setting, Unit, counted, packed, shaped, unknown
from ckptinspect.quant.packing import ceil_div

_SERVING = ("weight._scale", "weight._shift")


class Quanto:
    """quanto's bytes and packed bits."""

    name: ClassVar[str] = "quanto"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        scale = unit.only("weight._scale")
        if scale is None:
            return None
        weight = unit.only("weight._data", BYTES | FP8)
        if weight is not None and weight.rank >= 2:
            return packed(unit, weight, weight.shape, Format(self.name, 8, None), _SERVING)
        weight = unit.only("weight._data._data", frozenset({"U8"}))
        if weight is None or weight.rank != 2 or "weight._shift" not in unit.leaves:
            return None
        return self._bits(unit, weight, scale, setting)

    def _bits(self, unit: Unit, weight: Kind, scale: Kind, setting: Setting) -> Explained:
        rows, columns = weight.shape
        if scale.rank == 2 and scale.shape[1] == 1:
            for bits in (4, 2):
                if ceil_div(scale.shape[0] * bits, 8) == rows:
                    form = Format(self.name, bits, columns)
                    shape = shaped(unit, scale.shape[0] * columns, setting)
                    return counted(unit, weight, shape, form, _SERVING)
        if scale.rank == 2 and scale.shape == (1, columns) and (found := _decided(unit, weight, setting)) is not None:
            bits, evidence = found
            form = Format(self.name, bits, rows * 8 // bits, evidence)
            return counted(unit, weight, shaped(unit, weight.elements * 8 // bits, setting), form, _SERVING)
        reason = (
            "the scales do not say how many rows of values are in a byte, and neither a neighbour nor the config does"
        )
        return unknown(self.name, unit, [weight], reason, _SERVING)


def _decided(unit: Unit, weight: Kind, setting: Setting) -> tuple[int, str] | None:
    """The bits of groups along the inputs, by the neighbours or by the config."""
    products = setting.neighbours.products(unit.path)
    near = {bits for bits in (4, 2) if weight.elements * 8 // bits in products}
    claimed = {claim.bits for claim in setting.claimed(unit.path)}
    for evidence, found in (("neighbour", near), ("config", {bits for bits in (4, 2) if bits in claimed})):
        if len(found) == 1:
            return found.pop(), evidence
    return None
