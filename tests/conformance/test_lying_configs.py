"""A config that lies never changes a count in silence: whatever the model, the layout, and the lie."""

from zlib import crc32

import pytest

from ckptinspect.model import Config, merged
from ckptinspect.quant.neighbours import Neighbours
from tests.checkpoints import checkpoint_of
from tests.lies import LAYOUTS, architectures, lies, outcome, packed

LAYOUTS_OF_EACH = 4


def chosen(name: str) -> list[str]:
    """The layouts that a model is tried in: a few, and others for each, so that all models together see all."""
    seed, names = crc32(name.encode()), sorted(LAYOUTS)
    return sorted({names[(seed + at * 7) % len(names)] for at in range(LAYOUTS_OF_EACH)})


@pytest.mark.parametrize("name", sorted(architectures()))
def test_no_lie_about_a_model_is_believed_in_silence(name: str) -> None:
    for layout in chosen(name):
        if (made := packed(architectures()[name], layout)) is None:
            continue
        tensors, truth = made
        for lie in lies(tensors, LAYOUTS[layout], crc32(f"{name} {layout}".encode())):
            found, counted = outcome(tensors, lie, truth)
            assert found != "silent", (layout, lie, counted.total.parameters - truth)


# Its linears are stored transposed, as no quantizer takes them.
TRANSPOSED = {"gpt2", "gpt2.newlayout"}


@pytest.mark.parametrize("name", sorted(architectures().keys() - TRANSPOSED))
def test_the_inputs_are_among_the_widths_that_must_hold_them(name: str) -> None:
    shapes = architectures()[name]
    made = packed(shapes, "mlx 5 bits of 64")
    if made is None:
        return
    (shard,) = checkpoint_of(made[0]).shards
    assert shard.header is not None
    around = Neighbours(merged(shard.header.kinds), Config())
    for key, (code, stored) in made[0].items():
        if code == "U32":
            near = around.near(key.removesuffix(".weight"), stored)
            assert not near.sure or shapes[key][1] in near.sure, key
