"""compressed-tensors, pack-quantized: integers of 1 to 8 bits packed along the inputs.

``weight_packed`` I32 [N, ceil(K*b/32)]; ``weight_scale`` [N, ceil(K/g)] or [N, 1]; ``weight_shape`` [2], whose values
are data; asymmetric: ``weight_zero_point`` I32 [ceil(N*b/32), K/g]; ``weight_g_idx`` [K]. Before 0.10 a word held
floor(32/b) whole values, which differs where b is no power of two. Experts may be stacked, [E, N, ...]. Layout:
compressed-tensors ``compressors/pack_quantized``.

With one scale a row the header leaves K open within a word, and without a zero point also the bits: the norm in
front, the module that feeds it, or the config decide.
"""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.model import Kind
from ckptinspect.quant.base import FLOATS, Explained, Format, Setting, Unit, packed, unknown
from ckptinspect.quant.deciding import Reading, decided
from ckptinspect.quant.packing import bits_of, ceil_div, group_of, values_in, words_of

_BITS = range(1, 9)


class CtPack:
    """Integers packed by compressed-tensors."""

    name: ClassVar[str] = "pack-quantized"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weight, scale = unit.only("weight_packed", frozenset({"I32"})), unit.only("weight_scale", FLOATS)
        if weight is None or scale is None or weight.rank < 2:
            return None
        if scale.shape[: weight.rank - 1] != weight.shape[:-1]:
            return None
        order = unit.only("weight_g_idx")
        if order is not None and order.rank == 1:
            found = _by_order(weight, order, scale)
        else:
            found = decided(unit, weight, list(_readings(unit, weight, scale)), setting)
        if found is None:
            reason = (
                "the packed words do not say how many values they hold, and neither a neighbour nor the config does"
            )
            return unknown(self.name, unit, [weight], reason)
        reading, evidence = found
        form = Format(self.name, reading.bits, reading.group_size, evidence)
        return packed(unit, weight, (*weight.shape[:-1], reading.inputs), form)


def _by_order(weight: Kind, order: Kind, scale: Kind) -> tuple[Reading, str] | None:
    """The reading where the order of the inputs tells how many there are."""
    inputs, words = order.shape[0], weight.shape[-1]
    bits = [bits for bits in _BITS if words in {words_of(inputs, bits), ceil_div(inputs, 32 // bits)}]
    return (Reading(inputs, bits[0], group_of(inputs, scale.shape[-1])), "header") if bits else None


def _readings(unit: Unit, weight: Kind, scale: Kind) -> Iterator[Reading]:
    """Every number of inputs and bits that gives these words and scales."""
    words, groups = weight.shape[-1], scale.shape[-1] if scale.rank == weight.rank else 1
    dense = [(bits, values_in(words, bits)) for bits in _bits(unit, weight)]
    # What 7 bits take in the old packing, 8 bits take in the new one: that comes first.
    whole = [(bits, values_in(words, 1, 32 // bits)) for bits, _ in dense if 32 % bits]
    for bits, values in (*dense, *whole):
        for inputs in values:
            if groups == 1:
                yield Reading(inputs, bits, None)
            elif inputs % groups == 0:
                yield Reading(inputs, bits, inputs // groups)


def _bits(unit: Unit, weight: Kind) -> list[int]:
    """The bits that the zero points allow, which are packed along the outputs."""
    zeros = unit.only("weight_zero_point", frozenset({"I32"}))
    if zeros is None or zeros.rank < 2:
        return list(_BITS)
    bits = bits_of(weight.shape[-2], zeros.shape[-2])
    return list(_BITS) if bits is None else [bits]
