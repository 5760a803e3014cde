"""Nunchaku: SVDQuant's 4 bits beside a low-rank branch, and AWQ in an order of its own.

SVDQuant: ``qweight`` I8 [N, K/2], ``wscales`` [K/64, N] (INT4) or F8_E4M3 [K/16, N] (NVFP4), ``smooth_factor`` and
``smooth_factor_orig`` [K], ``wcscales``, ``wtscale``; the branch ``proj_down`` [K, r] and ``proj_up`` [N, r] (or
``lora_down``, ``lora_up``) belongs to the scheme, not to the model. AWQ: ``qweight`` I32 [N/4, K/2], ``wscales`` and
``wzeros`` [K/g, N]. Exact from the header. Layout: nunchaku ``models/linear.py``.
"""

from typing import ClassVar

from msgspec.structs import replace

from ckptinspect.model import Kind
from ckptinspect.quant.base import Explained, Format, Setting, Unit, packed
from ckptinspect.quant.packing import group_of

_SERVING = ("wscales", "wzeros", "wcscales", "wtscale", "smooth_factor", "smooth_factor_orig", "smooth", "smooth_orig")
_BRANCH = ("proj_down", "proj_up", "lora_down", "lora_up")


class Nunchaku:
    """SVDQuant and AWQ of Nunchaku."""

    name: ClassVar[str] = "nunchaku"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weight, scales = unit.only("qweight"), unit.only("wscales")
        if weight is None or scales is None or weight.rank != 2 or scales.rank != 2:
            return None
        if weight.dtype.code == "I8":
            return self._svd(unit, weight, scales)
        if weight.dtype.code == "I32" and "wzeros" in unit.leaves:
            return self._awq(unit, weight, scales)
        return None

    def _svd(self, unit: Unit, weight: Kind, scales: Kind) -> Explained | None:
        outputs, inputs = weight.shape[0], 2 * weight.shape[1]
        if scales.shape[1] != outputs or not scales.shape[0] or inputs // scales.shape[0] not in {16, 32, 64, 128}:
            return None
        answer = packed(unit, weight, (outputs, inputs), _form(self.name, inputs, scales), _SERVING)
        return replace(answer, low_rank=unit.all(_BRANCH))

    def _awq(self, unit: Unit, weight: Kind, scales: Kind) -> Explained | None:
        outputs, inputs = 4 * weight.shape[0], 2 * weight.shape[1]
        if scales.shape[1] != outputs or not 0 < scales.shape[0] <= inputs:
            return None
        return packed(unit, weight, (outputs, inputs), _form("nunchaku-awq", inputs, scales), _SERVING)


def _form(name: str, inputs: int, scales: Kind) -> Format:
    return Format(name, 4, group_of(inputs, scales.shape[0]))
