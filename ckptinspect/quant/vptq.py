"""VPTQ: vectors of weights along the outputs, each an index into centroids, with residuals and outliers.

``centroids.weight`` [groups, C*v] beside ``indices``: unpacked I16 or U16 [groups, ceil(N/v), K/groups], packed I32
[groups, ceil(N/v), ceil(K/groups*bits/32)]. ``res_centroids.weight`` and ``res_indices`` refine them;
``outlier_centroids.weight`` and ``outlier_indices`` [1, ceil(N/u), outliers] hold some inputs apart; ``perm`` [K],
``weight_scale`` and ``weight_bias`` [K] restore their order and size. Layout: vptq ``layers/vqlinear.py``.

K stands in ``perm`` or ``weight_scale``, or is the sum of the unpacked indices. N does not: a bias, a neighbour or
the config's ``config_for_layers`` tells it.
"""

from collections.abc import Iterable
from typing import ClassVar

from msgspec.structs import replace

from ckptinspect.model import Kind
from ckptinspect.quant.base import Explained, Format, Setting, Unit, packed, unknown
from ckptinspect.quant.packing import ceil_div

_SERVING = (
    *("centroids.weight", "res_centroids.weight", "outlier_centroids.weight", "perm", "weight_scale", "weight_bias"),
    *("norm_weight", "norm_bias"),
)
_INDICES = ("indices", "res_indices", "outlier_indices")
_VECTORS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 32)


class Vptq:
    """Vector quantization along the outputs."""

    name: ClassVar[str] = "vptq"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        indices, centroids = unit.only("indices"), unit.only("centroids.weight")
        if indices is None or centroids is None or indices.rank != 3 or centroids.rank != 2:
            return None
        if indices.shape[0] != centroids.shape[0]:
            return None
        others = [kind for leaf in _INDICES[1:] if (kind := unit.only(leaf)) is not None]
        inputs = _inputs(unit, indices)
        found = _outputs(unit, indices, centroids, inputs, setting) if inputs is not None else None
        if inputs is None or found is None:
            reason = (
                "the indices do not say how many outputs a vector spans, and neither a neighbour nor the config does"
            )
            return unknown(self.name, unit, [indices, *others], reason, _SERVING)
        outputs, evidence = found
        bits = sum(kind.nbytes for kind in (indices, *others)) * 8 / (outputs * inputs)
        answer = packed(unit, indices, (outputs, inputs), Format(self.name, round(bits, 2), None, evidence), _SERVING)
        # What refines the main indices stands for the same parameters once more.
        return replace(answer, parameters={**answer.parameters, **dict.fromkeys(others, 0)})


def _inputs(unit: Unit, indices: Kind) -> int | None:
    for leaf in ("perm", "weight_scale", "weight_bias"):
        kind = unit.only(leaf)
        if kind is not None and kind.rank == 1:
            return kind.shape[0]
    if indices.dtype.code not in {"I16", "U16", "F16"}:
        return None
    outliers = unit.only("outlier_indices")
    return indices.shape[0] * indices.shape[2] + (outliers.shape[-1] if outliers is not None else 0)


def _outputs(unit: Unit, indices: Kind, centroids: Kind, inputs: int, setting: Setting) -> tuple[int, str] | None:
    """The number of outputs that so many vectors span, and who says so."""
    spans = {length for length in _VECTORS if centroids.shape[1] % length == 0}
    near = [n for n in setting.neighbours.outputs(unit.path) if _fits(n, indices, spans)]
    if len(near) == 1:
        return near[0], "neighbour"
    if setting.tried is None:
        return None
    layer = setting.claims.section.section("config_for_layers").section(unit.path)
    claimed = layer.integer("out_features")
    if claimed and layer.integer("in_features") in {None, inputs} and _fits(claimed, indices, spans):
        return claimed, "config"
    return None


def _fits(outputs: int, indices: Kind, spans: Iterable[int]) -> bool:
    """Whether there are vectors of a length by which so many outputs take the indices that there are."""
    return any(ceil_div(outputs, length) == indices.shape[1] for length in spans)
