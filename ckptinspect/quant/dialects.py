"""A section of a quantization config -> bits and group size, in whichever dialect its writer speaks.

Nothing in it is believed: numbers have bounds, and what cannot be is no claim.
"""

import msgspec

from ckptinspect.model import Config

_MAX_BITS = 64
_MAX_GROUP = 1 << 20
_ALGORITHMS = {
    "NVFP4": (4, 16),
    "W4A16_NVFP4": (4, 16),
    "NVFP4_AWQ": (4, 16),
    "NVFP4_SVD": (4, 16),
    "FP8": (8, None),
    "FP8_PER_CHANNEL_PER_TOKEN": (8, None),
    "FP8_PB_WO": (8, 128),
    "MXFP8": (8, 32),
    "W8A8_SQ_PER_CHANNEL": (8, None),
    "W4A16_AWQ": (4, 128),
    "INT4_AWQ": (4, 128),
    "W4A8_AWQ": (4, 128),
    "W4A8_NVFP4_FP8": (4, None),
    "W4A8_MXFP4_FP8": (4, 32),
    "MXFP4": (4, 32),
    "W8A16": (8, None),
}
_TYPES = {"int8": 8, "int4": 4, "int2": 2, "float8": 8, "float8_e4m3fn": 8, "float8_e5m2": 8}
_MODES = {"mxfp4": (4, 32), "nvfp4": (4, 16), "mxfp8": (8, 32), "affine": (4, 64)}
# Methods whose bits follow from their name.
_FIXED = {
    "fp8": (8, None),
    "fbgemm_fp8": (8, None),
    "mxfp4": (4, 32),
    "mxfp8": (8, 32),
    "eetq": (8, None),
    "bitnet": (2, None),
    "spqr": (3, None),
}


class Claim(msgspec.Struct, frozen=True):
    """Bits per weight and elements in a group, as far as the config says; ``form`` as it spells the format."""

    bits: int | None = None
    group_size: int | None = None
    form: str = ""

    def allows(self, bits: float | None, group_size: int | None) -> bool:
        """Whether what the header shows does not contradict the claim."""
        same_bits = self.bits is None or bits is None or self.bits == bits
        return same_bits and (self.group_size is None or group_size is None or self.group_size == group_size)


def general_claim(section: Config, method: str) -> Claim:
    """The bits and group size that a section names, in whichever dialect."""
    bits, group = section.integer("bits", "num_bits", "w_bit", "nbits"), section.integer("group_size", "q_group_size")
    algorithm = section.text("quant_algo")
    if algorithm is not None and algorithm.upper() in _ALGORITHMS:
        by_name = _ALGORITHMS[algorithm.upper()]
        return claim_of(by_name[0], group or by_name[1], algorithm)
    if section.flag("load_in_4bit", "_load_in_4bit"):
        return claim_of(4, None, section.text("bnb_4bit_quant_type") or "")
    if section.flag("load_in_8bit", "_load_in_8bit"):
        return claim_of(8, None)
    nested = section.section("quant_config").section("weight_quant_params")
    if nested:
        return claim_of(nested.integer("nbits"), nested.integer("group_size"))
    weights = section.text("weights", "weights_dtype")
    if method == "quanto" and weights is not None:
        return claim_of(_TYPES.get(weights), None, weights)
    block = section.values.get("weight_block_size")
    if isinstance(block, list) and block and type(block[0]) is int:
        group = block[0]
    mode = section.text("mode")
    if bits is None and method.replace("-", "_") in _FIXED:
        bits, of_method = _FIXED[method.replace("-", "_")]
        group = group or of_method
    elif bits is None and mode in _MODES:
        bits, of_mode = _MODES[mode]
        group = group or of_mode
    return claim_of(bits, group, section.text("packing_format", "checkpoint_format", "version", "mode", "format") or "")


def claim_of(bits: int | None, group_size: int | None, form: str = "") -> Claim:
    """A claim of what can be; anything else in it is no claim."""
    return Claim(
        bits if bits is not None and 0 < bits <= _MAX_BITS else None,
        group_size if group_size is not None and 0 < group_size <= _MAX_GROUP else None,
        form[:100],
    )
