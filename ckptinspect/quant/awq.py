"""AWQ, in the three layouts of AutoAWQ that differ in their header.

| version | qweight | qzeros | scales |
|---|---|---|---|
| gemm, exllama | I32 [K, N/p] | I32 [K/g, N/p] | [K/g, N] |
| gemv | I32 [N, K/p] | I32 [N, w] | [N, w*p] |
| gemv_fast, llm-awq | I16 [N/4, K] | float [w*8, N] | [w*8, N] |

p = 32/b values stand in a word. The zero points tell p, so that all three are exact. ParoQuant is gemm after pairwise
rotations (``theta``, ``pairs``, ``channel_scales``). The fourth version, marlin, is
``marlin.py``. AutoRound's ``auto_round:auto_awq`` is gemm. Layout: AutoAWQ ``awq/modules/linear``.
"""

from typing import ClassVar

from ckptinspect.model import Kind
from ckptinspect.quant.base import FLOATS, Explained, Format, Setting, Unit, packed
from ckptinspect.quant.packing import bits_of, ceil_div, group_of

_SERVING = ("qzeros", "scales")
_ROTATION = ("theta", "pairs", "channel_scales")
_WORDS = frozenset({"I32", "U32"})
_BITS = (2, 4, 8)
_INTERLEAVED = 4


class Awq:
    """AWQ for GEMM and for GEMV."""

    name: ClassVar[str] = "awq"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weight, zeros, scales = unit.only("qweight"), unit.only("qzeros"), unit.only("scales", FLOATS)
        if weight is None or zeros is None or scales is None or "g_idx" in unit.leaves:
            return None
        if weight.rank < 2 or not weight.rank == zeros.rank == scales.rank:
            return None
        if weight.dtype.code in {"I16", "U16"}:
            return self._fast(unit, weight, zeros, scales)
        if weight.dtype.code not in _WORDS or zeros.dtype.code not in _WORDS:
            return None
        return self._gemm(unit, weight, zeros, scales) or self._gemv(unit, weight, zeros, scales)

    def _gemm(self, unit: Unit, weight: Kind, zeros: Kind, scales: Kind) -> Explained | None:
        inputs, outputs = weight.shape[-2], scales.shape[-1]
        bits = bits_of(outputs, weight.shape[-1], choices=_BITS)
        if bits is None or zeros.shape[-1] != weight.shape[-1] or zeros.shape[-2] != scales.shape[-2]:
            return None
        if scales.shape[-2] > inputs:
            return None
        name = "paroquant" if "theta" in unit.leaves and "pairs" in unit.leaves else self.name
        form = Format(name, bits, group_of(inputs, scales.shape[-2]))
        return packed(unit, weight, (*weight.shape[:-2], outputs, inputs), form, (*_SERVING, *_ROTATION))

    def _gemv(self, unit: Unit, weight: Kind, zeros: Kind, scales: Kind) -> Explained | None:
        outputs, words = weight.shape[-2], weight.shape[-1]
        bits, rest = divmod(32 * zeros.shape[-1], scales.shape[-1] or 1)
        if rest or bits not in _BITS or not outputs == zeros.shape[-2] == scales.shape[-2]:
            return None
        inputs = words * 32 // bits
        form = Format(self.name, bits, _group(inputs, zeros.shape[-1], 32 // bits))
        return packed(unit, weight, (*weight.shape[:-2], outputs, inputs), form, _SERVING)

    def _fast(self, unit: Unit, weight: Kind, zeros: Kind, scales: Kind) -> Explained | None:
        outputs, inputs = _INTERLEAVED * weight.shape[-2], weight.shape[-1]
        if zeros.shape != scales.shape or scales.shape[-1] != outputs or zeros.dtype.code not in FLOATS:
            return None
        form = Format(self.name, 4, _group(inputs, scales.shape[-2] // 8, 8))
        return packed(unit, weight, (*weight.shape[:-2], outputs, inputs), form, _SERVING)


def _group(inputs: int, width: int, in_word: int) -> int | None:
    """The size of the groups whose zero points take so many words, padded as AutoAWQ's GEMV kernels want them."""
    for size, times in ((128, 1), (64, 2), (32, 4)):
        if ceil_div(ceil_div(inputs // size, in_word), times) * times == width:
            return size
    return None
