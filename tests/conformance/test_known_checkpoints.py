"""Every real checkpoint of ``fixtures/real`` against what its model class says it has (known.json)."""

import json
from pathlib import Path
from typing import Any

import pytest

from ckptinspect.analysis.count import Count, count
from ckptinspect.analysis.names import by_tensor
from ckptinspect.model import Checkpoint
from ckptinspect.opening import open_checkpoint

REAL = Path(__file__).parents[2] / "fixtures" / "real"
KNOWN: dict[str, dict[str, Any]] = json.loads((REAL / "known.json").read_text())


@pytest.fixture(scope="module")
def opened() -> dict[str, tuple[Checkpoint, Count]]:
    checkpoints = {name: open_checkpoint(REAL / f"{name}.snap") for name in KNOWN}
    return {name: (checkpoint, count(checkpoint)) for name, checkpoint in checkpoints.items()}


def test_every_snapshot_has_its_truth_and_is_small() -> None:
    assert {path.stem for path in REAL.glob("*.snap")} == set(KNOWN)
    assert len(KNOWN) >= 20
    assert max(path.stat().st_size for path in REAL.glob("*.snap")) < 200_000


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_the_parameters_are_those_of_the_model(name: str, opened: dict[str, tuple[Checkpoint, Count]]) -> None:
    _, counted = opened[name]

    assert counted.total.parameters == KNOWN[name]["parameters"]
    assert counted.total.unexplained == 0


@pytest.mark.parametrize("name", sorted(name for name in KNOWN if "modules" in KNOWN[name]))
def test_the_modules_are_those_of_the_model(name: str, opened: dict[str, tuple[Checkpoint, Count]]) -> None:
    _, counted = opened[name]
    modules = counted.by(lambda row: row.place.module)

    assert {key: tally.parameters for (key,), tally in modules.items()} == KNOWN[name]["modules"]


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_everything_adds_up(name: str, opened: dict[str, tuple[Checkpoint, Count]]) -> None:
    checkpoint, counted = opened[name]
    known, total = KNOWN[name], counted.total

    assert sum(elements for _, elements in counted.decomposition) == total.parameters
    assert total.nbytes + sum(s.header.nbytes for s in checkpoint.shards if s.header) == sum(
        s.size for s in checkpoint.shards
    )
    for key, value in (("stored_elements", total.stored), ("tensor_bytes", total.nbytes), ("tensors", total.tensors)):
        assert known[key] in {None, value}
    assert by_tensor(checkpoint, counted).total == total


@pytest.mark.parametrize("name", sorted(name for name in KNOWN if "tied" in KNOWN[name]))
def test_a_tied_head_is_told_and_not_counted_twice(name: str, opened: dict[str, tuple[Checkpoint, Count]]) -> None:
    _, counted = opened[name]
    told = {tie.name for tie in counted.ties}

    assert told & {dropped for group in KNOWN[name]["tied"] for dropped in group["dropped"]}
