"""MXFP4 as gpt-oss stores it: blocks of 16 bytes, each 32 values with an exponent.

``experts.gate_up_proj_blocks`` U8 [E, N, K/32, 16] beside ``experts.gate_up_proj_scales`` U8 [E, N, K/32]; in the
original layout ``mlp1_weight.blocks`` and ``mlp1_weight.scales``. Exact from the header. Layout: openai/gpt-oss
``gpt_oss/torch/weights.py``; transformers ``integrations/mxfp4.py``.
"""

from typing import ClassVar

from ckptinspect.quant.base import Explained, Format, Setting, Unit, packed

_BYTES = frozenset({"U8"})


class Blocks:
    """Blocks and scales of a fused expert weight."""

    name: ClassVar[str] = "mxfp4"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        blocks, scales = unit.only("blocks", _BYTES), unit.only("scales", _BYTES)
        if blocks is None or scales is None or blocks.rank < 3 or blocks.shape[:-1] != scales.shape:
            return None
        *outer, groups, size = blocks.shape
        if size != 16:
            return None
        return packed(unit, blocks, (*outer, groups * 32), Format(self.name, 4, 32), ("scales",))
