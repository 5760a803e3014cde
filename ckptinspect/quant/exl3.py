"""EXL3: trellis codes in tiles of 16 by 16.

``trellis`` I16 [K/16, N/16, 16*b] beside the signs ``suh`` [K] and ``svh`` [N], or packed ``su`` [K/16] and ``sv``
[N/16]; ``mcg`` and ``mul1`` mark the codebook. Exact from the header. Layout: exllamav3 ``modules/quant/exl3.py``.
"""

from typing import ClassVar

from ckptinspect.quant.base import Explained, Format, Setting, Unit, packed

_SERVING = ("suh", "svh", "su", "sv", "mcg", "mul1", "mcg_mult")
_TILE = 16


class Exl3:
    """Trellises of exllamav3."""

    name: ClassVar[str] = "exl3"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        trellis = unit.only("trellis", frozenset({"I16", "U16"}))
        if trellis is None or trellis.rank != 3 or trellis.shape[2] % _TILE:
            return None
        inputs, outputs, bits = trellis.shape[0] * _TILE, trellis.shape[1] * _TILE, trellis.shape[2] // _TILE
        if not 1 <= bits <= 8 or not (_has_signs(unit, "u", inputs) and _has_signs(unit, "v", outputs)):
            return None
        return packed(unit, trellis, (outputs, inputs), Format(self.name, bits, None), _SERVING)


def _has_signs(unit: Unit, side: str, length: int) -> bool:
    """Whether one side has its signs, each a number or a bit."""
    plain, bits = unit.only(f"s{side}h"), unit.only(f"s{side}")
    found = plain or bits
    return found is not None and found.shape == (length if plain is not None else length // _TILE,)
