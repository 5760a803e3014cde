"""Sizes that a header declares and no file could hold."""

from ckptinspect.audit.subject import WeightFile

TERABYTE = 10**12
_TIMES = 16


def is_incredible(weight: WeightFile) -> bool:
    """Whether a file declares a terabyte or more, and many times what it has: not cut, but made up."""
    declared = weight.tensor_bytes
    return declared >= TERABYTE and declared > _TIMES * weight.size
