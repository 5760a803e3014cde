"""Section ``lora``: what a low-rank adapter of this checkpoint would train and take.

LoRA (arXiv 2106.09685) trains rank * (inputs + outputs) of each linear layer; targets are picked as PEFT picks them
(``peft/tuners/tuners_utils.py``). An embedding or a head, which only a target's name picks, trains rank * (rows +
columns) (``peft/tuners/lora/layer.py``). QLoRA (arXiv 2305.14314) holds the frozen weights in 4 bits.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.estimate.adapter import adapter_section
from ckptinspect.analysis.estimate.amount import Amount, total
from ckptinspect.analysis.estimate.figures import Estimate, Section, Unit, figure, no_figure
from ckptinspect.analysis.estimate.shapes import Matrix, is_packed, matrix_of
from ckptinspect.analysis.estimate.subject import Subject
from ckptinspect.model import Place
from ckptinspect.naming.roles import Role
from ckptinspect.text import number_of, quoted

NAME = "lora"
_STATES = 16
# Linear layers that PEFT's "all-linear" leaves aside, or that are bare parameters to it.
_LEFT = frozenset({Role.EMBEDDING, Role.HEAD, Role.ROUTER, Role.NORM, Role.BUFFER, Role.CONV, Role.ADAPTER})
_NO_TARGETS = frozenset({"lm_head", "head", "mtp", "adapter"})
# And those of the above that a target may name.
_NAMED = frozenset({Role.EMBEDDING, Role.HEAD})
_NAMED_MODULES = frozenset({"lm_head", "head"})
# An embedding of distances, for all that T5 calls it.
_BIASES = "relative_attention_bias"


class Target(msgspec.Struct, frozen=True):
    """A linear layer or an embedding: where it stands and its matrix; None where it is packed."""

    path: str
    module: str
    matrix: Matrix | None
    role: Role = Role.OTHER


def lora_section(subject: Subject) -> Section:
    """What an adapter would take; of an adapter, what it is."""
    if subject.is_adapter:
        return adapter_section(subject)
    asked = subject.asked
    title = f"LoRA of rank {asked.rank:,} on {', '.join(asked.targets) if asked.targets else 'all linear layers'}"
    return Section(NAME, title, tuple(_figures(subject)))


def _figures(subject: Subject) -> Iterator[Estimate]:
    wanted, layers = subject.asked.targets, tuple(linear_layers(subject))
    there_are = (*layers, *_embeddings_and_heads(subject)) if wanted else layers
    targets = [target for target in there_are if not wanted or _is_wanted(target, wanted)]
    trainable = "trainable parameters"
    packed = [target for target in targets if target.matrix is None]
    if not targets:
        there = sorted({target.path.rpartition(".")[2] for target in there_are})
        none = "no linear layer or embedding is called so"
        reason = f"{none}; there are {', '.join(there[:12])}" if there else "it has no linear layers"
        yield no_figure(trainable, Unit.PARAMETERS, reason)
        return
    if packed:
        some = f"{len(packed):,} of {number_of(len(targets), 'linear layer')}"
        reason = f"the shapes of {some} are packed, {quoted(packed[0].path)} for one"
        yield no_figure(trainable, Unit.PARAMETERS, reason)
        return
    yield from _trained(subject, targets)
    for name in wanted:
        if not any(_is_wanted(target, (name,)) for target in targets):
            yield no_figure(f"for {quoted(name, 24)}", Unit.PARAMETERS, "no linear layer or embedding is called so")
    yield from _memory(subject, targets, layers)


def linear_layers(subject: Subject) -> Iterator[Target]:
    """Every linear layer that PEFT would call one, in the order of the files; fused experts are no layers to it."""
    return _targets(subject, _is_linear)


def _is_linear(place: Place) -> bool:
    return not (place.module in _NO_TARGETS or place.role in _LEFT or place.path.endswith(_BIASES))


def _embeddings_and_heads(subject: Subject) -> Iterator[Target]:
    """What PEFT adapts where a target names it; a head that is tied to the embedding is adapted by itself."""
    found = {target.path: target for target in _targets(subject, _is_embedding_or_head)}
    yield from found.values()
    head = subject.counted.tied_head
    if head is None or head.name.removesuffix(".weight") in found:
        return
    embedding = found.get(head.tied_to.removesuffix(".weight"))
    if embedding is not None:
        yield Target(head.name.removesuffix(".weight"), "lm_head", embedding.matrix, Role.HEAD)


def _is_embedding_or_head(place: Place) -> bool:
    return place.role in _NAMED and (place.module in _NAMED_MODULES or place.module not in _NO_TARGETS)


def _targets(subject: Subject, takes: Callable[[Place], bool]) -> Iterator[Target]:
    modules: dict[tuple[str, str], dict[str, Row]] = {}
    for tensor, row in subject.rows:
        place = row.place
        if takes(place):
            modules.setdefault((place.module, place.path), {})[tensor.name[len(place.path) + 1 :]] = row
    for (module, path), leaves in modules.items():
        role = Role(next(iter(leaves.values())).place.role)
        if is_packed(leaves):
            yield Target(path, module, None, role)
        elif (matrix := matrix_of(leaves)) is not None:
            yield Target(path, module, matrix, role)


def _is_wanted(target: Target, wanted: Sequence[str]) -> bool:
    """PEFT's rule for a list of targets: the whole path, or its end."""
    return any(target.path == name or target.path.endswith(f".{name}") for name in wanted)


def _trained(subject: Subject, targets: Sequence[Target]) -> Iterator[Estimate]:
    rank = Amount.of(subject.asked.rank)
    embeddings = sum(target.role is Role.EMBEDDING for target in targets)
    kinds = [number_of(len(targets) - embeddings, "linear layer")] if len(targets) > embeddings else []
    kinds += [number_of(embeddings, "embedding")] if embeddings else []
    said = [f"{' and '.join(kinds)}: rank * (inputs + outputs) of each, no biases"]
    if not subject.asked.targets:
        said.append("as PEFT's all-linear: not the head; not routers or fused experts, which are no layers to it")
    modules: dict[str, list[Target]] = {}
    for target in targets:
        modules.setdefault(target.module, []).append(target)
    yield figure("trainable parameters", rank * _width(targets), Unit.PARAMETERS, *said)
    if len(modules) > 1:
        for module, own in modules.items():
            yield figure(f"of them in {module}", rank * _width(own), Unit.PARAMETERS)


def _width(targets: Sequence[Target]) -> Amount:
    """Inputs and outputs of all layers; equal ones together."""
    shapes: dict[Matrix, int] = {}
    for target in targets:
        assert target.matrix is not None
        shapes[target.matrix] = shapes.get(target.matrix, 0) + 1
    return total(
        Amount.of(count) * (Amount.of(matrix.inputs) + Amount.of(matrix.outputs)) for matrix, count in _sorted(shapes)
    )


def _sorted(shapes: Mapping[Matrix, int]) -> list[tuple[Matrix, int]]:
    return sorted(shapes.items(), key=lambda item: (-item[1], item[0].inputs, item[0].outputs))


def _memory(subject: Subject, targets: Sequence[Target], layers: Sequence[Target]) -> Iterator[Estimate]:
    trainable = (Amount.of(subject.asked.rank) * _width(targets)).called("trainable")
    said = "adapter weights, gradients and Adam's states: 16 bytes each, in FP32 as in mixed precision"
    states = trainable * Amount.of(_STATES, "bytes")
    yield figure("adapter, gradients, optimizer", states, Unit.BYTES, said)
    frozen = Amount.of(subject.counted.total.nbytes, "stored")
    on_top = "activations come on top: see training"
    yield figure("LoRA, base as stored", frozen + states.called("adapter"), Unit.BYTES, "the base is frozen", on_top)
    if subject.counted.explained or subject.unexplained:
        return
    if all(target.matrix is not None for target in layers):
        yield from _quantized(subject, states.called("adapter"), layers, on_top)


def _quantized(subject: Subject, adapter: Amount, layers: Sequence[Target], on_top: str) -> Iterator[Estimate]:
    """QLoRA: the linear layers in NF4 with double quantization, all else in 16 bits."""
    linear = sum(target.matrix.parameters for target in layers if target.matrix is not None)
    parameters = Amount.of(linear, "linear")
    scales = parameters // Amount.of(64) + parameters // Amount.of(64 * 256) * Amount.of(4)
    rest = Amount.of(subject.counted.total.parameters - linear, "others") * Amount.of(2)
    base = parameters // Amount.of(2) + scales + rest
    said = [
        "NF4 in blocks of 64 with an 8-bit scale each, an FP32 one for 256 of those (double quantization)",
        "every linear layer but the head is quantized, all else is kept in 16 bits",
    ]
    if any(row.place.role == Role.EXPERT and row.place.expert is None for row in subject.counted.rows):
        said.append("fused experts are no linear layers, and stay in 16 bits with the rest")
    yield figure("QLoRA, base in NF4", base, Unit.BYTES, *said)
    yield figure("QLoRA, base and adapter", base.called("base") + adapter, Unit.BYTES, on_top)
