"""Section ``training``: weights, gradients, optimizer states, activations.

Activations: Korthikanti et al. 2022 (arXiv 2205.05198), with the width of the feed-forward as Megatron-LM has it.
"""

from collections.abc import Iterator

import msgspec

from ckptinspect.analysis.estimate.amount import Amount, times
from ckptinspect.analysis.estimate.dimensions import dimensions
from ckptinspect.analysis.estimate.figures import Estimate, Section, Unit, figure, no_figure
from ckptinspect.analysis.estimate.loading import ways_of
from ckptinspect.analysis.estimate.parallel import loads, on_device
from ckptinspect.analysis.estimate.recipes import DEFAULT, RECIPES, Recipe, recipe_named
from ckptinspect.analysis.estimate.shapes import shape_of
from ckptinspect.analysis.estimate.subject import Subject
from ckptinspect.analysis.meaning import Meaning

NAME = "training"
_TITLE = "Training all parameters"
_PAPER = (
    "16-bit activations as Korthikanti et al. count them, 18 bytes * hidden + 4 * feed-forward for each token and layer"
)
_SHAPES = "the rows and columns of packed matrices are not to be seen"
_STAGES = (
    "every device has all of it",
    "optimizer states are divided",
    "gradients too are divided",
    "weights too are divided",
)


class Activations(msgspec.Struct, frozen=True):
    """What the forward pass leaves for the backward pass: all of it, without scores, and layers' inputs alone."""

    whole: Amount | None
    flash: Amount
    checkpointed: Amount
    logits: Amount


def training_sections(subject: Subject) -> tuple[Section, ...]:
    """What it takes to train all parameters, and what the states take by other recipes where none was asked for."""
    reason = "it is an adapter: see lora for what training it takes" if subject.is_adapter else subject.unexplained
    if reason:
        return (Section(NAME, _TITLE, (no_figure("model states", Unit.BYTES, reason),)),)
    recipe = recipe_named(subject.asked.recipe) if subject.asked.recipe else DEFAULT
    if recipe.factored and _has_packed(subject):
        return (Section(NAME, _TITLE, (no_figure("model states", Unit.BYTES, _SHAPES),)),)
    title = f"{_TITLE}: {recipe.title}, {subject.asked.batch:,} x {subject.sequence[0]:,} tokens"
    section = Section(NAME, title, (*_states(subject, recipe), *_passes(subject, recipe)))
    if subject.asked.recipe is not None:
        return (section,)
    return section, Section(NAME, "Model states by other recipes", tuple(_others(subject)))


def _parameters(subject: Subject) -> Amount:
    """The parameters that one device trains."""
    asked = subject.asked
    if not asked.is_parallel:
        return Amount.of(subject.counted.total.parameters, "parameters")
    ways = ways_of(subject, asked.tensor)
    here = [on_device(load, ways) for load in loads(subject, lambda row: row.parameters)]
    return max(here, key=lambda amount: amount.value).called("parameters_here")


def _states(subject: Subject, recipe: Recipe) -> Iterator[Estimate]:
    parameters = _parameters(subject)
    here = ("on the device that holds the most of the model",) if subject.asked.is_parallel else ()
    yield figure("weights", parameters * Amount.of(recipe.weights, "bytes"), Unit.BYTES, *here)
    yield figure("gradients", parameters * Amount.of(recipe.gradients, "bytes"), Unit.BYTES, *here)
    optimizer = _optimizer(subject, parameters, recipe)
    whole = "its sums are those of the whole model" if recipe.factored and subject.asked.is_parallel else ""
    yield figure("optimizer states", optimizer, Unit.BYTES, f"it keeps {recipe.keeps}", whole, *here)
    yield figure("model states", _all(subject, parameters, recipe), Unit.BYTES, *here)
    if subject.asked.data > 1:
        stages = range(4) if subject.asked.zero is None else [subject.asked.zero]
        for stage in stages:
            said = f"over {subject.asked.data:,} data-parallel devices {_STAGES[stage]}; buffers come on top"
            amount = _zero(subject, parameters, recipe, stage)
            yield figure(f"model states, ZeRO stage {stage}", amount, Unit.BYTES, said)


def _optimizer(subject: Subject, parameters: Amount, recipe: Recipe) -> Amount:
    if recipe.factored:
        return _factored(subject) * Amount.of(4, "bytes")
    return parameters * Amount.of(recipe.optimizer, "bytes")


def _all(subject: Subject, parameters: Amount, recipe: Recipe) -> Amount:
    """Weights, gradients and optimizer states."""
    each = Amount.of(recipe.weights, "weight") + Amount.of(recipe.gradients, "gradient")
    if recipe.factored:
        return parameters * each + _optimizer(subject, parameters, recipe)
    return parameters * (each + Amount.of(recipe.optimizer, "optimizer"))


def _zero(subject: Subject, parameters: Amount, recipe: Recipe, stage: int) -> Amount:
    """ZeRO (arXiv 1910.02054): what of the states one of the data-parallel devices holds."""
    devices = Amount.of(subject.asked.data, "devices")
    parts = (recipe.weights, recipe.gradients)
    held = [parameters * Amount.of(each, "bytes") for each in parts]
    held.append(_optimizer(subject, parameters, recipe))
    divided = (3 - stage) if stage else len(held)
    shown = [part.share(devices) if number >= divided else part for number, part in enumerate(held)]
    return shown[0] + shown[1] + shown[2]


def _factored(subject: Subject) -> Amount:
    """Rows and columns of all matrices, elements of all vectors (Adafactor)."""
    rows = columns = vectors = 0
    for row in subject.counted.rows:
        if row.meaning is not Meaning.PARAMETER:
            continue
        shape, count = shape_of(row) or row.kind.shape, row.kind.count
        if len(shape) < 2 or not row.parameters:
            vectors += row.parameters * count
        else:
            rows += row.parameters // shape[-1] * count
            columns += row.parameters // shape[-2] * count
    return Amount.of(rows, "rows") + Amount.of(columns, "columns") + Amount.of(vectors, "vectors")


def _has_packed(subject: Subject) -> bool:
    """Whether a matrix is stored in a shape that is not its own."""
    weights = (row for row in subject.counted.rows if row.meaning is Meaning.PARAMETER and row.parameters)
    return any(shape_of(row) is None for row in weights)


def _others(subject: Subject) -> Iterator[Estimate]:
    """The other recipes in a line each."""
    parameters = _parameters(subject)
    for recipe in RECIPES:
        if recipe.factored and _has_packed(subject):
            yield no_figure(recipe.title, Unit.BYTES, _SHAPES)
        elif recipe is not DEFAULT:
            yield figure(recipe.title, _all(subject, parameters, recipe), Unit.BYTES)


def _passes(subject: Subject, recipe: Recipe) -> Iterator[Estimate]:
    """Activations, logits, and all of it together."""
    found = activations(subject)
    if isinstance(found, str):
        yield no_figure("activations", Unit.BYTES, found)
        return
    said = [subject.sequence[1], _PAPER, "a gated feed-forward and a mixture keep some more"]
    if subject.asked.pipeline > 1:
        said.append("of all layers: how many of them are at work at a time depends on the pipeline's schedule")
    if len(subject.language.stacks) > 1:
        said.append("of the decoder alone")
    if found.whole is not None:
        yield figure("activations, all kept", found.whole, Unit.BYTES, *said, exact=False)
    flash = "scores are computed again (FlashAttention)"
    yield figure("activations, no scores kept", found.flash, Unit.BYTES, *said, flash, exact=False)
    again = "of each layer its input alone is kept, and the layer computed again (gradient checkpointing)"
    yield figure("activations, checkpointed", found.checkpointed, Unit.BYTES, subject.sequence[1], again, exact=False)
    yield figure("logits", found.logits, Unit.BYTES, "in FP32, without the loss's own copies", exact=False)
    states = _states_here(subject, recipe)
    kept = found.flash.called("activations") + found.logits.called("logits")
    less = found.checkpointed.called("checkpointed") + found.logits.called("logits")
    rest = "without what the framework and fragmentation take"
    yield figure("in all", states + kept, Unit.BYTES, rest, exact=False)
    yield figure("in all, checkpointed", states + less, Unit.BYTES, rest, exact=False)


def _states_here(subject: Subject, recipe: Recipe) -> Amount:
    parameters = _parameters(subject)
    asked = subject.asked
    if asked.data > 1 and asked.zero is not None:
        return _zero(subject, parameters, recipe, asked.zero).called("states")
    return _all(subject, parameters, recipe).called("states")


def activations(subject: Subject) -> Activations | str:
    """What one micro-batch leaves in memory, or why that is not known."""
    found = dimensions(subject)
    if found is None:
        return "no layers of a language model are in it"
    stack = subject.language.stacks[0]
    if not any(mixer.scores for _, mixers in subject.language.mixers[stack.path] for mixer in mixers):
        return "they are counted for attention, and no layer of it attends in a known way"
    if found.hidden is None or found.widths is None:
        return "the widths of its feed-forwards are not to be seen: packed, or of unknown names"
    tokens = Amount.of(subject.sequence[0], "sequence") * times(subject.asked.batch, "batch")
    ways = Amount.of(subject.asked.tensor, "tp")
    across = Amount.of(found.layers, "layers") * Amount.of(found.hidden, "hidden")
    widths = Amount.of(4) * Amount.of(found.widths, "ffn_of_all_layers")
    if subject.asked.tensor == 1:
        each = Amount.of(18) * across + widths
    else:
        each = Amount.of(10) * across + (Amount.of(8) * across + widths).share(ways)
    whole = None
    if found.heads is not None:
        scores = Amount.of(5) * Amount.of(found.heads, "heads") * Amount.of(subject.sequence[0], "sequence")
        whole = tokens * (each + (scores * Amount.of(found.layers, "layers")).share(ways))
    logits = tokens * Amount.of(found.vocab or 0, "vocab") * Amount.of(4, "bytes")
    return Activations(whole, tokens * each, Amount.of(2) * tokens * across, logits.share(ways))
