"""Architectures packed in layouts that a header does not tell apart, and configs that lie about them."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from math import prod
from pathlib import Path

import msgspec

from ckptinspect.analysis.count import Count, count
from ckptinspect.analysis.notes import notes_on
from ckptinspect.model import Shape, merged
from ckptinspect.opening import open_checkpoint
from ckptinspect.quant.base import FLOATS
from tests import layouts
from tests.checkpoints import checkpoint_of
from tests.folders import Shapes
from tests.layouts import Leaves

FOLDER = Path(__file__).parents[1] / "fixtures"
SAID = frozenset({"quantization-config", "config-alone"})
"""The notes by which a reader knows that the config was not believed, or that nothing but it was."""
Section = Mapping[str, object]
_NORMS = ("norm", "ln_", "layernorm", "layer_norm", "conv")


class Layout(msgspec.Struct, frozen=True):
    """A way to pack matrices whose inputs are a multiple of ``step`` and whose outputs are one of ``rows``, and the
    configs for other ways like it.
    """

    write: Callable[[int, int], Leaves]
    step: int
    truth: Section
    lies: tuple[Section, ...]
    rows: int = 1

    def takes(self, shape: Shape) -> bool:
        """Whether it can pack a matrix of this shape."""
        return shape[1] % self.step == 0 and shape[0] % self.rows == 0


def _mlx(bits: int, group: int) -> Layout:
    truth, *others = [
        {"quantization": {"bits": b, "group_size": g}}
        for b, g in [
            (bits, group),
            *((b, g) for b in (2, 3, 4, 5, 6, 8) for g in (32, 64, 128) if (b, g) != (bits, group)),
        ]
    ]
    return Layout(lambda n, k: layouts.mlx(n, k, bits, group), group, truth, tuple(others))


def packed_section(bits: object, group: object) -> Section:
    """The config that compressed-tensors writes beside packed integers."""
    weights = {"num_bits": bits, "group_size": group, "type": "int"}
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    return {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": groups}


def _ct(bits: int, group: int | None) -> Layout:
    others = [packed_section(b, g) for b in (1, 2, 3, 4, 6, 8) for g in (None, 64, 128) if (b, g) != (bits, group)]
    found = tuple({"quantization_config": section} for section in others)
    truth: Section = {"quantization_config": packed_section(bits, group)}
    return Layout(lambda n, k: layouts.ct_pack(n, k, bits, group), group or 8, truth, found)


def _method(
    write: Callable[[int, int], Leaves], step: int, method: str, bits: tuple[int, ...], rows: int = 1
) -> Layout:
    """The layout of a method whose config names its bits: the true ones first."""
    truth, *others = [{"quantization_config": {"quant_method": method, "bits": each}} for each in bits]
    return Layout(write, step, truth, tuple(others), rows)


LAYOUTS: Mapping[str, Layout] = {
    **{f"mlx {bits} bits of {group}": _mlx(bits, group) for bits in (2, 3, 4, 5, 6, 8) for group in (32, 64, 128)},
    **{f"pack-quantized {bits} bits of {group}": _ct(bits, group) for bits in (2, 3, 4, 8) for group in (None, 128)},
    "metal": _method(layouts.metal, 64, "metal", (4, 2, 8)),
    "gemma 2 bits": _method(lambda n, k: layouts.gemma(n, k, 2), 8, "gemma", (2, 4, 8)),
    "gemma 4 bits": _method(lambda n, k: layouts.gemma(n, k, 4), 8, "gemma", (4, 2, 8)),
    "quark": _method(layouts.quark_rows, 32, "quark", (4, 2, 3, 8)),
    "gguf": _method(layouts.gguf, 256, "gguf", (4, 1, 2, 8)),
    "bitnet": _method(layouts.bitnet, 8, "bitnet", (2, 4, 8), 4),
    "hqq along the outputs": _method(lambda n, k: layouts.hqq(n, k, 4, 64, axis=0), 64, "hqq", (4, 2, 3, 8)),
    "awq": _method(layouts.awq_gemm, 128, "awq", (4, 2, 8), 8),
    "awq for vectors": _method(layouts.awq_gemv, 128, "awq", (4, 2, 8)),
    "gptq without the order": _method(lambda n, k: layouts.gptq(n, k, index=False), 128, "gptq", (4, 2, 3, 8), 32),
    "nf4": _method(layouts.bnb4, 64, "bitsandbytes", (4, 8)),
    "int8": _method(layouts.int8, 8, "modelopt", (8, 4, 2)),
    "fp8": _method(layouts.fp8_block, 8, "fp8", (8, 4)),
}


@cache
def architectures() -> dict[str, dict[str, Shape]]:
    """Tensors by name and shape, of the model classes in ``fixtures/architectures.json`` and of real checkpoints."""
    classes: dict[str, dict[str, list[int]]] = json.loads((FOLDER / "architectures.json").read_text())
    found = {name: {key: tuple(shape) for key, shape in shapes.items()} for name, shapes in classes.items()}
    return found | dict(_real())


def _real() -> Iterator[tuple[str, dict[str, Shape]]]:
    """One tensor of each kind of the components of real checkpoints that are floats alone."""
    for path in sorted((FOLDER / "real").glob("*.snap")):
        checkpoint = open_checkpoint(path)
        for component in sorted({shard.component for shard in checkpoint.shards}):
            headers = (shard.header for shard in checkpoint.shards if shard.component == component)
            kinds = merged(kind for header in headers if header is not None for kind in header.kinds)
            if all(kind.dtype.code in FLOATS or kind.rank < 2 for kind in kinds):
                yield f"{path.stem} {component}".strip(), {kind.example: kind.shape for kind in kinds}


def packed(shapes: Mapping[str, Shape], name: str) -> tuple[Shapes, int] | None:
    """The tensors with every matrix in a layout, and how many parameters they are; None where it takes no matrix."""
    layout = LAYOUTS[name]
    tensors: dict[str, tuple[str, Shape]] = {}
    parameters = 0
    for key, shape in shapes.items():
        path = key.removesuffix(".weight")
        if path != key and _is_matrix(path, shape) and layout.takes(shape):
            tensors |= layouts.at(path, layout.write(shape[0], shape[1]))
            parameters += prod(shape)
        else:
            tensors[key] = ("BF16", shape)
    if not parameters:
        return None
    plain = {key: entry for key, entry in tensors.items() if key in shapes and entry == ("BF16", shapes[key])}
    return tensors, parameters + count(checkpoint_of(plain)).total.parameters


def _is_matrix(path: str, shape: Shape) -> bool:
    word = path.rpartition(".")[2].lower()
    return len(shape) == 2 and shape[0] > 1 and shape[1] >= 128 and not any(name in word for name in _NORMS)


def lies(tensors: Shapes, layout: Layout, seed: int) -> Iterator[Section]:
    """A few configs that lie about these tensors: everywhere, about one module, and about the model's widths."""
    lie = layout.lies[seed % len(layout.lies)]
    yield lie
    paths = sorted({key.rpartition(".")[0] for key in tensors if key.endswith((".scales", ".weight_scale"))})
    if paths and "quantization" in layout.truth:
        true, false = layout.truth["quantization"], lie["quantization"]
        assert isinstance(true, dict)
        yield {"quantization": {**true, paths[seed % len(paths)]: false}}
    wide = 256 << seed % 5
    yield {**lie, "hidden_size": wide, "intermediate_size": 2 * wide, "num_attention_heads": 8, "head_dim": wide // 4}


def outcome(tensors: Shapes, config: Mapping[str, object], truth: int) -> tuple[str, Count]:
    """``right``, ``unexplained``, ``said`` where a note tells of the config, else ``silent``."""
    checkpoint = checkpoint_of(tensors, config)
    counted = count(checkpoint)
    if counted.total.unexplained:
        return "unexplained", counted
    if counted.total.parameters == truth:
        return "right", counted
    codes = {note.code for note in notes_on(checkpoint, counted)}
    return ("said" if codes & SAID else "silent"), counted
