from pathlib import Path

import pytest

from fixtures import build
from fixtures.build import hostile, hostile_indexes, many_tensors, specials, valid


def test_every_recipe_has_a_name_of_its_own_and_says_what_it_is_about() -> None:
    for recipes in (hostile(), specials(), hostile_indexes(), valid()):
        told = [(recipe.name, recipe.about) for recipe in recipes]
        assert len({name for name, _ in told}) == len(told)
        assert [name for name, about in told if not about.endswith(".")] == []


def test_every_hostile_file_has_one_verdict() -> None:
    for recipe in hostile():
        assert recipe.error is None or recipe.fatal == recipe.notices == ()
        assert not recipe.differs or "unknown-dtype" in recipe.notices


def test_what_grows_is_always_the_same(tmp_path: Path) -> None:
    for recipe in hostile():
        if not recipe.large:
            recipe.grow(tmp_path / "model.safetensors")
            assert (tmp_path / "model.safetensors").read_bytes() == recipe.written()
    for good in valid():
        assert len({good.written() for _ in range(9)}) == 1


@pytest.mark.parametrize("garden", ["hostile", "valid"])
def test_a_garden_grows_from_the_command_line(garden: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["build.py", garden, str(tmp_path / "garden")])
    build.main()
    grown = {path.name for path in (tmp_path / "garden").iterdir()}

    if garden == "valid":
        assert grown == {f"{good.name}.safetensors" for good in valid()}
    else:
        assert "overlap.safetensors" in grown
        assert "fifo.safetensors" in grown
        assert "spaces-of-100-mb.safetensors" not in grown
        assert (tmp_path / "garden" / "shard-above" / "model.safetensors.index.json").is_file()


def test_many_tensors_are_as_many_as_asked_for() -> None:
    assert many_tensors(1001).count(b"dtype") == 1001
    assert many_tensors(2, alike=False) == (
        b'{"a":{"dtype":"BF16","shape":[0,16],"data_offsets":[0,0]},"b":{"dtype":"BF16","shape":[0,16],"data_offsets":[0,0]}}'
    )
