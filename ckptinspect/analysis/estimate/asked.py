"""What the figures are wanted for: lengths, number formats, devices. Everything typed is checked here."""

import re
from collections.abc import Mapping

import msgspec

from ckptinspect.dtypes import DTYPES, Dtype, Family
from ckptinspect.errors import RefError
from ckptinspect.text import quoted

_ALIASES: Mapping[str, str] = {
    "float32": "F32",
    "fp32": "F32",
    "float": "F32",
    "float16": "F16",
    "fp16": "F16",
    "half": "F16",
    "bfloat16": "BF16",
    "float64": "F64",
    "fp8": "F8_E4M3",
    "float8": "F8_E4M3",
    "fp8_e4m3": "F8_E4M3",
    "float8_e4m3fn": "F8_E4M3",
    "fp8_e5m2": "F8_E5M2",
    "float8_e5m2": "F8_E5M2",
    "fp4": "F4",
    "int8": "I8",
    "uint8": "U8",
}
# A format that weights are packed in and safetensors has no dtype for.
_INT4 = Dtype("INT4", 4, Family.INT)
_SIZE = re.compile(r"(?:(\d{1,6})x)?(\d{1,9}(?:\.\d{1,3})?)(T|G|M)(i?)B?", re.IGNORECASE)
_UNITS = {"T": 4, "G": 3, "M": 2}
MOST = 10**12
"""The largest number of tokens, sequences, devices or ranks that anything is worked out for."""


class Device(msgspec.Struct, frozen=True):
    """Memory to fit into: ``count`` devices of ``nbytes`` each, as it was typed."""

    given: str
    count: int
    nbytes: int


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to know. None: what the checkpoint itself suggests.

    ``context`` is how many tokens a sequence has when its cache is measured, ``sequence`` how many it has when
    one pass runs over it. ``dtype`` is what weights are cast to, ``kv_dtype`` what keys and values are kept in.
    ``tensor``, ``pipeline``, ``expert`` and ``data`` are the devices that each way of sharing takes.
    """

    context: int | None = None
    batch: int = 1
    sequence: int | None = None
    dtype: Dtype | None = None
    kv_dtype: Dtype | None = None
    tensor: int = 1
    pipeline: int = 1
    expert: int = 1
    data: int = 1
    zero: int | None = None
    rank: int = 16
    targets: tuple[str, ...] = ()
    recipe: str | None = None
    devices: tuple[Device, ...] = ()

    @property
    def is_parallel(self) -> bool:
        """Whether the model is to be shared by several devices."""
        return max(self.tensor, self.pipeline, self.expert) > 1


def dtype_named(text: str, option: str) -> Dtype:
    """The number format of this name. Raises RefError for one that there is not.

    >>> dtype_named("bfloat16", "--dtype").code, dtype_named("int4", "--dtype").bits
    ('BF16', 4)
    """
    if text.lower() in {"int4", "uint4", "nf4"}:
        return _INT4
    dtype = DTYPES.get(_ALIASES.get(text.lower(), text.upper()))
    if dtype is None or dtype.family in {Family.BOOL, Family.EXPONENT}:
        hint = "write bf16, fp16, fp32, fp8, int8, int4 or a code of `ckptinspect dtypes`"
        raise RefError(f"{quoted(text)} is no number format", option, hint)
    return dtype


def positive(value: int, option: str) -> int:
    """A number of 1 or more that arithmetic can bear. Raises RefError for any other."""
    if value < 1:
        raise RefError(f"{value} is too small", option, "write 1 or more")
    if value > MOST:
        raise RefError(f"{value:,} is more than the {MOST:,} that anything is worked out for", option, "write less")
    return value


def stage(value: int) -> int:
    """A stage of ZeRO. Raises RefError for one that there is not."""
    if not 0 <= value <= 3:
        raise RefError(f"{value} is no stage of ZeRO", "--zero", "choose one of 0, 1, 2, 3")
    return value


def devices_in(text: str) -> tuple[Device, ...]:
    """The devices that ``--fits`` names. Raises RefError for what is no size.

    >>> [(device.count, device.nbytes) for device in devices_in("24GB,8x80GiB")]
    [(1, 24000000000), (8, 85899345920)]
    """
    return tuple(_device(part.strip()) for part in text.split(","))


def _device(text: str) -> Device:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise RefError(f"{quoted(text)} is no size", "--fits", "write 24GB, 80GiB or 8x80GB, with commas between")
    count, number, unit, binary = match.groups()
    base = 1024 if binary else 1000
    whole, _, decimals = number.partition(".")
    # By integers, so that 1.1GB is what it says.
    thousandths = int(whole) * 1000 + int(f"{decimals:0<3}")
    nbytes = thousandths * base ** _UNITS[unit.upper()] // 1000
    if not nbytes or count == "0":
        raise RefError(f"{quoted(text)} is no memory at all", "--fits", "write a size above 0")
    return Device(text, positive(int(count or 1), "--fits"), nbytes)
