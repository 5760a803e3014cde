"""FP-Quant: MXFP4 or NVFP4 after a Hadamard rotation.

``qweight`` U8 [N, K/2] beside ``scales`` U8 [N, K/32] (MXFP4) or [N, K/16] (NVFP4), ``weight_global_scale``,
``act_global_scale``, and the matrices ``forward_hadamard_matrix`` and ``backward_hadamard_matrix`` [g, g]. A
pseudo-quantized model holds ``dqweight`` [N, K] in place of the packed weight, or ``weight`` itself, beside the same
matrices and empty tensors. Exact from the header. Layout: fp_quant ``linear.py``; transformers
``integrations/fp_quant.py``.
"""

from typing import ClassVar

from ckptinspect.quant.base import BYTES, FLOATS, Explained, Format, Setting, Unit, packed
from ckptinspect.quant.packing import last_times

_SERVING = ("scales", "act_global_scale", "forward_hadamard_matrix", "backward_hadamard_matrix")
_OWN = frozenset(("act_global_scale", "weight_global_scale", "forward_hadamard_matrix"))


class FpQuant:
    """FP4 of FP-Quant."""

    name: ClassVar[str] = "fp-quant"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        if _OWN.isdisjoint(unit.leaves):
            return None
        weight, scales = unit.only("qweight", frozenset({"U8"})), unit.only("scales", BYTES | {"F8_E4M3", "F8_E8M0"})
        if weight is not None and scales is not None and weight.rank == 2 and scales.rank == 2:
            group, rest = divmod(2 * weight.shape[1], scales.shape[1] or 1)
            if rest or group not in {16, 32} or scales.shape[0] != weight.shape[0]:
                return None
            return packed(unit, weight, last_times(weight.shape, 2), Format(self.name, 4, group), _SERVING)
        if "forward_hadamard_matrix" not in unit.leaves:
            return None
        plain = unit.only("dqweight", FLOATS)
        if plain is None or not plain.elements:
            plain = unit.only("weight", FLOATS)
        if plain is None or plain.rank != 2:
            return None
        return packed(unit, plain, plain.shape, Format(self.name, plain.dtype.bits, None), _SERVING)
