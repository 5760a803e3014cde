import contextlib
import io
import zipfile
from pathlib import Path

import pytest

from ckptinspect.errors import CkptInspectError, FormatError, ShortReadError
from ckptinspect.opening import open_checkpoint
from ckptinspect.snapshot import written
from ckptinspect.sources.base import File, run
from ckptinspect.sources.snapshot import MANIFEST, SCHEMA, Manifest, SnapshotSource
from tests.folders import header_json, write_safetensors

TENSORS = {"w": ("F32", (100,))}
RAW = header_json(TENSORS)
SIZE = 8 + len(RAW) + 400
BEGINNING = len(RAW).to_bytes(8, "little") + RAW


def snapshot(path: Path, beginnings: dict[str, bytes], *files: File, schema: str = SCHEMA) -> Path:
    path.write_bytes(written(Manifest(schema, "org/name", "abc", "", files), beginnings))
    return path


def test_it_is_read_as_what_it_was_taken_from(tmp_path: Path) -> None:
    path = snapshot(tmp_path / "x", {"model.safetensors": BEGINNING}, File("model.safetensors", SIZE))

    checkpoint = open_checkpoint(path)

    assert [tensor.name for tensor in checkpoint.tensors] == ["w"]
    assert (checkpoint.ref.location, checkpoint.ref.commit, checkpoint.via) == ("org/name", "abc", "snapshot")


def test_data_beyond_the_header_is_not_in_it(tmp_path: Path) -> None:
    source = SnapshotSource(str(snapshot(tmp_path / "x", {"a": b"12"}, File("a", 100))))

    assert run(source, source.read("a", 0, 2)) == b"12"
    with pytest.raises(ShortReadError) as error:
        run(source, source.read("a", 0, 3))
    assert str(error.value) == "a: the snapshot keeps 2 bytes of it; take the checkpoint itself"


def test_a_newer_snapshot_says_so(tmp_path: Path) -> None:
    path = snapshot(tmp_path / "x", {}, schema="ckptinspect/snapshot/v9")

    with pytest.raises(FormatError) as error:
        open_checkpoint(path)

    assert str(error.value) == f"{path}: the snapshot is of a newer version; update ckptinspect, or take it again"


@pytest.mark.parametrize("cut", [60, 200, 400])
def test_a_damaged_snapshot_is_one_sentence(tmp_path: Path, cut: int) -> None:
    path = snapshot(tmp_path / "x", {"model.safetensors": BEGINNING}, File("model.safetensors", SIZE))
    path.write_bytes(path.read_bytes()[:cut])

    with pytest.raises(FormatError) as error:
        open_checkpoint(path)

    assert str(error.value) == f"{path}: the snapshot is damaged; take it again"


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b'{"schema": 1}', b"\xff", b"[" * 100_000])
def test_a_hostile_manifest_is_one_sentence(tmp_path: Path, manifest: bytes) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(MANIFEST, manifest)
    (tmp_path / "x").write_bytes(buffer.getvalue())

    with pytest.raises(FormatError):
        open_checkpoint(tmp_path / "x")


def test_a_flipped_byte_anywhere_never_ends_in_another_exception(tmp_path: Path) -> None:
    whole = snapshot(tmp_path / "x", {"model.safetensors": BEGINNING}, File("model.safetensors", SIZE)).read_bytes()
    for position in range(30 + len(MANIFEST), len(whole), 3):
        (tmp_path / "x").write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        with contextlib.suppress(CkptInspectError):
            assert [tensor.name for tensor in open_checkpoint(tmp_path / "x").tensors]


def test_a_member_that_inflates_beyond_all_bounds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ckptinspect.sources.snapshot._MAX_MEMBER", 1000)
    path = snapshot(tmp_path / "x", {"model.safetensors": BEGINNING + bytes(5000)}, File("model.safetensors", SIZE))

    with pytest.raises(FormatError, match="the snapshot holds more than 1000 bytes of one file"):
        open_checkpoint(path)


def test_a_file_that_begins_like_a_zip_and_is_none_is_no_snapshot(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", TENSORS)
    (tmp_path / "model.bin").write_bytes(b"PK\x03\x04\x14\x00\x00\x00\x08\x00" + bytes(100))

    with pytest.raises(FormatError, match="this is a zip archive or a PyTorch"):
        open_checkpoint(tmp_path / "model.bin")
