import hashlib
from pathlib import Path

import pytest

from ckptinspect.audit.hashing import compared_hashes, hashed, listed_hashes, recorded, to_hash
from ckptinspect.audit.subject import Hashed
from ckptinspect.errors import NotFoundError, RefError
from ckptinspect.sources.base import File
from tests.folders import write_safetensors
from tests.hub_server import TestHub

W = {"w": ("F32", (4,))}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def cached(home: Path, content: bytes, name: str) -> Path:
    """A snapshot of the Hub's cache whose one file is a blob of this name."""
    repo = home / "hub" / "models--org--name"
    snapshot = repo / "snapshots" / ("c" * 40)
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("c" * 40)
    (repo / "blobs").mkdir()
    (repo / "blobs" / name).write_bytes(content)
    (snapshot / "model.safetensors").symlink_to(f"../../blobs/{name}")
    return snapshot


def test_the_cache_names_a_blob_by_its_content(tmp_path: Path) -> None:
    content = write_safetensors(tmp_path / "x.safetensors", W).read_bytes()
    snapshot = cached(tmp_path, content, hashlib.sha256(content).hexdigest())

    (found,) = compared_hashes(str(snapshot), None, None).values()
    assert found.expected == found.actual == hashlib.sha256(content).hexdigest()


def test_a_flipped_bit_shows(tmp_path: Path) -> None:
    content = write_safetensors(tmp_path / "x.safetensors", W).read_bytes()
    snapshot = cached(tmp_path, content[:-1] + b"\x01", hashlib.sha256(content).hexdigest())

    (found,) = compared_hashes(str(snapshot), None, None).values()
    assert found.expected == hashlib.sha256(content).hexdigest() != found.actual


def test_what_hf_download_noted_beside_a_folder_counts(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "model.safetensors", W)
    notes = tmp_path / ".cache" / "huggingface" / "download"
    notes.mkdir(parents=True)
    (notes / "model.safetensors.metadata").write_text(f"{'c' * 40}\n{sha256(path)}\n1700000000.0\n")

    assert recorded(str(tmp_path), "model.safetensors") == sha256(path)
    assert compared_hashes(str(tmp_path), None, None) == {"model.safetensors": Hashed(sha256(path), sha256(path))}


@pytest.mark.parametrize("note", ["", "c\n", "c\nnot a hash\n", "c\n" + "a" * 40 + "\n"])
def test_what_was_not_noted_is_not_known(note: str, tmp_path: Path) -> None:
    notes = tmp_path / ".cache" / "huggingface" / "download"
    notes.mkdir(parents=True)
    (notes / "model.safetensors.metadata").write_text(note)

    assert recorded(str(tmp_path), "model.safetensors") is None


def test_nothing_to_compare_with_is_a_sentence(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", W)

    with pytest.raises(NotFoundError) as raised:
        compared_hashes(str(tmp_path), None, None)
    hint = "name the repository that it is a copy of: --against"
    assert str(raised.value) == f"{tmp_path}: no file here has a SHA-256 to compare it with; {hint}"


def test_only_weights_that_the_hub_keeps_outside_of_git_are_read(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "model.safetensors", W)
    files = [File("config.json", 2, f"sha256:{'a' * 64}"), File("model.safetensors", 9, "sha256:" + "b" * 64)]
    files.append(File("git.safetensors", 9, "git:" + "b" * 40))

    assert listed_hashes(files) == {"config.json": "a" * 64, "model.safetensors": "b" * 64}
    assert [item.full for item in to_hash(str(tmp_path), files, listed_hashes(files))] == [str(path)]


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "model.safetensors", {"w": ("U8", (9_000_000,))})
    size = path.stat().st_size
    told: list[tuple[int, int]] = []
    files = to_hash(str(tmp_path), [File("model.safetensors", size)], {"model.safetensors": "0" * 64})

    hashed(files, lambda done, total: told.append((done, total)))

    assert told[-1] == (size, size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len(told) == 3


def test_a_folder_is_compared_with_the_repository_that_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_safetensors(tmp_path / "repo" / "model.safetensors", W)
    with TestHub({"org/name": tmp_path / "repo"}) as hub:
        hub.surround(monkeypatch, tmp_path / "home")
        (found,) = compared_hashes(str(tmp_path / "repo"), "org/name", None).values()

        assert found == Hashed(hub.repos["org/name"].oid("model.safetensors"), sha256(path))
        with pytest.raises(RefError) as raised:
            compared_hashes(str(tmp_path / "repo"), str(tmp_path), None)
        assert str(raised.value).endswith("--against names no repository of the Hub; write org/name[@revision]")


def test_a_repository_of_the_hub_is_compared_where_the_cache_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = write_safetensors(tmp_path / "repo" / "model.safetensors", W).read_bytes()
    with TestHub({"org/name": tmp_path / "repo"}) as hub:
        hub.surround(monkeypatch, tmp_path)
        with pytest.raises(NotFoundError) as raised:
            compared_hashes("org/name", None, None)
        assert str(raised.value) == "org/name: the local Hub cache does not hold it; run `hf download org/name` first"

        cached(tmp_path, content, "a" * 64)
        hub.repos["org/name"].commit = "c" * 40
        (found,) = compared_hashes("org/name", None, None).values()
        assert found.expected == hub.repos["org/name"].oid("model.safetensors")
        (found,) = compared_hashes("org/name", None, None, offline=True).values()
        assert found.expected == "a" * 64


def test_what_is_not_on_this_machine_cannot_be_hashed() -> None:
    with pytest.raises(NotFoundError) as raised:
        compared_hashes("https://example.com/model.safetensors", None, None)

    assert "--hash needs the files on this machine" in str(raised.value)
