"""Fine-grained FP8 (DeepSeek-V3 and those after it): 8-bit floats with one scale for each block.

``weight`` F8_E4M3 [N, K] beside ``weight_scale_inv`` [ceil(N/b), ceil(K/b)]; fused experts keep the scale as
``gate_up_proj_scale_inv`` beside ``gate_up_proj``. One byte is one parameter. Layout: DeepSeek-V3,
``README_WEIGHTS.md``; transformers ``integrations/finegrained_fp8.py``.
"""

from typing import ClassVar

from ckptinspect.model import Config, Kind
from ckptinspect.quant.base import Explained, Unit

_SCALES = ("weight_scale_inv", "scale_inv", "activation_scale")


class Fp8Block:
    """FP8 weights with block scales."""

    name: ClassVar[str] = "fp8"

    def explain(self, unit: Unit, config: Config) -> Explained | None:
        scales = [kind for leaf in _SCALES for kind in unit.leaves.get(leaf, ())]
        weights = [kind for kind in unit.leaves.get("weight", ()) if kind.dtype.code.startswith("F8_")]
        bare = [kind for kind in unit.leaves.get("", ()) if kind.dtype.code.startswith("F8_")]
        if not scales or not (weights or bare):
            return None
        parameters = {kind: kind.elements for kind in (*weights, *bare)}
        return Explained(
            self.name, 8, _block(config, scales, (*weights, *bare)), "header", parameters, frozenset(scales)
        )


def _block(config: Config, scales: list[Kind], weights: tuple[Kind, ...]) -> int | None:
    """The edge of a block: from the config, else from the smallest power of two that gives the scales' shape."""
    size = config.values.get("weight_block_size")
    if isinstance(size, list) and size and isinstance(size[0], int):
        return size[0]
    weight, scale = weights[0].shape, scales[0].shape
    if len(weight) < 2 or len(scale) != len(weight):
        return None
    rows, scaled = weight[-2], scale[-2]
    return next((edge for edge in (32, 64, 128, 256) if -(-rows // edge) == scaled), None)
