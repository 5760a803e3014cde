"""8-bit floats with a scale for the tensor, for each row, or for each block, in every writer's names.

| writer | weight | scales |
|---|---|---|
| DeepSeek-V3 and those after it | ``weight`` [N, K] | ``weight_scale_inv`` [ceil(N/b), ceil(K/b)] |
| the same, fused experts | ``experts.gate_up_proj`` [E, 2I, H] | ``experts.gate_up_proj_scale_inv`` |
| compressed-tensors, ModelOpt, fbgemm, Quark | ``weight`` | ``weight_scale`` [], [1], [N], [N, 1] or of blocks |
| ComfyUI | ``weight`` | ``scale_weight``, ``scale_input``; or ``weight_scale``, ``input_scale``, ``comfy_quant`` |
| DeepSeek-V4 | ``weight`` | ``scale`` F8_E8M0 of blocks |
| MXFP8 | ``weight`` | ``weight_scale`` U8 or F8_E8M0 [N, K/32] |

Static activations add ``activation_scale`` or ``input_scale``. One byte is one parameter: the header alone is exact.
Layouts: DeepSeek-V3 ``README_WEIGHTS.md``; transformers
``finegrained_fp8.py``, ``fbgemm_fp8.py``; compressed-tensors ``naive_quantized``, ``mxfp8``; ComfyUI ``ops.py``.
"""

from collections.abc import Iterable
from typing import ClassVar

from ckptinspect.model import Kind
from ckptinspect.quant.base import EXPONENTS, FP8, MOST_KINDS, Explained, Setting, Unit, with_serving, with_strange
from ckptinspect.quant.fitting import fits

_SCALES = ("weight_scale_inv", "weight_scale", "scale_inv", "scale_weight")
# Names that learned scales have too: they are scales of a weight that has no other.
_PLAIN = ("scale", "scales")
_OTHERS = ("activation_scale", "input_scale", "scale_input", "comfy_quant")
_BLOCKS = (16, 32, 64, 128, 256)


class Fp8:
    """FP8 weights with any scales."""

    name: ClassVar[str] = "fp8"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weights = [kind for leaf in ("weight", "") for kind in unit.leaves.get(leaf, ()) if kind.dtype.code in FP8]
        if not weights:
            return None
        named = _of(unit, _SCALES)
        few = weights[:MOST_KINDS]
        scales = [kind for kind in named or _of(unit, _PLAIN) if _fitting(kind, few) and (named or _proves(kind))]
        strange = frozenset() if named else unit.all(_PLAIN) - {*scales}
        if not (scales or strange or named or unit.all(_OTHERS)):
            return None
        fine = _is_micro(few, scales)
        found = Explained(
            scheme="mxfp8" if fine else self.name,
            bits=8,
            group_size=32 if fine else _block(setting, few, scales),
            evidence="header",
            parameters={kind: kind.elements for kind in weights},
            bookkeeping=frozenset(scales),
            shapes={kind: kind.shape for kind in weights},
            unit=unit,
        )
        return with_strange(with_serving(found, tuple(kind.shape for kind in weights)), strange)


def _proves(scale: Kind) -> bool:
    """Whether a tensor that is just named ``scale`` shows that it was not learned: learned ones are vectors."""
    return scale.dtype.code in EXPONENTS or scale.elements == 1 or scale.rank > 1


def _of(unit: Unit, leaves: Iterable[str]) -> list[Kind]:
    return [kind for leaf in leaves for kind in unit.leaves.get(leaf, ()) if kind.dtype.code not in FP8]


def _fitting(scale: Kind, weights: Iterable[Kind]) -> bool:
    return any(fits(scale.shape, weight.shape) for weight in weights)


def _is_micro(weights: list[Kind], scales: list[Kind]) -> bool:
    """Whether there is an exponent for every 32 inputs of a row."""
    fitting = {(*kind.shape[:-1], -(-kind.shape[-1] // 32)) for kind in weights if kind.rank >= 2}
    return bool(scales) and all(kind.dtype.code in EXPONENTS and kind.shape in fitting for kind in scales)


def _block(setting: Setting, weights: list[Kind], scales: list[Kind]) -> int | None:
    """The edge of a block: the one that gives the scales' shapes, of several the config's; None without blocks."""
    edges = [edge for edge in _BLOCKS if all(_fits(edge, weights, scale) for scale in scales if scale.elements > 1)]
    if not scales or all(scale.elements == 1 for scale in scales) or not edges:
        return None
    claimed = setting.claims.section.values.get("weight_block_size")
    if isinstance(claimed, list) and claimed and claimed[0] in edges:
        return int(claimed[0])
    return 128 if 128 in edges else edges[0]


def _fits(edge: int, weights: list[Kind], scale: Kind) -> bool:
    return any(
        scale.shape == (*kind.shape[:-2], -(-kind.shape[-2] // edge), -(-kind.shape[-1] // edge))
        for kind in weights
        if kind.rank >= 2
    )
