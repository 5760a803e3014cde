"""Every line of every tree has the tensors that its sums are of."""

from collections import Counter
from pathlib import Path

import pytest

from ckptinspect.analysis.count import count
from ckptinspect.analysis.tree import tree
from ckptinspect.browse.catalogue import Catalogue
from ckptinspect.browse.outline import NOWHERE, ROOT, Outline
from ckptinspect.model import Checkpoint
from ckptinspect.opening import open_checkpoint
from tests.checkpoints import checkpoint_in_parts, checkpoint_of, matrix, small_deepseek
from tests.e2e.command import FIXTURES
from tests.folders import Shapes

SNAPSHOTS = sorted(FIXTURES.glob("real/**/*.snap"))


def outlined(checkpoint: Checkpoint) -> tuple[Catalogue, Outline]:
    counted = count(checkpoint)
    catalogue, outline = Catalogue(checkpoint, counted), Outline(tree(checkpoint, counted))
    catalogue.lines = outline.lines_of(catalogue.tensors, catalogue.rows)
    return catalogue, outline


def holds(checkpoint: Checkpoint) -> None:
    catalogue, outline = outlined(checkpoint)
    assert catalogue.lines is not None
    stand = Counter(catalogue.lines)
    assert stand[NOWHERE] == 0
    for number, item in enumerate(outline.items):
        there = sum(stand[line] for line in range(number, item.end))
        assert there == item.line.tally.tensors, item.line.paths


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: path.stem)
def test_each_line_has_the_tensors_that_its_sums_are_of(path: Path) -> None:
    holds(open_checkpoint(path))


def test_experts_in_layers_and_what_stands_apart_from_them() -> None:
    holds(small_deepseek())


ODD: list[Shapes] = [
    {"weight": ("F32", (2, 3))},
    {"": ("F32", (2,)), ".": ("F32", (3,)), "..": ("F32", (4,)), ".weight": ("F32", (5,)), "a.": ("F32", (6,))},
    {"a.weight": ("F32", (7,)), "a.b.weight": ("F32", (7,)), "a.weight.weight": ("F32", (7,))},
    {f"{'a.' * 200}{number}.weight": ("F32", (2, 2)) for number in range(4)},
    {f"{number}.weight": ("F32", (2, 2)) for number in range(4)},
    {"x\ny.1.w": ("F32", (2,)), "x\ny.2.w": ("F32", (2,))},
    {"decay": ("F32", ()), "updates": ("I32", ())},
    {f"l.{n}.{m}.w": ("F32", (n % 3 + 1, m % 2 + 1)) for n in range(7) for m in range(5)},
]


@pytest.mark.parametrize("tensors", ODD, ids=range(len(ODD)))
def test_so_have_lines_of_odd_names(tensors: Shapes) -> None:
    holds(checkpoint_of(tensors))


def test_components_of_a_pipeline_are_told_apart() -> None:
    same = matrix("blocks.0.proj", 4, 4) | matrix("blocks.1.proj", 4, 4) | {"weight": ("F32", (2, 2))}
    holds(checkpoint_in_parts({"unet": same, "vae": same}))


def test_the_root_and_as_many_lines_as_fit_are_open_to_begin_with() -> None:
    _, outline = outlined(small_deepseek())

    assert [outline.items[number].label for number in outline.visible()[1:]] == [
        "model",
        "embed_tokens",
        "layers (0-1) 2 ×",
        "layers (2-4) 3 ×",
        "norm",
        "lm_head",
        "model.layers.5",
    ]


def test_lines_open_and_close_and_what_is_revealed_is_seen() -> None:
    _, outline = outlined(small_deepseek())
    layers = next(n for n, item in enumerate(outline.items) if item.label == "layers (2-4) 3 ×")
    inside = layers + 1

    assert inside not in outline.visible()
    assert outline.open(layers)
    assert not outline.open(layers)
    assert inside in outline.visible()
    assert not outline.open(inside)
    assert outline.close(layers)
    assert not outline.close(layers)
    outline.close(ROOT)
    assert outline.visible() == [ROOT]
    outline.reveal(inside)
    assert inside in outline.visible()
    assert outline.trail(inside) == [1, layers, inside]
