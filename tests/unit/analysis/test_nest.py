"""Names folded to modules inside modules: nothing is lost, and what is alike is one."""

from pathlib import Path

import pytest

from ckptinspect import open_checkpoint
from ckptinspect.analysis.count import count
from ckptinspect.analysis.names import rows_by_tensor
from ckptinspect.analysis.nest import DEEPEST, Contents, Nest, contents, walk
from ckptinspect.model import Checkpoint
from tests.folders import write_safetensors, write_sharded

REAL = Path(__file__).parents[3] / "fixtures" / "real"


def contents_of(checkpoint: Checkpoint) -> Contents:
    return contents(rows_by_tensor(checkpoint, count(checkpoint)))


def names_in(found: Contents) -> list[str]:
    return [name for _, nest in found.modules for name, _ in walk(nest)]


def nests_in(found: Contents) -> dict[int, Nest]:
    nests: dict[int, Nest] = {}

    def visit(nest: Nest) -> None:
        if nest.number not in nests:
            nests[nest.number] = nest
            for _, inner in nest.inside:
                visit(inner)

    for _, nest in found.modules:
        visit(nest)
    return nests


@pytest.mark.parametrize("snapshot", sorted(REAL.glob("*.snap")), ids=lambda path: path.stem)
def test_every_name_comes_back_and_the_sums_are_those_of_the_count(snapshot: Path) -> None:
    checkpoint = open_checkpoint(snapshot)
    found = contents_of(checkpoint)

    assert sorted(names_in(found)) == sorted(tensor.name for tensor in checkpoint.tensors)
    counted = count(checkpoint)
    assert found.total == counted.total
    modules = counted.by(lambda row: row.place.module)
    assert {name: nest.tally for name, nest in found.modules} == {name: tally for (name,), tally in modules.items()}
    for nest in nests_in(found).values():
        parts = [found.leaves[leaf].tally for _, leaf in nest.tensors] + [inner.tally for _, inner in nest.inside]
        assert sum((part.nbytes for part in parts), 0) == nest.tally.nbytes
        assert sum((part.parameters for part in parts), 0) == nest.tally.parameters


def test_equal_layers_are_one(tmp_path: Path) -> None:
    layers = {f"model.layers.{n}.mlp.up_proj.weight": ("F32", (4, 4)) for n in range(12)}
    found = contents_of(open_checkpoint(write_safetensors(tmp_path / "m.safetensors", layers)))

    # model, model.layers, a layer, its mlp, its up_proj; and the module "model" around them.
    assert len(nests_in(found)) == 6
    assert names_in(found) == [f"model.layers.{n}.mlp.up_proj.weight" for n in range(12)]
    assert found.total.tensors == 12


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".w", "w.", "a..b", ".a.b", "a.b.", "w", ".".join("a" * (DEEPEST + 9)), "\x00.\u202e"]
)
def test_odd_names_come_back(name: str, tmp_path: Path) -> None:
    tensors = {name: ("F32", (2,)), "a.b": ("F32", (3,)), "a": ("F32", (5,))}
    found = contents_of(open_checkpoint(write_safetensors(tmp_path / "m.safetensors", tensors)))

    assert sorted(names_in(found)) == sorted([name, "a.b", "a"])
    assert found.total.nbytes == 40


def test_the_files_of_the_tensors_are_in_the_order_of_the_walk(tmp_path: Path) -> None:
    shards = {"1.safetensors": ["b", "a.x"], "2.safetensors": ["a.y", "c.z"]}
    write_sharded(tmp_path, {file: dict.fromkeys(names, ("F32", (1,))) for file, names in shards.items()})
    found = contents_of(open_checkpoint(tmp_path))

    files = [path for path, times in found.files for _ in range(times)]
    assert dict(zip(names_in(found), files, strict=True)) == {
        "b": "1.safetensors",
        "a.x": "1.safetensors",
        "a.y": "2.safetensors",
        "c.z": "2.safetensors",
    }
