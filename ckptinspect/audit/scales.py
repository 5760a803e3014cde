"""Quantized weights without their scales, and scales without their weights."""

from collections.abc import Mapping, Sequence

from ckptinspect.audit.numbers import WIDTHS
from ckptinspect.audit.subject import Component
from ckptinspect.dtypes import Family
from ckptinspect.model import Kind

_SCALES = ("weight_scale_inv", "weight_scale", "scale_inv", "scales", "weight.absmax", "SCB")
_WEIGHTS = ("weight", "weight_packed", "qweight", "")
_OF_A_WEIGHT = ("weight_scale_inv", "weight_scale")
_OF_A_WEIGHT_ALONE = frozenset({*_OF_A_WEIGHT, "input_scale", "activation_scale", "bias"})


_Leaves = Mapping[str, Sequence[Kind]]


def unscaled(component: Component) -> list[Kind]:
    """Quantized weights that lack the scales which other weights of the same leaf have."""
    found = []
    for leaf in _WEIGHTS:
        packed = [(leaves, kind) for leaves in component.modules.values() for kind in _packed(leaves, leaf)]
        if any(scale in leaves for leaves, _ in packed for scale in _SCALES):
            found += [kind for leaves, kind in packed if not _has_enough(leaves, leaf)]
    return sorted(found, key=lambda kind: kind.example)


def orphaned(component: Component) -> list[Kind]:
    """Scales beside a weight that is not quantized, or beside none."""
    found: list[Kind] = []
    for leaves in component.modules.values():
        scales = [kind for leaf in _OF_A_WEIGHT for kind in leaves.get(leaf, ())]
        weights = [kind for leaf in _WEIGHTS for kind in leaves.get(leaf, ())]
        if not scales or not (weights or _OF_A_WEIGHT_ALONE.issuperset(leaves)):
            continue
        if all(kind.dtype.code in WIDTHS for kind in weights):
            found += scales
    return sorted(found, key=lambda kind: kind.example)


def _packed(leaves: _Leaves, leaf: str) -> list[Kind]:
    return [kind for kind in leaves.get(leaf, ()) if _is_packed(kind)]


def _has_enough(leaves: _Leaves, leaf: str) -> bool:
    """Whether there are as many scales as weights, of all modules that are folded into one."""
    weights = sum(kind.count for kind in _packed(leaves, leaf))
    scales = (sum(kind.count for kind in leaves.get(scale, ())) for scale in _SCALES)
    return max(scales, default=0) >= weights


def _is_packed(kind: Kind) -> bool:
    """Whether a weight is of 8-bit floats or packed integers: a matrix, and no mask or table of numbers."""
    narrow = kind.dtype.family is Family.FLOAT and (kind.dtype.bits or 0) <= 8
    integers = kind.dtype.code in {"I32", "U32", "U8", "I8"}
    return kind.rank >= 2 and (narrow or integers)
