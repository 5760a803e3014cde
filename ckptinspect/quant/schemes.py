"""The registry: every scheme, in the order in which they are asked."""

from ckptinspect.quant.aqlm import Aqlm
from ckptinspect.quant.awq import Awq
from ckptinspect.quant.base import Explained, Scheme, Setting, Unit
from ckptinspect.quant.bitnet import BitNet
from ckptinspect.quant.blocks import Blocks
from ckptinspect.quant.bnb4 import Bnb4
from ckptinspect.quant.ct_pack import CtPack
from ckptinspect.quant.eetq import Eetq
from ckptinspect.quant.exl2 import Exl2
from ckptinspect.quant.exl3 import Exl3
from ckptinspect.quant.fp4 import MicroFloat, Nvfp4
from ckptinspect.quant.fp8 import Fp8
from ckptinspect.quant.fp_quant import FpQuant
from ckptinspect.quant.gemma_qat import GemmaQat
from ckptinspect.quant.gguf import Gguf
from ckptinspect.quant.gptq import Gptq
from ckptinspect.quant.higgs import Higgs
from ckptinspect.quant.hqq import Hqq
from ckptinspect.quant.int4_awq import Int4Awq
from ckptinspect.quant.int8 import Int8
from ckptinspect.quant.marlin import Marlin
from ckptinspect.quant.mlx import Mlx
from ckptinspect.quant.nunchaku import Nunchaku
from ckptinspect.quant.packed import Packed
from ckptinspect.quant.quanto import Quanto
from ckptinspect.quant.quark import Quark
from ckptinspect.quant.sparse import Sparse
from ckptinspect.quant.spqr import SpQR
from ckptinspect.quant.torchao import Torchao
from ckptinspect.quant.vptq import Vptq

SCHEMES: tuple[Scheme, ...] = (
    Fp8(),
    Gptq(),
    Awq(),
    Marlin(),
    Bnb4(),
    Eetq(),
    GemmaQat(),
    Int8(),
    CtPack(),
    Nvfp4(),
    MicroFloat(),
    Blocks(),
    Int4Awq(),
    Mlx(),
    Quark(),
    Torchao(),
    Hqq(),
    Quanto(),
    Aqlm(),
    Vptq(),
    SpQR(),
    Higgs(),
    FpQuant(),
    BitNet(),
    Exl2(),
    Exl3(),
    Gguf(),
    Nunchaku(),
    Sparse(),
    Packed(),
)


def explained(unit: Unit, setting: Setting) -> Explained | None:
    """What the first scheme that knows the unit says of it."""
    return next((found for scheme in SCHEMES if (found := scheme.explain(unit, setting)) is not None), None)
