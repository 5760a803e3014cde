"""Tiny checkpoints as the quantizing libraries wrote them, against the models that they were made of (known.json)."""

import json
from pathlib import Path
from typing import Any

import pytest

from ckptinspect.analysis.count import Count, count
from ckptinspect.analysis.names import by_tensor
from ckptinspect.analysis.notes import notes_on
from ckptinspect.analysis.schemes import packings
from ckptinspect.model import Checkpoint, elements_in
from ckptinspect.opening import open_checkpoint
from ckptinspect.quant.leaves import split_leaf

FOLDER = Path(__file__).parents[2] / "fixtures" / "real" / "quantized"
KNOWN: dict[str, dict[str, Any]] = json.loads((FOLDER / "known.json").read_text())
BASES: dict[str, dict[str, list[int]]] = json.loads((FOLDER / "bases.json").read_text())
MODELS = sorted(name for name, known in KNOWN.items() if known["kind"] != "adapter")
QUANTIZED = [name for name in MODELS if KNOWN[name]["scheme"] != "none"]
# The library leaves the biases of the attention out of what it saves.
SHORT = {"sinq-4bit-bias": 512}
# Several widths in one checkpoint, of which known.json gives the mean.
MIXED = {"mlx-mixed-2-6", "mlx-mixed-4-6"}
# Where the width in the file is another: bytes hold four bits; indices are counted over all that they stand for.
STORED = {"ct-w4a8": 8, "ct-w4afp8": 8, "vptq-v8-k256": 1.0, "vptq-v8-k256-outliers": 1.19}


@pytest.fixture(scope="module")
def opened() -> dict[str, tuple[Checkpoint, Count]]:
    checkpoints = {name: open_checkpoint(FOLDER / f"{name}.snap") for name in MODELS}
    return {name: (checkpoint, count(checkpoint)) for name, checkpoint in checkpoints.items()}


@pytest.mark.parametrize("name", MODELS)
def test_the_parameters_are_those_of_the_model_before(name: str, opened: dict[str, tuple[Checkpoint, Count]]) -> None:
    _, counted = opened[name]

    assert counted.total.parameters == KNOWN[name]["parameters"] - SHORT.get(name, 0)
    assert counted.total.unexplained == 0


@pytest.mark.parametrize("name", MODELS)
def test_everything_adds_up(name: str, opened: dict[str, tuple[Checkpoint, Count]]) -> None:
    checkpoint, counted = opened[name]

    assert sum(elements for _, elements in counted.decomposition) == counted.total.parameters
    assert by_tensor(checkpoint, counted).total == counted.total


@pytest.mark.parametrize("name", sorted(set(QUANTIZED) - MIXED))
def test_the_width_is_the_one_that_was_asked_for(name: str, opened: dict[str, tuple[Checkpoint, Count]]) -> None:
    _, counted = opened[name]

    assert STORED.get(name, KNOWN[name]["bits"]) in {way.bits for way in packings(counted.explained)}


@pytest.mark.parametrize("name", QUANTIZED)
def test_a_writers_own_config_agrees_with_its_headers(name: str, opened: dict[str, tuple[Checkpoint, Count]]) -> None:
    checkpoint, counted = opened[name]
    about = {"quantization-config", "quantizer-biases", "integers", "unexplained"}
    told = [note for note in notes_on(checkpoint, counted) if note.code in about]

    assert not told


@pytest.mark.parametrize("name", QUANTIZED)
def test_a_logical_shape_is_that_of_the_model_before(name: str, opened: dict[str, tuple[Checkpoint, Count]]) -> None:
    """A module that the library split or joined has another name than before, and is left out here."""
    base = BASES.get(KNOWN[name]["base"], {})
    checkpoint, counted = opened[name]
    shapes = {kind.key: shape for found in counted.explained for kind, shape in found.shapes.items()}

    for row in counted.rows:
        shape = base.get(f"{split_leaf(row.kind.example)[0]}.weight")
        if shape is not None and row.kind.key in shapes and row.parameters == elements_in(tuple(shape)):
            assert list(row.shape or row.kind.shape) == shape
    assert checkpoint.shards
