"""MLX: values packed along the inputs in words of 32 bits, densely also at 3, 5 and 6 bits.

``weight`` U32 [N, K*b/32] (embeddings and stacked experts too), ``scales`` [N, K/g], and, for affine quantization,
``biases`` [N, K/g]. Scales in U8 are those of the modes mxfp4, nvfp4 and mxfp8. transformers' "metal" calls the
biases ``qbiases`` and keeps floor(32/b) whole values in a word. Layout: mlx ``mx.quantize``; transformers
``integrations/metal_quantization.py``.

Words per scale are b*g/32, which leaves several readings for affine weights: 8 words are 4 bits in groups of 64, 8 in
32, or 2 in 128. The width of the norm in front decides, or the config.
"""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.model import Kind
from ckptinspect.quant.base import FLOATS, Explained, Format, Setting, Unit, packed, unknown
from ckptinspect.quant.deciding import Reading, decided

_MODES = {4: ("mlx-mxfp4", 4, 32), 2: ("mlx-nvfp4", 4, 16), 8: ("mlx-mxfp8", 8, 32)}
_SIZES = (32, 64, 128)
_BITS = (2, 3, 4, 5, 6, 8)
_SERVING = ("scales", "biases", "qbiases")


class Mlx:
    """Affine quantization of MLX and its microscaling modes."""

    name: ClassVar[str] = "mlx-affine"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weight, scales = unit.only("weight", frozenset({"U32"})), unit.only("scales")
        if weight is None or scales is None or weight.rank < 2 or weight.shape[:-1] != scales.shape[:-1]:
            return None
        offsets = unit.only("biases") or unit.only("qbiases")
        if scales.dtype.code == "U8" and offsets is None:
            return self._mode(unit, weight, scales)
        if offsets is None or offsets.shape != scales.shape or scales.dtype.code not in FLOATS:
            return None
        metal = "qbiases" in unit.leaves
        readings = list(_readings(weight, scales, metal=metal))
        if not readings:
            return None
        if (found := decided(unit, weight, readings, setting)) is None:
            reason = "words per scale leave the bits open, and neither a neighbour nor the config decides"
            return unknown(self.name, unit, [weight], reason, _SERVING)
        reading, evidence = found
        form = Format("metal" if metal else self.name, reading.bits, reading.group_size, evidence)
        return packed(unit, weight, (*weight.shape[:-1], reading.inputs), form, _SERVING)

    def _mode(self, unit: Unit, weight: Kind, scales: Kind) -> Explained | None:
        words, rest = divmod(weight.shape[-1], scales.shape[-1] or 1)
        if rest or words not in _MODES:
            return None
        name, bits, group = _MODES[words]
        shape = (*weight.shape[:-1], scales.shape[-1] * group)
        return packed(unit, weight, shape, Format(name, bits, group), _SERVING)


def _readings(weight: Kind, scales: Kind, *, metal: bool) -> Iterator[Reading]:
    words, groups = weight.shape[-1], scales.shape[-1]
    for bits in _BITS:
        for size in _SIZES:
            inputs = groups * size
            held = inputs // (32 // bits) if metal else inputs * bits // 32
            if held == words:
                yield Reading(inputs, bits, size)
