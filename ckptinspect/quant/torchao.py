"""torchao: tensor subclasses taken apart, each described in the metadata of its header.

A weight ``a.b.weight`` becomes ``a.b._weight_qdata``, ``a.b._weight_scale`` and others, and the metadata has under
``a.b.weight`` the class with its attributes. Int4 classes have their ``shape`` there; the others keep it in ``qdata``,
two values in a byte for 4-bit floats. Layout: torchao ``prototype/safetensors``.

Where the metadata was lost, 8-bit floats still speak for themselves; anything else stays unexplained.
"""

from typing import ClassVar

import msgspec

from ckptinspect.model import Kind, Shape, elements_in
from ckptinspect.quant.base import FP8, Explained, Format, Setting, Unit, packed, unknown
from ckptinspect.quant.packing import last_times

_DATA = "_weight_qdata"
_OWN_SIZE = frozenset({"Float8Tensor", "Int8Tensor", "IntxUnpackedToInt8Tensor"})
_MAX_TEXT = 100_000


class _Attributes(msgspec.Struct):
    shape: tuple[int, ...] | None = None
    block_size: list[int] | int | None = None
    elem_dtype: msgspec.Raw = msgspec.Raw(b"null")
    target_dtype: msgspec.Raw = msgspec.Raw(b"null")


class _Described(msgspec.Struct):
    type: str = msgspec.field(default="", name="_type")
    data: _Attributes = msgspec.field(default_factory=_Attributes, name="_data")


_decoder = msgspec.json.Decoder(_Described)


class Torchao:
    """Tensor subclasses of torchao."""

    name: ClassVar[str] = "torchao"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        data = unit.only(_DATA)
        serving = [leaf for leaf in unit.leaves if leaf.startswith("_weight_") and leaf != _DATA]
        if data is None or not serving:
            return None
        described = _described(setting.metadata.get(f"{unit.path}.weight", ""))
        found = _shape(data, described)
        if found is None:
            reason = "the metadata that describes the tensor is missing, or does not fit it"
            return unknown(self.name, unit, [data], reason, serving)
        shape, bits = found
        return packed(unit, data, shape, Format(self.name, bits, _group(described, shape)), serving)


def _described(text: str) -> _Described | None:
    if not text or len(text) > _MAX_TEXT:
        return None
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _shape(data: Kind, described: _Described | None) -> tuple[Shape, int] | None:
    """The logical shape of the data and its bits; None where data and description do not fit together."""
    if described is None:
        return (data.shape, 8) if data.dtype.code in FP8 else None
    if described.type in _OWN_SIZE:
        return (data.shape, _target(described)) if data.dtype.bits == 8 else None
    if described.type.startswith("Int4"):
        shape = described.data.shape
        return (shape, 4) if shape is not None and _holds(data, shape) else None
    if described.type in {"MXTensor", "NVFP4Tensor"}:
        fine = described.type == "NVFP4Tensor" or b"float4" in bytes(described.data.elem_dtype)
        if fine:
            return (data.shape if data.dtype.code == "F4" else last_times(data.shape, 2)), 4
        return data.shape, 8
    return None


def _target(described: _Described) -> int:
    """The bits of the values that bytes hold, which may be fewer than eight."""
    text = bytes(described.data.target_dtype)
    return next((bits for bits in range(1, 8) if f'int{bits}"'.encode() in text), 8)


def _holds(data: Kind, shape: Shape) -> bool:
    """Whether 4-bit data is of this shape: densely, or in tiles of 8 outputs and 1024 inputs that are filled up."""
    if any(dim < 0 for dim in shape):
        return False
    if data.rank != 4 or len(shape) != 2:
        return elements_in(shape) == 2 * data.nbytes
    outputs, inputs = 8 * data.shape[0], 32 * data.shape[1] * data.shape[3]
    return 0 <= outputs - shape[0] < 8 and 0 <= inputs - shape[1] < 1024


def _group(described: _Described | None, shape: Shape) -> int | None:
    size = described.data.block_size if described is not None else None
    group = size[-1] if isinstance(size, list) and size else size
    return group if isinstance(group, int) and shape and 1 < group < shape[-1] else None
