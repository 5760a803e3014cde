"""HIGGS: grids of Gaussian codes, packed along the outputs for FLUTE's kernels.

``weight`` I16 [N*b/16, K] beside ``scales`` [N, K/g], ``tables`` [2^b] and ``tables2`` [2^b, 2^b, 2]. N stands in the
scales and K in the weight. Layout: transformers ``integrations/higgs.py``.
"""

from typing import ClassVar

from ckptinspect.quant.base import FLOATS, Explained, Format, Setting, Unit, packed
from ckptinspect.quant.packing import bits_of, divides, group_of

_SERVING = ("scales", "tables", "tables2")


class Higgs:
    """HIGGS in 2, 3 and 4 bits."""

    name: ClassVar[str] = "higgs"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weight, scales = unit.only("weight", frozenset({"I16"})), unit.only("scales", FLOATS)
        table = unit.only("tables", FLOATS)
        if weight is None or scales is None or table is None or "tables2" not in unit.leaves:
            return None
        if weight.rank != 2 or scales.rank != 2 or table.rank != 1:
            return None
        outputs, inputs = scales.shape[0], weight.shape[1]
        bits = bits_of(outputs, weight.shape[0], 16)
        if bits is None or table.shape[0] != 1 << bits or not divides(scales.shape[1], inputs):
            return None
        form = Format(self.name, bits, group_of(inputs, scales.shape[1]))
        return packed(unit, weight, (outputs, inputs), form, _SERVING)
