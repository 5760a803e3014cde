"""Folders on this machine: each real folder once, in an order of our own, and of one file no folder at all."""

import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ckptinspect.cli.main import run as command_line
from ckptinspect.errors import AccessError, IndexMismatchError, NotFoundError, SourceError
from ckptinspect.opening import open_checkpoint
from ckptinspect.sources.base import run
from ckptinspect.sources.local import LocalSource
from tests.folders import Shapes, write_json, write_safetensors, write_sharded

A: Shapes = {"a.weight": ("F32", (4,))}
B: Shapes = {"b.weight": ("F32", (4,))}


def listed(folder: Path, *, hidden: bool = False) -> list[str]:
    source = LocalSource(str(folder), hidden=hidden)
    return [file.path for file in run(source, source.list())]


def touched(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return folder


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that were listed."""
    found: list[str] = []
    scandir, listdir = os.scandir, os.listdir

    def noting(really: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def note(path: Any) -> Any:
            found.append(os.fspath(path))
            return really(path)

        return note

    monkeypatch.setattr(os, "scandir", noting(scandir))
    monkeypatch.setattr(os, "listdir", noting(listdir))
    return found


# What is walked


def test_a_link_to_the_root_is_not_walked(tmp_path: Path) -> None:
    touched(tmp_path, "model.safetensors")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to("..")

    assert listed(tmp_path) == ["model.safetensors"]


def test_a_root_that_is_a_link_is_walked_once(tmp_path: Path) -> None:
    touched(tmp_path / "real", "model.safetensors")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "again").symlink_to(tmp_path / "link")

    assert listed(tmp_path / "link") == ["model.safetensors"]


def test_a_folder_goes_by_its_own_name_and_not_by_that_of_a_link_to_it(tmp_path: Path) -> None:
    touched(tmp_path, "weights/model.safetensors")
    (tmp_path / "a-link").symlink_to("weights")

    assert listed(tmp_path) == ["weights/model.safetensors"]


def test_of_two_links_to_a_folder_elsewhere_the_first_by_name_counts(tmp_path: Path) -> None:
    touched(tmp_path / "elsewhere", "model.safetensors")
    (tmp_path / "root").mkdir()
    for name in ("z", "b", "m"):
        (tmp_path / "root" / name).symlink_to(tmp_path / "elsewhere")

    assert listed(tmp_path / "root") == ["b/model.safetensors"]


def test_the_order_is_not_that_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touched(tmp_path, "b/1", "a/1", "c/1")
    scandir = os.scandir

    class Backwards:
        def __init__(self, path: str) -> None:
            with scandir(path) as entries:
                self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

        def __enter__(self) -> Iterator[os.DirEntry[str]]:
            return iter(self.entries)

        def __exit__(self, *_: object) -> None:
            return None

    forwards = list_until_full(tmp_path, monkeypatch)
    monkeypatch.setattr(os, "scandir", Backwards)

    assert list_until_full(tmp_path, monkeypatch) == forwards


def list_until_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is seen of a folder before a limit of two files is reached."""
    from ckptinspect.sources.local import _files

    seen: list[str] = []
    monkeypatch.setattr("ckptinspect.sources.local.MAX_FILES", 2)
    with pytest.raises(SourceError) as error:
        seen.extend(file.path for file in _files(str(folder), hidden=False))
    assert str(error.value) == f"{folder}: more than 2 files below it; name the checkpoint's own folder"
    return seen


def test_hidden_files_and_folders_are_walked_only_if_asked_for(tmp_path: Path) -> None:
    touched(tmp_path, "model.safetensors", ".hidden.safetensors", ".cache/model.safetensors")

    assert listed(tmp_path) == ["model.safetensors"]
    assert listed(tmp_path, hidden=True) == [".cache/model.safetensors", ".hidden.safetensors", "model.safetensors"]
    copy: LocalSource = pickle.loads(pickle.dumps(LocalSource("/x", "cache", hidden=True)))
    assert (copy.root, copy.via, copy.hidden) == ("/x", "cache", True)


@pytest.mark.parametrize(
    ("raised", "kind", "sentence"),
    [
        (FileNotFoundError(2, "No such file"), NotFoundError, "no such folder; check the spelling"),
        (PermissionError(13, "No"), AccessError, "the folder cannot be read: No; check its permissions"),
        (OSError(5, "I/O error"), AccessError, "the folder cannot be read: I/O error; check its permissions"),
    ],
)
def test_a_root_that_cannot_be_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: OSError, kind: type[SourceError], sentence: str
) -> None:
    def refuse(_: str) -> None:
        raise raised

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(kind) as error:
        listed(tmp_path)

    assert str(error.value) == f"{tmp_path}: {sentence}"


def test_a_folder_below_that_cannot_be_listed_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touched(tmp_path, "model.safetensors", "broken/x.safetensors")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("broken"):
            raise OSError(5, "I/O error")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)

    assert listed(tmp_path) == ["model.safetensors"]


# One file in a folder of many


@pytest.mark.parametrize("name", ["model.safetensors", "odd.bin", ".hidden.safetensors"])
def test_the_folder_of_a_named_file_is_not_listed(tmp_path: Path, scanned: list[str], name: str) -> None:
    write_safetensors(tmp_path / name, A)
    write_json(tmp_path / "config.json", {"hidden_size": 4})

    checkpoint = open_checkpoint(tmp_path / name)

    assert scanned == []
    assert checkpoint.config.integer("hidden_size") == 4


def test_the_folder_of_a_named_index_is_not_listed(tmp_path: Path, scanned: list[str]) -> None:
    write_sharded(tmp_path, {"left.safetensors": A, "sub/right.safetensors": B})

    checkpoint = open_checkpoint(tmp_path / "model.safetensors.index.json")

    assert scanned == []
    assert [shard.path for shard in checkpoint.shards] == ["left.safetensors", "sub/right.safetensors"]


def test_a_snapshot_of_a_named_file_or_index_lists_no_folder(tmp_path: Path, scanned: list[str]) -> None:
    write_sharded(tmp_path, {"left.safetensors": A, "right.safetensors": B})

    for name in ("left.safetensors", "model.safetensors.index.json"):
        assert command_line(["snapshot", str(tmp_path / name), "-o", str(tmp_path / f"{name}.snap"), "-q"]) == 0

    assert scanned == []
    for name, shards in (("left.safetensors", 1), ("model.safetensors.index.json", 2)):
        assert len(open_checkpoint(tmp_path / f"{name}.snap").shards) == shards


def test_a_shard_that_a_named_index_names_and_nobody_has_is_missing(tmp_path: Path) -> None:
    write_sharded(tmp_path, {"left.safetensors": A, "right.safetensors": B})
    (tmp_path / "right.safetensors").unlink()

    failed = [str(shard.error) for shard in open_checkpoint(tmp_path / "model.safetensors.index.json").shards]

    assert failed == [
        "None",
        "right.safetensors: the shard is missing; fetch it: the checkpoint is not whole without it",
    ]


def test_a_snapshot_of_a_checkpoint_that_lacks_a_shard_lacks_it_too(tmp_path: Path) -> None:
    write_sharded(tmp_path, {"left.safetensors": A, "right.safetensors": B})
    (tmp_path / "right.safetensors").unlink()
    index, snapshot = tmp_path / "model.safetensors.index.json", tmp_path / "x.snap"

    assert command_line(["snapshot", str(index), "-o", str(snapshot), "-q"]) == 5
    assert [str(shard.error) for shard in open_checkpoint(snapshot).shards] == [
        str(shard.error) for shard in open_checkpoint(index).shards
    ]


def test_a_shard_that_is_no_file_is_there_and_fails(tmp_path: Path) -> None:
    write_sharded(tmp_path, {"left.safetensors": A, "right.safetensors": B})
    (tmp_path / "right.safetensors").unlink()
    os.mkfifo(tmp_path / "right.safetensors")

    _, failed = open_checkpoint(tmp_path / "model.safetensors.index.json").shards

    assert str(failed.error) == (
        "right.safetensors: this is a named pipe, not a file; name a safetensors file, or a folder that holds one"
    )


def test_a_named_index_without_any_of_its_shards_is_an_error(tmp_path: Path) -> None:
    write_json(tmp_path / "model.safetensors.index.json", {"weight_map": {"w": "absent.safetensors"}})

    with pytest.raises(IndexMismatchError) as error:
        open_checkpoint(tmp_path / "model.safetensors.index.json")

    assert str(error.value) == (
        "model.safetensors.index.json: the index names 1 shard, none of which is there;"
        " fetch the shards, or name the folder that holds them"
    )
