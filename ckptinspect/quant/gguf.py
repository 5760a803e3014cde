"""GGUF blocks inside safetensors, as GPTQModel writes them.

``qweight`` U8 [N, bytes of a row] and nothing beside it but a bias: so the config must say that its format is gguf.
Each type packs 32, 128 or 256 values into a fixed number of bytes; which one it is the config's bits or the inputs of
a neighbour tell. Types of one ratio (Q4_0 and Q4_K) give the same inputs. Layout: ggml ``ggml-common.h``; GPTQModel
``nn_modules/qlinear/gguf.py``.
"""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.quant.base import Explained, Format, Setting, Unit, packed, unknown
from ckptinspect.quant.deciding import Reading, decided

# Values and bytes of a block, and the bits that its type is named for.
_TYPES = (
    *((32, 18, 4), (32, 34, 8), (256, 144, 4), (256, 176, 5), (256, 210, 6), (256, 110, 3), (256, 84, 2)),
    *((32, 22, 5), (32, 20, 4), (32, 24, 5), (32, 6, 1), (128, 18, 1)),
)


class Gguf:
    """Blocks of llama.cpp's types."""

    name: ClassVar[str] = "gguf"

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        weight = unit.only("qweight", frozenset({"U8"}))
        if weight is None or weight.rank != 2 or not set(unit.leaves) <= {"qweight", "bias"} or not _is_told(setting):
            return None
        found = decided(unit, weight, list(_readings(weight.shape[1])), setting)
        if found is not None and found[1] == "header":
            # That these are blocks at all the config says, and a neighbour may bear it out.
            found = found[0], _evidence(unit, found[0], setting)
        if found is None or not found[1]:
            reason = "the type of the blocks is not in the header, and neither a neighbour nor the config decides"
            return unknown(self.name, unit, [weight], reason)
        reading, evidence = found
        sizes = {other.group_size for other in _readings(weight.shape[1]) if other.inputs == reading.inputs}
        form = Format(self.name, reading.bits, reading.group_size if len(sizes) == 1 else None, evidence)
        return packed(unit, weight, (weight.shape[0], reading.inputs), form)


def _evidence(unit: Unit, reading: Reading, setting: Setting) -> str:
    if reading.inputs in setting.neighbours.inputs(unit.path):
        return "neighbour"
    return "config" if setting.tried is not None else ""


def _is_told(setting: Setting) -> bool:
    section = setting.claims.section
    return any("gguf" in (section.text(key) or "").lower() for key in ("quant_method", "format", "checkpoint_format"))


def _readings(row: int) -> Iterator[Reading]:
    for values, size, bits in _TYPES:
        if row % size == 0:
            yield Reading(row // size * values, bits, values)
