"""SpQR: 3-bit weights in tiles of 16 by 16, and outliers as a sparse matrix.

``dense_weights`` I64 [16 * ceil(N/16) * ceil(K/16)], a row of a tile in each word with its scale and zero point;
``row_offsets`` I32 [N+1], or padded by tiles [N/16+1], and ``col_vals`` I32 hold the outliers; ``in_perm`` [K] the
order of the inputs. N and K so stand in the lengths of two vectors, and the third proves them; where the order is left
out, the neighbours tell. Layout: spqr_quant ``inference.py``.
"""

from typing import ClassVar

from ckptinspect.quant.base import Explained, Format, Setting, Unit, packed, unknown
from ckptinspect.quant.packing import ceil_div

_SERVING = ("row_offsets", "col_vals", "in_perm")
_TILE = 16


class SpQR:
    """Tiles of 3 bits with sparse outliers."""

    name: ClassVar[str] = "spqr"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weight, offsets = unit.only("dense_weights", frozenset({"I64"})), unit.only("row_offsets")
        if weight is None or offsets is None or "col_vals" not in unit.leaves or weight.rank != 1:
            return None
        order = unit.only("in_perm")
        ordered = order is not None and order.rank == 1 and order.elements > 0
        widths = {order.shape[0]} if order is not None and ordered else setting.neighbours.inputs(unit.path)
        rows = offsets.elements - 1
        counted = {rows, _TILE * rows}
        heights = counted | setting.neighbours.outputs(unit.path)
        fitting = {(n, k) for n in heights for k in widths if _tiles(n, k) == weight.elements}
        if len(fitting) != 1:
            reason = "the tiles leave open how many rows and columns they are"
            return unknown(self.name, unit, [weight], reason, _SERVING)
        shape = fitting.pop()
        evidence = "header" if ordered and shape[0] in counted else "neighbour"
        return packed(unit, weight, shape, Format(self.name, 3, _TILE, evidence), _SERVING)


def _tiles(rows: int, columns: int) -> int:
    """The words that a matrix takes."""
    return _TILE * ceil_div(rows, _TILE) * ceil_div(columns, _TILE) if rows > 0 < columns else 0
