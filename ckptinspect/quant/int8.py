"""Integers of 8 bits, one a byte, with a scale for the tensor, the row, or a group.

bitsandbytes: ``weight`` I8 [N, K], ``SCB`` F32 [N], ``weight_format`` U8 []. compressed-tensors (int-quantized and
naive-quantized), ModelOpt and Quark: ``weight`` I8, ``weight_scale`` [], [1], [N], [N, 1], [N, K/g]; asymmetric:
``weight_zero_point``; static activations: ``input_scale``, ``input_zero_point``. One byte is one parameter.
"""

from typing import ClassVar

from ckptinspect.quant.base import FLOATS, MOST_KINDS, Explained, Setting, Unit, with_serving
from ckptinspect.quant.fitting import fits
from ckptinspect.quant.packing import group_of

_OWN = ("SCB", "weight_format")


class Int8:
    """8-bit integers of bitsandbytes and of compressed-tensors."""

    name: ClassVar[str] = "int8"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        bytewise = (kind for leaf in ("weight", "") for kind in unit.leaves.get(leaf, ()) if kind.dtype.code == "I8")
        weights = [kind for kind in bytewise if kind.rank > 1]
        outliers = [kind for kind in unit.leaves.get("SCB", ()) if kind.dtype.code in FLOATS]
        scales = [kind for kind in unit.leaves.get("weight_scale", ()) if kind.dtype.code in FLOATS]
        if not weights or not (outliers or scales):
            return None
        few = [weight.shape for weight in weights[:MOST_KINDS]]
        if not all(any(fits(scale.shape, shape) for shape in few) for scale in (*outliers, *scales)):
            return None
        group = group_of(weights[0].shape[-1], scales[0].shape[-1]) if scales and scales[0].rank > 1 else None
        found = Explained(
            scheme="bnb-8bit" if outliers else self.name,
            bits=8,
            group_size=group,
            evidence="header",
            parameters={kind: kind.elements for kind in weights},
            bookkeeping=unit.all(_OWN) | {*scales},
            shapes={kind: kind.shape for kind in weights},
            unit=unit,
        )
        return with_serving(found, tuple(kind.shape for kind in weights))
