"""Every file of ``fixtures/hostile`` through the command line: one sentence, the right exit code, nothing else lost."""

import json
import os
import tempfile
from pathlib import Path

import pytest

from ckptinspect.cli.main import run
from fixtures.build import HostileIndex, Recipe, Special, hostile, hostile_indexes, specials
from tests.folders import write_safetensors

SMALL = [recipe for recipe in hostile() if not recipe.large]
INDEXES = list(hostile_indexes())


def named(item: Recipe | Special | HostileIndex) -> str:
    return item.name


@pytest.mark.parametrize("verb", ["show", "tensors"])
@pytest.mark.parametrize("recipe", SMALL, ids=named)
def test_a_hostile_file_ends_in_an_answer_or_a_sentence(
    recipe: Recipe, verb: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe.grow(tmp_path / "x.safetensors")

    code = run([verb, str(tmp_path / "x.safetensors"), "-f", "json"])
    out, err = capfd.readouterr()

    assert code == (0 if recipe.accepted else 4)
    if recipe.accepted:
        assert json.loads(out)["kind"] == verb
        assert err == ""
    else:
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith("error: x.safetensors: ")


@pytest.mark.parametrize("special", [s for s in specials() if s.kind != "unreadable"], ids=named)
def test_what_is_no_file_is_a_source_error(special: Special, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    special.grow(tmp_path / f"{special.name}.safetensors")

    code = run([str(tmp_path / f"{special.name}.safetensors")])
    out, err = capfd.readouterr()

    if special.kind == "folder":
        assert (code, err) == (
            3,
            f"error: {tmp_path / special.name}.safetensors: there is no safetensors file; check the spelling\n",
        )
    else:
        assert (code, err) == (3, f"error: {special.error}\n")
    assert out == ""


def test_a_file_that_may_not_be_read_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    (unreadable,) = (special for special in specials() if special.kind == "unreadable")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = Path(folder) / f"{unreadable.name}.safetensors"
        unreadable.grow(path)
        user = os.geteuid()
        try:
            if user == 0:
                os.seteuid(65534)  # root may read anything; nobody may not
            code = run([str(path)])
        finally:
            os.seteuid(user)

    assert (code, capfd.readouterr().err) == (3, f"error: {unreadable.error}\n")


@pytest.mark.parametrize("index", INDEXES, ids=named)
def test_a_hostile_index_costs_at_most_itself(
    index: HostileIndex, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_safetensors(tmp_path / "x.safetensors", {"bait": ("F32", (1000,))})
    index.grow(tmp_path / "folder")

    code = run([str(tmp_path / "folder"), "-f", "json"])
    out, err = capfd.readouterr()

    assert code == (5 if index.name == "missing-shard" else 0)
    assert all(line.startswith("error: model-00002") for line in err.splitlines())
    data = json.loads(out)["data"]
    told = [note["code"] for note in data["notes"] if note["code"] not in {"alternatives", "shards-failed"}]
    assert told == list(index.notes or ())
    assert data["totals"]["parameters"] < 1000
    assert not [file for file in data["files"] if ".." in file["path"] or file["path"].startswith("/")]


@pytest.mark.parametrize("index", INDEXES, ids=named)
def test_naming_the_hostile_index_itself_follows_it_nowhere(
    index: HostileIndex, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_safetensors(tmp_path / "x.safetensors", {"bait": ("F32", (1000,))})
    index.grow(tmp_path / "folder")

    code = run([str(tmp_path / "folder" / "model.safetensors.index.json"), "-f", "json"])
    out, err = capfd.readouterr()

    if index.error is None:
        assert code in {0, 5}
        assert json.loads(out)["data"]["totals"]["parameters"] < 1000
    else:
        assert (code, out, err) == (4, "", f"error: {index.error}\n")
