"""A config that lies never changes a count in silence: whatever the model, the layout, and the lie."""

from zlib import crc32

import pytest

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
