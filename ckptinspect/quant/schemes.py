"""The registry: every scheme, in the order in which they are asked."""

from ckptinspect.extensions import extensions
from ckptinspect.quant.base import Scheme
from ckptinspect.quant.fp8_block import Fp8Block
from ckptinspect.quant.packed import Packed

SCHEMES: tuple[Scheme, ...] = (Fp8Block(), Packed())


def schemes() -> tuple[Scheme, ...]:
    """Every scheme in the order in which they are asked, those that other packages add before ours."""
    return (*extensions("quant", "explain"), *SCHEMES)
