"""HQQ and SINQ: values reshaped to groups, then packed along the first dimension.

HQQ: ``W_q`` U8 beside ``scale`` and ``zero``, and its whole state in scalars (``nbits``, ``group_size``, ``shape``,
``axis`` and others), whose values are data. Along axis 1 a weight becomes [N*K/g, g], of which 8/b rows share a byte
(3 bits: ten rows share an I32), and ``scale`` has a row for each: rows and columns are then all there is to know.
Along axis 0 it becomes [g, N*K/g], and only the config's bits tell g. Layout: hqq ``core/quantize.py``,
``core/bitpack.py``.

SINQ: ``W_q`` U8 beside ``meta``, in which everything else is hidden; the config's bits decide.
"""

from typing import ClassVar

from ckptinspect.model import Kind
from ckptinspect.quant.base import Explained, Format, Setting, Unit, counted, unknown
from ckptinspect.quant.packing import ceil_div

_STATE = (
    *("scale", "zero", "meta", "nbits", "group_size", "shape", "axis", "packing", "unpack_view_dtype", "channel_wise"),
    *("view_as_float", "quant_scale", "quant_zero", "compute_dtype", "optimize", "round_zero", "offload_meta"),
    *("encoded_state_dict", "stores_quant_config", "scale_q", "zero_q", "meta_scale", "meta_zero"),
)
# How many values stand in an element of the packed tensor, by its dtype and the bits.
_HELD = {"U8": {8: 1, 4: 2, 2: 4, 1: 8}, "I32": {3: 10}}


class Hqq:
    """HQQ and SINQ."""

    name: ClassVar[str] = "hqq"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weight = unit.only("W_q")
        scale, zero = unit.only("scale"), unit.only("zero")
        if weight is None or weight.rank != 2:
            return None
        if weight.dtype.code not in _HELD:
            reason = "its bytes are stored as another dtype, which hides how many values they hold"
            return unknown(self.name, unit, [weight], reason, _STATE) if "nbits" in unit.leaves else None
        if scale is not None and (zero is not None or "nbits" in unit.leaves):
            return self._grouped(unit, weight, scale, setting)
        if "meta" in unit.leaves and scale is None:
            return self._by_config(unit, weight, setting, "sinq")
        return None

    def _grouped(self, unit: Unit, weight: Kind, scale: Kind, setting: Setting) -> Explained | None:
        rows, columns = weight.shape
        if scale.rank != 2 or scale.shape[1] != 1:
            fits = scale.rank == 2 and scale.shape == (1, columns)
            return self._by_config(unit, weight, setting, self.name) if fits else None
        values = scale.shape[0] * columns
        for bits, held in _HELD[weight.dtype.code].items():
            if ceil_div(scale.shape[0], held) == rows:
                return counted(unit, weight, values, Format(self.name, bits, columns), _STATE)
        return None

    def _by_config(self, unit: Unit, weight: Kind, setting: Setting, scheme: str) -> Explained:
        """Groups along the outputs, or a state that is all data: the bits are the config's."""
        held = _HELD[weight.dtype.code]
        claims = {(claim.bits, claim.group_size) for claim in setting.claims.about(unit.path) if claim.bits in held}
        if len({bits for bits, _ in claims}) != 1:
            reason = "how many values are in a byte is not in the header, and the config does not say"
            return unknown(scheme, unit, [weight], reason, _STATE)
        bits, group = claims.pop()
        assert bits is not None
        form = Format(scheme, bits, group, "config")
        return counted(unit, weight, weight.elements * held[bits], form, _STATE)
