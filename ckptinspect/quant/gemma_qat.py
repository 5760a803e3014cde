"""Gemma's checkpoints trained for quantization: 2, 4 or 8 bits with a scale a row.

``weight`` U8 [N, ceil(K/4)] (2 bits) or [N, ceil(K/2)] (4 bits), or I8 [N, K], beside ``weight_scale`` F32 [N, 1] and
``input_activation_scale`` or ``output_activation_scale``; embeddings as ``embedding_quantized`` and
``embedding_scale`` [V, 1]. Bytes hold 2 or 4 values: the norm in front, or the config, tells which. Layout:
transformers ``integrations/gemma_quant.py``.
"""

from typing import ClassVar

from ckptinspect.quant.base import Explained, Format, Setting, Unit, packed, unknown
from ckptinspect.quant.deciding import Reading, decided
from ckptinspect.quant.packing import values_in

_SERVING = ("weight_scale", "embedding_scale", "input_activation_scale", "output_activation_scale")
_ACTIVATIONS = frozenset(("input_activation_scale", "output_activation_scale"))
_F32 = frozenset({"F32"})


class GemmaQat:
    """Linears and embeddings of Gemma's quantization."""

    name: ClassVar[str] = "gemma-qat"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        embedding = "embedding_quantized" in unit.leaves
        if not embedding and _ACTIVATIONS.isdisjoint(unit.leaves) and setting.claims.method != "gemma":
            return None
        weight = unit.only("embedding_quantized" if embedding else "weight", frozenset({"U8", "I8"}))
        scale = unit.only("embedding_scale" if embedding else "weight_scale", _F32)
        if weight is None or scale is None or weight.rank != 2 or scale.shape != (weight.shape[0], 1):
            return None
        if weight.dtype.code == "I8":
            return packed(unit, weight, weight.shape, Format(self.name, 8, None), _SERVING)
        words = weight.shape[1]
        readings = [Reading(inputs, bits, None) for bits in (4, 2) for inputs in values_in(words, bits, 8)]
        if (found := decided(unit, weight, readings, setting)) is None:
            reason = "a byte holds two values or four, and neither a neighbour nor the config says which"
            return unknown(self.name, unit, [weight], reason, _SERVING)
        reading, evidence = found
        form = Format(self.name, reading.bits, None, evidence)
        return packed(unit, weight, (weight.shape[0], reading.inputs), form, _SERVING)
