"""4-bit and 6-bit floats in bytes, with a scale for every 16 or 32 of them.

| writer | weight | ``weight_scale`` |
|---|---|---|
| NVFP4, compressed-tensors | ``weight_packed`` U8 [N, K/2] | F8_E4M3 [N, K/16], ``weight_global_scale`` |
| NVFP4, ModelOpt, ComfyUI | ``weight`` U8 [N, K/2] | F8_E4M3 [N, K/16], ``weight_scale_2`` |
| MXFP4, compressed-tensors, Quark, MiMo | ``weight_packed`` or ``weight`` U8 [N, K/2] | U8 [N, K/32] |
| MXFP6, compressed-tensors | ``weight_packed`` U8 [N, 3K/4] | U8 [N, K/32] |
| NVFP4 with E5M3 scales, AutoRound | ``weight_packed`` U8 [N, K/2] | U8 [N, K/16] |
| DeepSeek-V4 experts | ``weight`` I8 [N, K/2] | ``scale`` F8_E8M0 [N, K/32] |

How many bytes share a scale tells all of it: 8 or 16 under F8_E4M3 scales are NVFP4, 16 under exponents MXFP4, 24
MXFP6. ComfyUI pads its scales to tiles of 128 by 4. ``svdquant_lora_a`` and ``_b`` of ModelOpt's NVFP4_SVD are a
branch beside the weight. Layouts: compressed-tensors ``compressors/nvfp4``, ``mxfp4``, ``mxfp6``; ModelOpt
``quantization/qtensor``; DeepSeek-V4 ``inference``.
"""

from typing import ClassVar

from msgspec.structs import replace

from ckptinspect.model import Shape
from ckptinspect.quant.base import BYTES, EXPONENTS, Explained, Format, Setting, Unit, packed
from ckptinspect.quant.packing import ceil_div, last_times

_GLOBAL = ("weight_global_scale", "weight_scale_2")
_SVD = ("svdquant_lora_a", "svdquant_lora_b")


class Nvfp4:
    """NVFP4 of compressed-tensors, ModelOpt and ComfyUI."""

    name: ClassVar[str] = "nvfp4"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        for leaf in ("weight_packed", "weight", ""):
            weight, scale = unit.only(leaf, frozenset({"U8"})), unit.only("weight_scale", frozenset({"F8_E4M3"}))
            if weight is None or scale is None or weight.rank < 2 or not unit.all(_GLOBAL):
                continue
            group = _group(weight.shape, scale.shape)
            if group is not None:
                shape = last_times(weight.shape, 2)
                found = packed(unit, weight, shape, Format(self.name, 4, group), ("weight_scale",))
                return replace(found, low_rank=unit.all(_SVD))
        return None


class MicroFloat:
    """MXFP4 and MXFP6."""

    name: ClassVar[str] = "mxfp4"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        for leaf in ("weight_packed", "weight", ""):
            weight = unit.only(leaf, BYTES)
            scale = unit.only("weight_scale", EXPONENTS) or unit.only("scale", frozenset({"F8_E8M0"}))
            if weight is None or scale is None or weight.rank < 2 or scale.shape[:-1] != weight.shape[:-1]:
                continue
            bytes_each, rest = divmod(weight.shape[-1], scale.shape[-1] or 1)
            if not rest and bytes_each == 16:
                return packed(unit, weight, last_times(weight.shape, 2), Format(self.name, 4, 32), ("scale",))
            if not rest and bytes_each == 8 and leaf == "weight_packed":
                return packed(unit, weight, last_times(weight.shape, 2), Format("nvfp4", 4, 16))
            if not rest and bytes_each == 24:
                shape = (*weight.shape[:-1], weight.shape[-1] * 4 // 3)
                return packed(unit, weight, shape, Format("mxfp6", 6, 32), ("scale",))
        return None


def _group(weight: Shape, scale: Shape) -> int | None:
    """How many values share a scale, where the scales fit the weight as they are or padded to tiles."""
    values = 2 * weight[-1]
    for group in (16, 32):
        exact = (*weight[:-1], ceil_div(values, group))
        padded = (*weight[:-2], 128 * ceil_div(weight[-2], 128), 4 * ceil_div(ceil_div(values, group), 4))
        if scale in {exact, padded}:
            return group
    return None
