"""Quantized weights without their scales, and scales without their weights."""

from collections.abc import Iterator

from ckptinspect.audit.numbers import WIDTHS
from ckptinspect.audit.subject import Component
from ckptinspect.dtypes import Family
from ckptinspect.model import Kind
from ckptinspect.quant.base import Unit

_SCALES = ("weight_scale_inv", "weight_scale", "scale_inv", "scales", "weight.absmax", "SCB")
_WEIGHTS = ("weight", "weight_packed", "qweight", "")
_OF_A_WEIGHT = ("weight_scale_inv", "weight_scale")
_OF_A_WEIGHT_ALONE = frozenset({*_OF_A_WEIGHT, "input_scale", "activation_scale", "bias"})


def unscaled(component: Component) -> list[Kind]:
    """Quantized weights that lack the scales which other weights of the same leaf have."""
    found = []
    for leaf in _WEIGHTS:
        packed = [(unit, kind) for unit in component.units for kind in unit.leaves.get(leaf, ()) if _is_packed(kind)]
        scaled = {scale for unit, _ in packed for scale in _scales_of(unit)}
        if scaled:
            found += [kind for unit, kind in packed if not _has_enough(unit, leaf)]
    return sorted(found, key=lambda kind: kind.example)


def orphaned(component: Component) -> list[Kind]:
    """Scales beside a weight that is not quantized, or beside none."""
    found = []
    for unit in component.units:
        scales = [kind for leaf in _OF_A_WEIGHT for kind in unit.leaves.get(leaf, ())]
        weights = [kind for leaf in _WEIGHTS for kind in unit.leaves.get(leaf, ())]
        if not scales or not (weights or _OF_A_WEIGHT_ALONE.issuperset(unit.leaves)):
            continue
        if all(kind.dtype.code in WIDTHS for kind in weights):
            found += scales
    return sorted(found, key=lambda kind: kind.example)


def _is_packed(kind: Kind) -> bool:
    """Whether a weight is of 8-bit floats or packed integers: a matrix, and no mask or table of numbers."""
    narrow = kind.dtype.family is Family.FLOAT and (kind.dtype.bits or 0) <= 8
    integers = kind.dtype.code in {"I32", "U32", "U8", "I8"}
    return kind.rank >= 2 and (narrow or integers)


def _scales_of(unit: Unit) -> Iterator[Kind]:
    return (kind for leaf in _SCALES for kind in unit.leaves.get(leaf, ()))


def _has_enough(unit: Unit, leaf: str) -> bool:
    """Whether there are as many scales as weights: a unit stands for all modules alike but for their digits."""
    weights = sum(kind.count for kind in unit.leaves[leaf] if _is_packed(kind))
    names = (sum(kind.count for kind in unit.leaves.get(scale, ())) for scale in _SCALES)
    return max(names, default=0) >= weights
