"""torchao: tensor subclasses taken apart, each described in the metadata of its header.

A weight ``a.b.weight`` becomes ``a.b._weight_qdata``, ``a.b._weight_scale`` and others, and the metadata has under
``a.b.weight`` the class with its attributes. Int4 classes have their ``shape`` there; the others keep it in ``qdata``,
two values in a byte for 4-bit floats. A description is a witness too: dtype and scales must bear it out. Layout:
torchao ``prototype/safetensors``.

Where the metadata was lost, 8-bit floats still speak for themselves; anything else stays unexplained.
"""

from typing import ClassVar

import msgspec

from ckptinspect.model import Kind, Shape, elements_in
from ckptinspect.quant.base import EXPONENTS, FP8, Explained, Format, Setting, Unit, packed, unknown, with_strange
from ckptinspect.quant.neighbours import Neighbours
from ckptinspect.quant.packing import ceil_div, last_times

_DATA = "_weight_qdata"
# A value in each byte, of these dtypes.
_OWN_SIZE = {"Float8Tensor": FP8, "Int8Tensor": {"I8"}, "IntxUnpackedToInt8Tensor": {"I8"}}
# The dtypes of the scales, and how many values share one.
_MICRO = {"MXTensor": (EXPONENTS, 32), "NVFP4Tensor": (frozenset({"F8_E4M3"}), 16)}
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
        found = None if described is None else _as_described(unit, data, described, setting.neighbours)
        if found is None and data.dtype.code in FP8:
            # 8-bit floats are what they are, whatever a description says of them.
            found, described = (data.shape, 8), None
        if found is None:
            reason = "the metadata that describes the tensor is missing, or does not fit it"
            return unknown(self.name, unit, [data], reason, serving)
        shape, bits = found
        answer = packed(unit, data, shape, Format(self.name, bits, _group(described, shape)), serving)
        # Scales come in tiles that are filled up, but are fewer than the bits of what they serve.
        strange = frozenset(kind for kind in answer.bookkeeping if kind.elements > max(8 * data.nbytes, 1))
        return with_strange(answer, strange)


def _described(text: str) -> _Described | None:
    if not text or len(text) > _MAX_TEXT:
        return None
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _as_described(unit: Unit, data: Kind, described: _Described, neighbours: Neighbours) -> tuple[Shape, int] | None:
    """The logical shape of the data and its bits; None where data, scales and description do not fit together."""
    code = data.dtype.code
    if described.type in _OWN_SIZE:
        return (data.shape, _target(described)) if code in _OWN_SIZE[described.type] else None
    if described.type.startswith("Int4"):
        shape = described.data.shape
        fits = shape is not None and code in {"U8", "I8", "I32"} and _holds(unit, data, shape, neighbours)
        return (shape, 4) if shape is not None and fits else None
    if described.type not in _MICRO:
        return None
    scales, group = _MICRO[described.type]
    element = bytes(described.data.elem_dtype)
    if described.type == "NVFP4Tensor" or b"float4" in element:
        shape = data.shape if code == "F4" else last_times(data.shape, 2) if code == "U8" and data.rank else None
        return (shape, 4) if shape is not None and _has_scales(unit, shape, scales, group) else None
    stored = FP8 if b"float8" in element else {"U8"}
    return (data.shape, 8) if code in stored and _has_scales(unit, data.shape, scales, group) else None


def _has_scales(unit: Unit, shape: Shape, dtypes: frozenset[str], group: int) -> bool:
    """Whether there is a scale for each group along the inputs, as it is or in tiles of 128 by 4."""
    scale = unit.only("_weight_scale", dtypes)
    if scale is None or len(shape) < 2:
        return False
    *outer, rows, columns = shape
    groups = ceil_div(columns, group)
    tiles = elements_in((*outer, 128 * ceil_div(rows, 128), 4 * ceil_div(groups, 4)))
    return scale.shape == (*outer, rows, groups) or scale.elements == tiles


def _target(described: _Described) -> int:
    """The bits of the values that bytes hold, which may be fewer than eight."""
    text = bytes(described.data.target_dtype)
    return next((bits for bits in range(1, 8) if f'int{bits}"'.encode() in text), 8)


def _holds(unit: Unit, data: Kind, shape: Shape, neighbours: Neighbours) -> bool:
    """Whether 4-bit data is of this shape: densely, or in tiles of 8 outputs and 1024 inputs that are filled up. How
    far they are filled up is for the description to say, and for the neighbours to deny.
    """
    if any(dim < 0 for dim in shape):
        return False
    if data.rank != 4 or len(shape) != 2:
        return elements_in(shape) == 2 * data.nbytes
    outputs, inputs = 8 * data.shape[0], 32 * data.shape[1] * data.shape[3]
    near = neighbours.near(unit.path).sure
    return 0 <= outputs - shape[0] < 8 and 0 <= inputs - shape[1] < 1024 and (not near or shape[1] in near)


def _group(described: _Described | None, shape: Shape) -> int | None:
    size = described.data.block_size if described is not None else None
    group = size[-1] if isinstance(size, list) and size else size
    return group if isinstance(group, int) and shape and 1 < group < shape[-1] else None
