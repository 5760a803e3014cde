"""Marlin and its relatives: weights permuted for tensor cores, in tiles of 16 inputs.

| writer | weight | scales |
|---|---|---|
| GPTQ and AWQ in Marlin's order | ``qweight`` I32 [K/16, N*b/2] | ``scales`` [K/g, N] |
| AutoGPTQ's first Marlin, QQQ | ``B`` I32 [K/16, N*b/2] | ``s`` [K/g, N]; QQQ: ``s_channel`` [1, N], ``s_group`` |
| Marlin 2:4 | ``weight_packed`` or ``B_24`` I32 [K/32, N*b/2] | ``scale_packed`` or ``s`` [K/g, N]; ``meta`` I16 |

Exact from the header: N stands in the scales, K in the rows. Of a 2:4 sparse weight half of the values are stored
and ``meta`` says which; what counts is the dense matrix. Layouts: AutoGPTQ ``qlinear_marlin.py``; vLLM
``gptq_marlin_24.py``, ``qqq.py``; compressed-tensors ``marlin_24.py``.
"""

from typing import ClassVar

from ckptinspect.model import Kind
from ckptinspect.quant.base import FLOATS, Explained, Format, Setting, Unit, packed
from ckptinspect.quant.packing import ceil_div, group_of

_WORDS = frozenset({"I32"})
_SERVING = ("s", "s_channel", "s_group", "scales", "scale_packed", "meta", "B_meta", "workspace", "qzeros")
_ORDER = ("g_idx", "g_idx_sort_indices")
_TILE = 16


class Marlin:
    """Tiles of 16 inputs, dense or 2:4 sparse."""

    name: ClassVar[str] = "marlin"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        for leaf, scale in (("qweight", "scales"), ("B", "s"), ("B", "s_channel")):
            found = self._tiled(unit, unit.only(leaf, _WORDS), unit.only(scale, FLOATS), 1)
            if found is not None:
                return found
        for leaf, scale, meta in (("weight_packed", "scale_packed", "meta"), ("B_24", "s", "B_meta")):
            if meta in unit.leaves:
                return self._tiled(unit, unit.only(leaf, _WORDS), unit.only(scale, FLOATS), 2)
        return None

    def _tiled(self, unit: Unit, weight: Kind | None, scale: Kind | None, sparse: int) -> Explained | None:
        if weight is None or scale is None or weight.rank != 2 or scale.rank != 2 or not scale.shape[1]:
            return None
        inputs, outputs = weight.shape[0] * _TILE * sparse, scale.shape[1]
        bits, rest = divmod(2 * weight.shape[1], outputs)
        if rest or bits not in {4, 8} or inputs < scale.shape[0]:
            return None
        zeros = unit.only("qzeros")
        if zeros is not None and zeros.elements and zeros.shape != (scale.shape[0], ceil_div(outputs * bits, 32)):
            return None
        name = "marlin-24" if sparse > 1 else "qqq" if "s_channel" in unit.leaves else self.name
        groups = unit.only("s_group", FLOATS) or scale
        group = group_of(inputs, groups.shape[0]) if groups.rank == 2 else None
        return packed(unit, weight, (outputs, inputs), Format(name, bits, group), (*_SERVING, *_ORDER))
