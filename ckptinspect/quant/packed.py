"""Packed weights of which only the packing is recognised: their elements stay unexplained, by name.

The pairs and triples are those of the schemes' own writers (GPTQModel, AutoAWQ, bitsandbytes,
compressed-tensors, ModelOpt, gpt-oss, MLX, HQQ, quanto). Each becomes a scheme of its own once what it
stands for can be told exactly.
"""

from typing import ClassVar

from ckptinspect.model import Config
from ckptinspect.quant.base import Explained, Unit

_INTEGERS = frozenset({"U8", "I8", "I16", "I32", "U32", "I64"})
# What serves a packed weight under any of these schemes.
_SERVING = (
    *("weight_scale", "weight_scale_2", "weight_global_scale", "weight_zero_point", "weight_shape", "weight_g_idx"),
    *("input_scale", "input_global_scale", "input_zero_point", "output_scale", "pre_quant_scale"),
)
# (container leaf, its dtypes, a sibling that must stand beside it, other siblings that serve it)
_SIGNATURES: tuple[tuple[str, frozenset[str], str, tuple[str, ...]], ...] = (
    ("qweight", _INTEGERS, "scales", ("qzeros", "g_idx", "weight_global_scale", "act_global_scale")),
    ("qweight", _INTEGERS, "wscales", ("wzeros", "wcscales", "wtscale", "smooth_factor")),
    ("weight_packed", _INTEGERS, "weight_scale", ("weight_shape", "weight_zero_point", "weight_g_idx")),
    ("weight_packed", _INTEGERS, "weight_global_scale", ("input_global_scale", "weight_scale")),
    ("weight", frozenset({"U8"}), "weight.absmax", ("weight.quant_map", "weight.nested_absmax")),
    ("weight", frozenset({"U8"}), "weight_scale", ("weight_scale_2", "input_scale", "pre_quant_scale")),
    ("weight", frozenset({"U32"}), "scales", ("biases", "qbiases")),
    ("blocks", frozenset({"U8"}), "scales", ()),
    ("W_q", _INTEGERS, "scale", ("zero",)),
    ("weight._data", _INTEGERS, "weight._scale", ("weight._shift", "input_scale", "output_scale")),
)


class Packed:
    """Weights in a container that is not their own size."""

    name: ClassVar[str] = "packed"

    def explain(self, unit: Unit, config: Config) -> Explained | None:
        for container, dtypes, sibling, others in _SIGNATURES:
            if sibling not in unit.leaves or not unit.dtypes(container) & dtypes:
                continue
            packed = [kind for kind in unit.leaves[container] if kind.dtype.code in dtypes]
            served = {
                sibling,
                *others,
                *_SERVING,
                *(leaf for leaf in unit.leaves if leaf.startswith("weight.quant_state")),
            }
            bookkeeping = frozenset(kind for leaf in served for kind in unit.leaves.get(leaf, ()))
            return Explained(self.name, None, None, "header", dict.fromkeys(packed), bookkeeping)
        return None
