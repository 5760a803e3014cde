"""bitsandbytes in 4 bits (NF4, FP4): a weight flattened into bytes, its shape nowhere in the header.

``weight`` U8 [ceil(n/2), 1] beside ``weight.absmax`` F32 [ceil(n/blocksize)], ``weight.quant_map`` and
``weight.quant_state.bitsandbytes__nf4`` (or ``fp4``), which holds the shape as data. Double quantization makes
``absmax`` U8 and adds ``weight.nested_absmax`` and ``weight.nested_quant_map``. With another storage dtype
(``bnb_4bit_quant_storage``) the same bytes are BF16, F16 or F32. Fused experts keep the same names behind a bare
parameter; GPTQModel writes them with underscores, ``weight_absmax``. Layout: bitsandbytes ``functional.py``
(QuantState); transformers ``quantizer_bnb_4bit.py``.

The number of parameters is exact but for an odd one, which the neighbours of such a tensor tell.
"""

from typing import ClassVar

from ckptinspect.model import elements_in
from ckptinspect.quant.base import Explained, Format, Setting, Unit, counted, shaped
from ckptinspect.quant.packing import ceil_div

_BEFORE = ("weight.", "weight_", "")
_SERVING = ("absmax", "quant_map", "nested_absmax", "nested_quant_map", "nested_offset")
_BLOCKS = tuple(1 << n for n in range(5, 13))


class Bnb4:
    """NF4 and FP4."""

    name: ClassVar[str] = "bnb-4bit"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        before = next((before for before in _BEFORE if f"{before}absmax" in unit.leaves), "")
        weight, absmax = unit.only(unit.weight), unit.only(f"{before}absmax")
        states = [leaf for leaf in unit.leaves if leaf.startswith(f"{before}quant_state")]
        if weight is None or absmax is None or not (states or f"{before}quant_map" in unit.leaves):
            return None
        if weight.rank != 2 or weight.shape[1] != 1 or absmax.rank != 1:
            return None
        shape = shaped(unit, 2 * weight.nbytes, setting, padded=True)
        values = shape if isinstance(shape, int) else elements_in(shape)
        blocks = [size for size in _BLOCKS if ceil_div(values, size) == absmax.shape[0]]
        if not blocks:
            return None
        serving = (*states, *(f"{before}{leaf}" for leaf in _SERVING))
        return counted(unit, weight, shape, Format(self.name, 4, blocks[0]), serving)
