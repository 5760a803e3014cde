"""The registry: every scheme, in the order in which they are asked.

A scheme is imported when a module has one of the leaves that it needs: whoever looks at FP8 does not wait for thirty
others.
"""

from functools import cache
from importlib import import_module
from typing import NamedTuple, cast

from ckptinspect.extensions import extensions
from ckptinspect.quant.base import Explained, Scheme, Setting, Unit


class Registered(NamedTuple):
    """A scheme's module and class, and the leaves of which a unit must have one for it to be asked."""

    module: str
    name: str
    leaves: tuple[str, ...]


SCHEMES: tuple[Registered, ...] = (
    Registered(
        "fp8",
        "Fp8",
        (
            *("weight_scale_inv", "weight_scale", "scale_inv", "scale_weight", "scale", "scales", "activation_scale"),
            *("input_scale", "scale_input", "comfy_quant"),
        ),
    ),
    Registered("gptq", "Gptq", ("qweight",)),
    Registered("awq", "Awq", ("qweight",)),
    Registered("marlin", "Marlin", ("qweight", "B", "B_24", "weight_packed")),
    Registered("bnb4", "Bnb4", ("weight.absmax", "weight_absmax", "absmax")),
    Registered("eetq", "Eetq", ("weight_scales",)),
    Registered("gemma_qat", "GemmaQat", ("weight_scale", "embedding_quantized")),
    Registered("int8", "Int8", ("SCB", "weight_scale")),
    Registered("ct_pack", "CtPack", ("weight_packed",)),
    Registered("fp4", "Nvfp4", ("weight_global_scale", "weight_scale_2")),
    Registered("fp4", "MicroFloat", ("weight_scale", "scale")),
    Registered("blocks", "Blocks", ("blocks",)),
    Registered("int4_awq", "Int4Awq", ("weight_scale",)),
    Registered("mlx", "Mlx", ("scales",)),
    Registered("quark", "Quark", ("weight_scale", "weight_scale_2")),
    Registered("torchao", "Torchao", ("_weight_qdata",)),
    Registered("hqq", "Hqq", ("W_q",)),
    Registered("quanto", "Quanto", ("weight._data", "weight._data._data")),
    Registered("aqlm", "Aqlm", ("codes",)),
    Registered("vptq", "Vptq", ("indices",)),
    Registered("spqr", "SpQR", ("dense_weights",)),
    Registered("higgs", "Higgs", ("tables2",)),
    Registered("fp_quant", "FpQuant", ("act_global_scale", "weight_global_scale", "forward_hadamard_matrix")),
    Registered("bitnet", "BitNet", ("weight_scale",)),
    Registered("exl2", "Exl2", ("q_weight",)),
    Registered("exl3", "Exl3", ("trellis",)),
    Registered("gguf", "Gguf", ("qweight",)),
    Registered("nunchaku", "Nunchaku", ("wscales",)),
    Registered("sparse", "Sparse", ("bitmask", "weight.bitmask")),
    Registered("packed", "Packed", ()),
)


def added() -> tuple[Scheme, ...]:
    """The schemes of other packages, which are asked of every module."""
    return extensions("quant", "explain")


@cache
def loaded(registered: Registered) -> Scheme:
    """The scheme itself."""
    module = import_module(f"ckptinspect.quant.{registered.module}")
    return cast("Scheme", getattr(module, registered.name)())


def explained(unit: Unit, setting: Setting) -> Explained | None:
    """What the first scheme that knows the unit says of it, those that other packages add before ours."""
    for scheme in added():
        if (found := scheme.explain(unit, setting)) is not None:
            return found
    for registered in SCHEMES:
        asked = not registered.leaves or any(leaf in unit.leaves for leaf in registered.leaves)
        if asked and (found := loaded(registered).explain(unit, setting)) is not None:
            return found
    return None
