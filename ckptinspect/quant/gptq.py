"""GPTQ, in every width: values packed along the inputs, in words of 32 bits or others.

``qweight`` [ceil(K*b/32), N] I32 (I64, I16, I8 by ``pack_dtype``), transposed; ``qzeros`` [ceil(K/g), ceil(N*b/32)];
``scales`` [ceil(K/g), N]; ``g_idx`` [K], which newer writers may leave out; ``bias`` [N]. Versions 1 and 2 store
zero points one apart, which no header shows; the planar 3, 5, 6 and 7 bits of ``gptq_p`` have the same sizes.
Layout: GPTQModel ``nn_modules/qlinear``. AutoRound's ``auto_round:auto_gptq`` is the same.

AutoGPTQ writes a ``bias`` of zeros beside every linear that has none (``phantom.py``).
"""

from typing import ClassVar

from ckptinspect.model import Kind
from ckptinspect.quant.base import FLOATS, Explained, Format, Setting, Unit, packed, unknown
from ckptinspect.quant.packing import bits_of, group_of, values_in
from ckptinspect.quant.phantom import is_phantom

_WORDS = frozenset({"I32", "U32", "I64", "I16", "I8"})
_SERVING = ("qzeros", "scales", "g_idx")
_BITS = (2, 3, 4, 5, 6, 7, 8)


class Gptq:
    """GPTQ, with or without the order of its inputs."""

    name: ClassVar[str] = "gptq"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weight, scales = unit.only("qweight", _WORDS), unit.only("scales", FLOATS)
        if weight is None or scales is None or weight.rank < 2 or scales.rank != weight.rank:
            return None
        if weight.shape[-1] != scales.shape[-1] or weight.shape[:-2] != scales.shape[:-2]:
            return None
        index, zeros = unit.only("g_idx"), unit.only("qzeros")
        if (index is None or not index.elements) and zeros is None:
            return None
        if index is not None and index.rank == 1 and index.elements:
            return self._by_index(unit, weight, scales, index, setting)
        return self._by_zeros(unit, weight, scales, zeros, setting) if zeros is not None else None

    def _by_index(self, unit: Unit, weight: Kind, scales: Kind, index: Kind, setting: Setting) -> Explained | None:
        inputs = index.shape[0]
        bits = bits_of(inputs, weight.shape[-2], weight.dtype.bits or 32, _BITS)
        if bits is None or scales.shape[-2] > inputs:
            return None
        return self._answer(unit, weight, inputs, Format(self.name, bits, group_of(inputs, scales.shape[-2])), setting)

    def _by_zeros(self, unit: Unit, weight: Kind, scales: Kind, zeros: Kind, setting: Setting) -> Explained | None:
        """Without ``g_idx`` the zero points tell the bits, and those how many inputs fill the words."""
        width = weight.dtype.bits or 32
        bits = bits_of(scales.shape[-1], zeros.shape[-1], width, _BITS) if zeros.rank >= 2 else None
        if bits is None or zeros.shape[:-1] != scales.shape[:-1]:
            return None
        fitting = values_in(weight.shape[-2], bits, width)
        near = setting.neighbours.inputs(unit.path).intersection(fitting)
        if fitting[-1] % 32 == 0 and (not near or fitting[-1] in near):
            # Writers that leave ``g_idx`` out refuse widths that do not fill whole words.
            inputs, evidence = fitting[-1], "header"
        elif len(near) == 1:
            inputs, evidence = next(iter(near)), "neighbour"
        else:
            reason = "the order of the inputs is left out, and the words do not say how many there are"
            return unknown(self.name, unit, [weight], reason, _SERVING)
        form = Format(self.name, bits, group_of(inputs, scales.shape[-2]), evidence)
        return self._answer(unit, weight, inputs, form, setting)

    def _answer(self, unit: Unit, weight: Kind, inputs: int, form: Format, setting: Setting) -> Explained:
        shape = (*weight.shape[:-2], weight.shape[-1], inputs)
        return is_phantom(packed(unit, weight, shape, form, _SERVING), setting)
