"""The registry: every scheme, in the order in which they are asked."""

from ckptinspect.quant.awq import Awq
from ckptinspect.quant.base import Explained, Scheme, Setting, Unit
from ckptinspect.quant.blocks import Blocks
from ckptinspect.quant.bnb4 import Bnb4
from ckptinspect.quant.ct_pack import CtPack
from ckptinspect.quant.fp4 import MicroFloat, Nvfp4
from ckptinspect.quant.fp8 import Fp8
from ckptinspect.quant.gptq import Gptq
from ckptinspect.quant.int8 import Int8
from ckptinspect.quant.mlx import Mlx
from ckptinspect.quant.packed import Packed

SCHEMES: tuple[Scheme, ...] = (
    Fp8(),
    Gptq(),
    Awq(),
    Bnb4(),
    Int8(),
    CtPack(),
    Nvfp4(),
    MicroFloat(),
    Blocks(),
    Mlx(),
    Packed(),
)


def explained(unit: Unit, setting: Setting) -> Explained | None:
    """What the first scheme that knows the unit says of it."""
    return next((found for scheme in SCHEMES if (found := scheme.explain(unit, setting)) is not None), None)
