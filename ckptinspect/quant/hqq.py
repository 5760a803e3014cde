"""HQQ and SINQ: values reshaped to groups, then packed along the first dimension.

HQQ: ``W_q`` U8 beside ``scale`` and ``zero``, and its whole state in scalars (``nbits``, ``group_size``, ``shape``,
``axis`` and others), whose values are data. Along axis 1 a weight becomes [N*K/g, g], of which 8/b rows share a byte
(3 bits: ten rows share an I32), and ``scale`` has a row for each: rows and columns are then all there is to know.
Along axis 0 it becomes [g, N*K/g], and the product of the neighbours' widths, or the config, tells g. Layout: hqq
``core/quantize.py``, ``core/bitpack.py``.

SINQ: ``W_q`` the same (5 and 6 bits in I32 too) beside ``meta.scale.x``, ``meta.zero.x`` and others, of which
``meta.zero.x`` has the rows. Layout: sinq ``sinqlinear_hf.py``.
"""

from collections.abc import Iterable
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
_HELD = {"U8": {8: 1, 4: 2, 2: 4, 1: 8}, "I32": {3: 10, 5: 6, 6: 5}}
_ZEROS = ("meta.zero.x", "meta.zero")


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
        serving = (*_STATE, *(leaf for leaf in unit.leaves if leaf.startswith("meta.")))
        rows = scale if scale is not None and (zero is not None or "nbits" in unit.leaves) else None
        name = self.name
        if rows is None and len(serving) > len(_STATE):
            rows = next((kind for leaf in _ZEROS if (kind := unit.only(leaf)) is not None), None)
            name = "sinq"
        if rows is None:
            return _by_others(unit, weight, setting, "sinq", serving) if "meta" in unit.leaves else None
        if rows.rank == 2 and rows.shape[1] == 1:
            return _by_rows(unit, weight, rows, name, serving)
        if rows.rank != 2 or rows.shape == (1, weight.shape[1]):
            return _by_others(unit, weight, setting, name, serving)
        return None


def _by_rows(unit: Unit, weight: Kind, groups: Kind, name: str, serving: Iterable[str]) -> Explained | None:
    """Groups along the inputs: each has a row of values and a scale."""
    rows, columns = weight.shape
    for bits, held in _HELD[weight.dtype.code].items():
        if ceil_div(groups.shape[0], held) == rows:
            return counted(unit, weight, groups.shape[0] * columns, Format(name, bits, columns), serving)
    return None


def _by_others(unit: Unit, weight: Kind, setting: Setting, name: str, serving: Iterable[str]) -> Explained:
    """Groups along the outputs: how many rows stand in one is for the neighbours or the config to say."""
    rows, columns = weight.shape
    readings: dict[int, tuple[int, int]] = {}
    for bits, held in _HELD[weight.dtype.code].items():
        sizes = range((rows - 1) * held + 1, rows * held + 1) if held in {10, 6, 5} else (rows * held,)
        readings |= {size * columns: (bits, size) for size in sizes if size % 8 == 0}
    products = [values for values in readings if values in setting.neighbours.products(unit.path)]
    claims = {claim.bits for claim in setting.claims.about(unit.path)}
    claimed = [values for values, (bits, _) in readings.items() if bits in claims]
    found = next((one for one in (products, claimed, list(readings)) if len(one) == 1), None)
    if found is None:
        reason = "how many values are in a byte is not in the header, and neither a neighbour nor the config says"
        return unknown(name, unit, [weight], reason, serving)
    bits, size = readings[found[0]]
    evidence = "header" if len(readings) == 1 else "config"
    group = size if unit.only("scale") is not None else None
    return counted(unit, weight, found[0], Format(name, bits, group, evidence), serving)
