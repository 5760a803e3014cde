"""Names that are not UTF-8, through every verb and every format: escaped, never a crash; and REFs that are none."""

import json
import os
from pathlib import Path

import pytest

from tests.e2e.command import ckptinspect
from tests.folders import Shapes, write_safetensors

TENSORS: Shapes = {"model.norm.weight": ("BF16", (64,))}
FILE = os.fsdecode(b"caf\xe9.safetensors")
FOLDER = os.fsdecode(b"fold\xe9r")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_safetensors(tmp_path / FOLDER / FILE, TENSORS)
    (tmp_path / FOLDER / os.fsdecode(b"notes\xff.txt")).touch()
    return tmp_path / FOLDER


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv", "markdown", "html"])
@pytest.mark.parametrize("verb", ["show", "tensors"])
def test_every_format_takes_a_name_that_is_not_utf_8(folder: Path, tmp_path: Path, verb: str, form: str) -> None:
    for ref in (folder, folder / FILE):
        ran = ckptinspect(verb, ref, "-f", form)

        assert (ran.code, ran.err) == (0, "")
        assert ckptinspect(verb, ref, "-f", form, "-o", tmp_path / "out").code == 0
        assert (tmp_path / "out").read_text().split() == ran.out.split()


@pytest.mark.parametrize("verb", ["tree", "formula"])
def test_so_do_the_other_verbs(folder: Path, verb: str) -> None:
    for form in ("table", "json"):
        ran = ckptinspect(verb, folder, "-f", form)

        assert (ran.code, ran.err) == (0, "")


def test_a_byte_that_is_not_utf_8_is_an_escape_in_every_answer(folder: Path) -> None:
    shown = ckptinspect("show", folder, "-f", "json")

    assert [file["path"] for file in shown.data["files"]] == ["caf\\udce9.safetensors"]
    assert shown.data["ref"]["given"].endswith("/fold\\udce9r")
    assert "fold\\udce9r: single, 1 file" in ckptinspect("show", folder).out
    assert [tensor["file"] for tensor in ckptinspect("tensors", folder, "-f", "json").data["tensors"]] == [
        "caf\\udce9.safetensors"
    ]
    assert "caf\\udce9.safetensors" in ckptinspect("show", folder, "--by", "shard").out


def test_a_snapshot_shows_what_the_folder_shows(folder: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / os.fsdecode(b"caf\xe9.snap")

    taken = ckptinspect("snapshot", folder, "-o", snapshot, "-f", "json")
    one, other = (ckptinspect("show", ref, "-f", "json").data for ref in (folder, snapshot))

    assert taken.data["output"].endswith("/caf\\udce9.snap")
    for field in ("files", "totals", "modules", "dtypes", "alternatives"):
        assert one[field] == other[field]


def test_an_error_about_such_a_name_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"")

    ran = ckptinspect(tmp_path / FILE)

    assert (ran.code, ran.err) == (4, "error: caf\\udce9.safetensors: the file is empty; fetch it again\n")


def test_half_a_surrogate_pair_in_a_config_does_not_reach_the_json(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", TENSORS)
    (tmp_path / "config.json").write_text(
        '{"model_type": "\\ud800", "quantization_config": {"quant_method": "\\udc00"}}'
    )

    ran = ckptinspect(tmp_path, "-f", "json")

    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["kind"] == "show"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["https://[x"], "'https://[x': this is no valid URL; check its host and its port"),
        (
            ["fixtures/real/gpt2.snap", "--via", "endpoint"],
            (
                "fixtures/real/gpt2.snap: the one-request endpoint is the Hub's, and this is read from elsewhere;"
                " leave out --via endpoint"
            ),
        ),
    ],
)
def test_what_can_never_be_is_a_usage_error(arguments: list[str], sentence: str) -> None:
    ran = ckptinspect(*arguments)

    assert (ran.code, ran.out, ran.err) == (2, "", f"error: {sentence}\n")
