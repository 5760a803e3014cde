from pathlib import Path

import pytest

from ckptinspect.audit.trees import checkpoints_below
from ckptinspect.errors import NotFoundError
from tests.folders import write_json, write_safetensors

W = {"w": ("F32", (4,))}


def test_every_checkpoint_is_found_once_and_none_inside_another(tmp_path: Path) -> None:
    for name in ("b/model", "a/x/adapter_model", "a/x/original/consolidated", ".hidden/model", "c/unet/diffusion"):
        write_safetensors(tmp_path / f"{name}.safetensors", W)
    write_json(tmp_path / "c" / "model_index.json", {})
    write_json(tmp_path / "d" / "model.safetensors.index.json", {})
    (tmp_path / "e").mkdir()

    assert [Path(path).relative_to(tmp_path).as_posix() for path in checkpoints_below(str(tmp_path))] == [
        "a/x",
        "b",
        "c",
        "d",
    ]
    assert list(checkpoints_below(str(tmp_path / "b"))) == [str(tmp_path / "b")]


def test_a_link_to_a_folder_above_ends(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "a" / "model.safetensors", W)
    (tmp_path / "loop").symlink_to(tmp_path)

    assert list(checkpoints_below(str(tmp_path))) == [str(tmp_path / "a")]


def test_no_folder_is_a_sentence() -> None:
    with pytest.raises(NotFoundError):
        list(checkpoints_below("/nonexistent"))
