"""An adapter by its own header: its rank, what it targets, what it takes, and the base that it fits.

The matrix from the inputs is [rank, in] (``lora_A``, ``lora_down``), that to the outputs [out, rank] (``lora_B``,
``lora_up``).
"""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from ckptinspect.analysis.adapters import adapter_in, last_word
from ckptinspect.analysis.count import Row
from ckptinspect.analysis.estimate.amount import Amount, total
from ckptinspect.analysis.estimate.figures import Estimate, Section, Unit, figure, no_figure
from ckptinspect.analysis.estimate.subject import Subject
from ckptinspect.model import Shape, Tensor
from ckptinspect.naming.adapters import adapter_name
from ckptinspect.text import quoted

NAME = "lora"
# Parts that make a pair: those from the inputs, and those to the outputs.
_INNER, _OUTER = frozenset({"A", "down"}), frozenset({"B", "up"})
_STATES = 16
_NAMED = 8


class Pair(msgspec.Struct, frozen=True):
    """The two matrices of one target: the base's module, its features, the rank between."""

    module: str
    inputs: int
    outputs: int
    rank: int


def adapter_section(subject: Subject) -> Section:
    """What an adapter is."""
    return Section(NAME, "LoRA, by the adapter's own header", tuple(_figures(subject)))


def _figures(subject: Subject) -> Iterator[Estimate]:
    parameters = Amount.of(subject.counted.total.parameters)
    pairs = pairs_in(subject.rows)
    if not pairs:
        yield figure("trainable parameters", parameters, Unit.PARAMETERS, "all that it holds")
        yield no_figure("rank", Unit.RANK, "it holds no pairs of low-rank matrices of a known name")
    else:
        yield from _of_pairs(subject, pairs)
    states = Amount.of(subject.counted.total.parameters, "trainable") * Amount.of(_STATES, "bytes")
    said = "weights, gradients and Adam's states: 16 bytes each, in FP32 as in mixed precision"
    yield figure("to train it", states, Unit.BYTES, said, "the frozen base and activations come on top")


def _of_pairs(subject: Subject, pairs: list[Pair]) -> Iterator[Estimate]:
    held = subject.counted.total.parameters
    shapes = Counter((pair.rank, pair.inputs, pair.outputs) for pair in pairs)
    trained = total(
        Amount.of(count) * Amount.of(rank) * (Amount.of(inputs) + Amount.of(outputs))
        for (rank, inputs, outputs), count in sorted(shapes.items())
    )
    if trained.value != held:
        trained += Amount.of(held - trained.value, "others")
    yield figure("trainable parameters", trained, Unit.PARAMETERS, "rank * (inputs + outputs) of each target")
    yield from _ranks(subject)
    names = sorted({last_word(pair.module) for pair in pairs})
    said = f"targets: {_some(names)}"
    yield figure("targeted modules", Amount.of(len({pair.module for pair in pairs}), "targets"), Unit.MODULES, said)
    yield from _base(subject, pairs)


def _ranks(subject: Subject) -> Iterator[Estimate]:
    adapter = adapter_in(subject.checkpoint, subject.counted)
    ranks = dict(adapter.ranks) if adapter is not None else {}
    most = max(ranks, key=lambda rank: (ranks[rank], rank))
    said = []
    if len(ranks) > 1:
        said.append(
            "ranks differ: " + ", ".join(f"{count:,} of {rank:,}" for rank, count in sorted(ranks.items())[:_NAMED])
        )
    configured = subject.checkpoint.config.integer("r", "rank")
    if configured is not None and configured not in ranks:
        said.append(f"the config says r {configured:,}: the header counts")
    yield figure("rank", Amount.of(most), Unit.RANK, *said)


def _base(subject: Subject, pairs: list[Pair]) -> Iterator[Estimate]:
    """What a base must be like for the adapter to fit it."""
    shapes: dict[str, set[tuple[int, int]]] = {}
    for pair in pairs:
        shapes.setdefault(last_word(pair.module), set()).add((pair.inputs, pair.outputs))
    fits = [
        f"{quoted(name, 40)[1:-1]} {inputs}->{outputs}"
        for name, found in sorted(shapes.items())
        for inputs, outputs in sorted(found)
    ]
    said = [f"it fits a base with {_some(fits)}"]
    named = subject.checkpoint.config.text("base_model_name_or_path")
    if named:
        said.append(f"its config names {quoted(named)}")
    layers = {number for pair in pairs for number in _numbers(pair.module)}
    if layers:
        yield figure("layers of the base, at least", Amount.of(max(layers) + 1), Unit.LAYERS, *said)
        said = []
    weights = Amount.of(sum(pair.inputs * pair.outputs for pair in pairs), "weights")
    yield figure("base parameters it changes", weights, Unit.PARAMETERS, *said)


def pairs_in(rows: Iterable[tuple[Tensor, Row]]) -> list[Pair]:
    """The targets whose two matrices are both there and fit each other; in the order of the files."""
    inner: dict[tuple[str, ...], Shape] = {}
    outer: dict[tuple[str, ...], Shape] = {}
    for tensor, row in rows:
        found = adapter_name(tensor.name)
        if found is None or found.method != "lora" or found.part not in _INNER | _OUTER:
            continue
        # A module with two adapted parameters, as of fused experts, has two pairs: their stored paths differ.
        (inner if found.part in _INNER else outer)[found.base, found.adapter, row.place.path] = tensor.shape
    pairs = (_pair(key[0], shape, outer[key]) for key, shape in inner.items() if key in outer)
    return [pair for pair in pairs if pair is not None]


def _pair(module: str, down: Shape, up: Shape) -> Pair | None:
    """The pair of a linear layer, or of a convolution, whose kernel goes with its inputs."""
    if len(down) < 2 or len(up) < 2 or down[0] != up[1] or not down[0]:
        return None
    inputs = 1
    for size in down[1:]:
        inputs *= size
    outputs = up[0]
    for size in up[2:]:
        outputs *= size
    return Pair(module, inputs, outputs, down[0])


def _numbers(module: str) -> Iterator[int]:
    """The number of the layer: the first in the path."""
    numbers = [int(word) for word in module.split(".") if word.isascii() and word.isdigit() and len(word) < 6]
    yield from numbers[:1]


def _some(names: list[str]) -> str:
    shown = [name[:60] for name in names[:_NAMED]]
    return ", ".join(shown) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")
