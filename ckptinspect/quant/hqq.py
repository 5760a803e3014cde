"""HQQ and SINQ: values reshaped to groups, then packed along the first dimension.

HQQ: ``W_q`` U8 beside ``scale`` and ``zero``, and its whole state in scalars (``nbits``, ``group_size``, ``shape``,
``axis`` and others), whose values are data. Along axis 1 a weight becomes [N*K/g, g], of which 8/b rows share a byte
(3 bits: ten rows share an I32), and ``scale`` has a row for each: rows and columns are then all there is to know.
Along axis 0 it becomes [g, N*K/g], and the product of the neighbours' widths, or the config, tells g. Layout: hqq
``core/quantize.py``, ``core/bitpack.py``.

SINQ: ``W_q`` the same (5 and 6 bits in I32 too) beside ``meta.scale.x``, ``meta.zero.x`` and others, of which
``meta.zero.x`` has the rows. Layout: sinq ``sinqlinear_hf.py``.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import ClassVar

import msgspec
from msgspec.structs import replace

from ckptinspect.model import Kind
from ckptinspect.quant.base import Explained, Format, Setting, Unit, counted, shaped, unknown
from ckptinspect.quant.packing import ceil_div

_STATE = (
    *("scale", "zero", "nbits", "group_size", "shape", "axis", "packing", "unpack_view_dtype", "channel_wise"),
    *("view_as_float", "quant_scale", "quant_zero", "compute_dtype", "optimize", "round_zero", "offload_meta"),
    *("encoded_state_dict", "stores_quant_config", "scale_q", "zero_q", "meta_scale", "meta_zero"),
)
# How many values stand in an element of the packed tensor, by its dtype and the bits.
_HELD = {"U8": {8: 1, 4: 2, 2: 4, 1: 8}, "I32": {3: 10, 5: 6, 6: 5}}


class Hqq:
    """HQQ and SINQ."""

    name: ClassVar[str] = "hqq"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weight, scale = unit.only("W_q"), unit.only("scale")
        if weight is None or weight.rank != 2:
            return None
        if scale is not None and ("zero" in unit.leaves or "nbits" in unit.leaves):
            return _Module(unit, weight, self.name, scale, _STATE).explained(setting)
        state = tuple(leaf for leaf in unit.leaves if leaf == "meta" or leaf.startswith("meta."))
        return _Module(unit, weight, "sinq", unit.only("meta.zero.x"), state).explained(setting) if state else None


class _Module(msgspec.Struct, frozen=True):
    """A packed weight with what has a row for each of its groups, where that is known, and the leaves of its state."""

    unit: Unit
    weight: Kind
    scheme: str
    groups: Kind | None
    state: tuple[str, ...]

    def explained(self, setting: Setting) -> Explained | None:
        if self.weight.dtype.code not in _HELD:
            reason = "its bytes are stored as another dtype, which hides how many values they hold"
            return unknown(self.scheme, self.unit, [self.weight], reason, self.state)
        if self.groups is None or self.groups.shape == (1, self.weight.shape[1]):
            return self._by_others(setting)
        return self._by_rows(self.groups, setting) if self.groups.rank == 2 and self.groups.shape[1] == 1 else None

    def _by_rows(self, groups: Kind, setting: Setting) -> Explained | None:
        """Groups along the inputs: each has a row of values and a scale."""
        rows, columns = self.weight.shape
        for bits, held in _HELD[self.weight.dtype.code].items():
            if ceil_div(groups.shape[0], held) == rows:
                return self._answer(groups.shape[0] * columns, Format(self.scheme, bits, columns), setting)
        return None

    def _by_others(self, setting: Setting) -> Explained:
        """Groups along the outputs: how many rows stand in one is for the neighbours or the config to say."""
        readings = dict(self._readings())
        for evidence, values in self._witnesses(readings, setting):
            if len(values) == 1:
                (held,) = values
                return self._answer(held, replace(readings[held], evidence=evidence), setting)
        reason = "how many values are in a byte is not in the header, and neither a neighbour nor the config says"
        return unknown(self.scheme, self.unit, [self.weight], reason, self.state)

    def _witnesses(self, readings: Mapping[int, Format], setting: Setting) -> Iterator[tuple[str, AbstractSet[int]]]:
        """The numbers of values that the header, the neighbours and the config leave."""
        yield "header", set(readings)
        yield "neighbour", setting.neighbours.products(self.unit.path) & readings.keys()
        if setting.tried is not None:
            bits = {claim.bits for claim in setting.claimed(self.unit.path)}
            by_bits = {values for values, form in readings.items() if form.bits in bits}
            by_width = setting.neighbours.claimed_products(self.unit.path) & readings.keys()
            # A config that contradicts itself decides nothing.
            yield "config", by_bits & by_width if by_bits and by_width else by_bits | by_width

    def _readings(self) -> Iterator[tuple[int, Format]]:
        """The numbers of values that it may hold, with the bits at which it does."""
        rows, columns = self.weight.shape
        for bits, held in _HELD[self.weight.dtype.code].items():
            # Only what is packed in words may be filled up; groups are of a multiple of eight.
            fewest = (rows - 1) * held + 1 if self.weight.dtype.code == "I32" else rows * held
            for size in range(fewest, rows * held + 1):
                if size % 8 == 0:
                    yield size * columns, Format(self.scheme, bits, size if self.groups is not None else None)

    def _answer(self, values: int, form: Format, setting: Setting) -> Explained:
        return counted(self.unit, self.weight, shaped(self.unit, values, setting), form, self.state)
