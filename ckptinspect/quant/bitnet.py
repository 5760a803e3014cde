"""BitNet: weights of -1, 0 and 1, four rows of the output in a byte.

``weight`` U8 [N/4, K] beside ``weight_scale`` of one element. Bytes that are a parameter each look the same, so that
the tensors around must bear it out: the columns are the inputs, and the outputs are four times the rows. The outputs
prove it; the inputs do where the config names no other scheme. Where no tensor tells, the config may name this one.
Layout: transformers ``integrations/bitnet.py``.
"""

from typing import ClassVar

from ckptinspect.model import Kind
from ckptinspect.quant.base import FLOATS, Explained, Format, Setting, Unit, packed, unknown

_HELD = 4
_BITS = 2


class BitNet:
    """Ternary weights, packed along the outputs."""

    name: ClassVar[str] = "bitnet"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weight, scale = unit.only("weight", frozenset({"U8"})), unit.only("weight_scale", FLOATS)
        if weight is None or scale is None or weight.rank != 2 or scale.elements != 1:
            return None
        evidence = self._evidence(unit, weight, setting)
        if evidence is None:
            reason = "whether a byte holds one weight or four, neither the widths around it nor the config prove"
            return unknown("packed", unit, [weight], reason)
        shape = (_HELD * weight.shape[0], weight.shape[1])
        return packed(unit, weight, shape, Format(self.name, _BITS, None, evidence))

    def _evidence(self, unit: Unit, weight: Kind, setting: Setting) -> str | None:
        """Who vouches for four rows in a byte, if anybody does."""
        rows, columns = weight.shape
        wide, long = setting.neighbours.near(unit.path, weight.shape), setting.neighbours.outputs(unit.path)
        known = wide.sure or wide.likely
        if (known and columns not in known) or (long and _HELD * rows not in long):
            return None
        if long or (known and (not self._denied(unit, setting) or self._is_found_elsewhere(setting))):
            return "neighbour"
        return "config" if not known and setting.tried is not None and self._is_named(unit, setting) else None

    def _denied(self, unit: Unit, setting: Setting) -> bool:
        """Whether the config names another scheme, or other bits."""
        claims = setting.claims
        bits = {claim.bits for claim in claims.exactly(unit.path)} - {None, _BITS}
        return bool(claims) and claims.method != self.name and bool(claims.method or bits)

    def _is_named(self, unit: Unit, setting: Setting) -> bool:
        return setting.claims.method == self.name and any(c.bits == _BITS for c in setting.claimed(unit.path))

    def _is_found_elsewhere(self, setting: Setting) -> bool:
        return setting.tried is not None and (_BITS, None) in setting.tried.styles
