import asyncio
import contextlib
import io
import os
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from ckptinspect.cli.main import run
from ckptinspect.errors import CkptInspectError, FormatError, ShortReadError
from ckptinspect.opening import open_checkpoint
from ckptinspect.snapshot import written
from ckptinspect.sources.base import File
from ckptinspect.sources.snapshot import MANIFEST, SCHEMA, Manifest, SnapshotSource
from tests.folders import header_json, write_json, write_safetensors

T = TypeVar("T")
TENSORS = {"w": ("F32", (100,))}
RAW = header_json(TENSORS)
SIZE = 8 + len(RAW) + 400
BEGINNING = len(RAW).to_bytes(8, "little") + RAW


def snapshot(path: Path, beginnings: dict[str, bytes], *files: File, schema: str = SCHEMA) -> Path:
    path.write_bytes(written(Manifest(schema, "org/name", "abc", "", files), beginnings))
    return path


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Any zip file that begins as a snapshot does."""
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content, method if name != MANIFEST else zipfile.ZIP_STORED)
    return path


def manifest(*files: tuple[str, int]) -> bytes:
    """The list of files of a snapshot, true or not."""
    listed = ",".join(f'{{"path":"{path}","size":{size}}}' for path, size in files)
    return f'{{"schema":"{SCHEMA}","origin":"org/name","commit":null,"path":"","files":[{listed}]}}'.encode()


def first_arguments(monkeypatch: pytest.MonkeyPatch, method: str) -> list[object]:
    """What comes to be the first argument of every call of a method of ZipFile."""
    found: list[object] = []
    really = getattr(zipfile.ZipFile, method)

    def noting(itself: object, first: object, *rest: object, **named: object) -> object:
        found.append(first)
        return really(itself, first, *rest, **named)

    monkeypatch.setattr(zipfile.ZipFile, method, noting)
    return found


def result(path: Path, work: Callable[[SnapshotSource], Awaitable[T]]) -> T:
    """What ``work`` gives on an opened source."""

    async def opened() -> T:
        async with SnapshotSource(str(path)) as source:
            return await work(source)

    return asyncio.run(opened())


def refusal(path: Path) -> str:
    """The sentence that a snapshot ends in, which begins with its path."""
    with pytest.raises(FormatError) as error:
        open_checkpoint(path)
    place, _, sentence = str(error.value).partition(": ")
    assert place == str(path)
    return sentence


def test_it_is_read_as_what_it_was_taken_from(tmp_path: Path) -> None:
    path = snapshot(tmp_path / "x", {"model.safetensors": BEGINNING}, File("model.safetensors", SIZE))

    checkpoint = open_checkpoint(path)

    assert [tensor.name for tensor in checkpoint.tensors] == ["w"]
    assert (checkpoint.ref.location, checkpoint.ref.commit, checkpoint.via) == ("org/name", "abc", "snapshot")


def test_data_beyond_the_header_is_not_in_it(tmp_path: Path) -> None:
    path = snapshot(tmp_path / "x", {"a": b"12"}, File("a", 100))

    assert result(path, lambda source: source.read("a", 0, 2)) == b"12"
    with pytest.raises(ShortReadError) as error:
        result(path, lambda source: source.read("a", 0, 3))
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


@pytest.mark.parametrize(
    ("limit", "value", "sentence"),
    [
        ("_MAX_MEMBER", 1000, "the snapshot's member 'a' takes 5000 bytes, over the limit of 1000"),
        ("_MAX_WHOLE", 2000, f"the snapshot unpacks to {len(manifest()) + 5000} bytes, over the limit of 2000"),
        # Two entries of 46 bytes and their names of 16 and 1 letters.
        ("_MAX_DIRECTORY", 100, "the snapshot's directory takes 109 bytes, over the limit of 100"),
    ],
)
def test_an_archive_that_unpacks_beyond_all_bounds_is_refused_by_what_it_declares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, sentence: str
) -> None:
    path = archive(tmp_path / "x", {MANIFEST: manifest(), "a": bytes(5000)})
    monkeypatch.setattr(f"ckptinspect.sources.snapshot_archive.{limit}", value)

    assert refusal(path) == f"{sentence}; take it again"


def test_a_member_that_holds_more_than_it_declares_is_read_no_further(tmp_path: Path) -> None:
    path = archive(tmp_path / "x", {MANIFEST: manifest(("a", 100)), "a": bytes(1_000_000)})
    raw = path.read_bytes()
    for size in (1_000_000).to_bytes(4, "little"), (2_000_000).to_bytes(4, "little"):
        raw = raw.replace(size, (100).to_bytes(4, "little"))
    path.write_bytes(raw)

    with pytest.raises(FormatError) as error:
        result(path, lambda source: source.read("a", 0, 100))

    assert str(error.value) == f"{path}: the snapshot is damaged; take it again"


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_member_packed_by_another_method_is_refused(tmp_path: Path, method: int) -> None:
    path = archive(tmp_path / "x", {MANIFEST: manifest(("a", 9)), "a": b"123456789"}, method)

    assert refusal(path) == "the snapshot's member 'a' is neither stored nor deflated; take it again"


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "x", {MANIFEST: manifest(("a", 9)), "a": b"123456789"})
    raw = bytearray(path.read_bytes())
    raw[raw.rindex(b"PK\1\2") + 8] |= 1
    path.write_bytes(raw)

    assert refusal(path) == "the snapshot's member 'a' is encrypted; take it again"


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a/../../b", "a/.."])
def test_a_member_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "x", {MANIFEST: manifest(), name: b"1"})

    assert refusal(path) == f"the snapshot's member '{name}' leads out of the folder; take it again"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "x", {MANIFEST: manifest(("a", 1)), "a": b"1"})
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("a", b"2")

    assert refusal(path) == "the snapshot holds 'a' twice; take it again"


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ([("a", 1), ("a", 2)], "names 'a' twice"),
        ([("a", -1)], "gives 'a' a negative size"),
        ([("../a", 1)], "names '../a', which leads out of the folder"),
    ],
)
def test_a_list_of_impossible_files_is_refused(tmp_path: Path, files: list[tuple[str, int]], why: str) -> None:
    path = archive(tmp_path / "x", {MANIFEST: manifest(*files)})

    assert refusal(path) == f"the snapshot's list of files {why}; take it again"


def test_a_list_of_files_beyond_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "x", {MANIFEST: manifest()})
    monkeypatch.setattr("ckptinspect.sources.snapshot.MAX_MANIFEST", 10)

    assert refusal(path) == (
        f"the snapshot's list of files takes {len(manifest())} bytes, over the limit of 10; take it again"
    )


def test_an_archive_with_a_comment_or_of_the_64_bit_form_is_none_of_ours(tmp_path: Path) -> None:
    commented = archive(tmp_path / "x", {MANIFEST: manifest()})
    with zipfile.ZipFile(commented, "a") as file:
        file.comment = b"where another end may hide"
    raw = archive(tmp_path / "y", {MANIFEST: manifest()}).read_bytes()
    (tmp_path / "y").write_bytes(raw[:-22] + b"PK\6\7" + bytes(16) + raw[-22:])

    assert refusal(commented) == "the snapshot is damaged; take it again"
    assert refusal(tmp_path / "y") == "the snapshot is damaged; take it again"


def test_many_members_are_read_by_opening_the_archive_once_and_each_of_them_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"model-{number:05}-of-00200.safetensors" for number in range(1, 201)]
    path = snapshot(tmp_path / "x", dict.fromkeys(names, BEGINNING), *(File(name, SIZE) for name in names))
    archives, opened = first_arguments(monkeypatch, "__init__"), first_arguments(monkeypatch, "open")

    async def read(source: SnapshotSource) -> None:
        for name in names:
            await source.read(name, 0, 8)
            await source.read(name, 8, len(BEGINNING))

    result(path, read)

    assert len(archives) == 2  # one for the list of files
    assert opened == [MANIFEST, *names]


def test_a_file_whose_name_is_not_utf_8_is_kept_by_its_name_spelled_out(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"fold\xe9r")
    write_safetensors(folder / os.fsdecode(b"caf\xe9.safetensors"), TENSORS)
    ran = run(["snapshot", str(folder), "-o", str(tmp_path / "x.snap"), "-q"])

    checkpoint = open_checkpoint(tmp_path / "x.snap")

    assert ran == 0
    assert [shard.path for shard in checkpoint.shards] == ["caf\\udce9.safetensors"]
    assert [tensor.name for tensor in checkpoint.tensors] == ["w"]
    assert checkpoint.ref.location == "fold\\udce9r"


def test_names_that_are_alike_once_spelled_out_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_safetensors(tmp_path / "folder" / os.fsdecode(b"caf\xe9.safetensors"), TENSORS)
    write_safetensors(tmp_path / "folder" / "caf\\udce9.safetensors", TENSORS)

    assert run(["snapshot", str(tmp_path / "folder"), "-o", str(tmp_path / "x.snap")]) == 4
    assert capfd.readouterr().err == (
        "error: caf\\udce9.safetensors: two files of this name differ only in bytes that are not UTF-8; rename one\n"
    )


@pytest.mark.parametrize("name", [".hidden.safetensors", "model.safetensors", "odd.bin"])
def test_a_snapshot_of_one_file_reads_back(tmp_path: Path, name: str) -> None:
    write_safetensors(tmp_path / "folder" / name, TENSORS)
    write_safetensors(tmp_path / "folder" / "other.safetensors", TENSORS)
    write_json(tmp_path / "folder" / "config.json", {"hidden_size": 4})

    assert run(["snapshot", str(tmp_path / "folder" / name), "-o", str(tmp_path / "x.snap"), "-q"]) == 0
    checkpoint = open_checkpoint(tmp_path / "x.snap")

    assert [shard.path for shard in checkpoint.shards] == [name]
    assert checkpoint.config.integer("hidden_size") == 4
    with zipfile.ZipFile(tmp_path / "x.snap") as kept:
        assert kept.namelist() == [MANIFEST, *sorted(["config.json", name])]


@pytest.mark.parametrize(
    ("limit", "most", "why"),
    [
        ("snapshot_archive.MAX_MEMBERS", 2, "3 files, it holds 2"),
        # Three entries of 46 bytes and their names of 16, 1 and 1 letters.
        ("snapshot_archive._MAX_DIRECTORY", 155, "156 bytes of their names, it holds 155"),
        ("snapshot_archive._MAX_MEMBER", 4999, "5000 bytes of one file, it holds 4999"),
    ],
)
def test_more_than_could_be_read_back_is_not_written(
    monkeypatch: pytest.MonkeyPatch, limit: str, most: int, why: str
) -> None:
    monkeypatch.setattr(f"ckptinspect.sources.{limit}", most)

    with pytest.raises(FormatError) as error:
        written(Manifest(SCHEMA, "org/name", None, "", ()), {"a": bytes(5000), "b": b""})

    assert str(error.value) == f"org/name: this is more than fits into a snapshot: {why}; name a folder of it"


def test_a_list_of_files_that_could_not_be_read_back_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ckptinspect.snapshot.MAX_MANIFEST", 1)

    with pytest.raises(FormatError, match=r"\d+ bytes for the list of its files, it holds 1; name a folder of it"):
        written(Manifest(SCHEMA, "org/name", None, "", ()), {})


def test_as_many_members_as_an_archive_holds_are_read_back(tmp_path: Path) -> None:
    names = [f"{number}.json" for number in range(65_534)]
    path = snapshot(tmp_path / "x", dict.fromkeys(names, b"{}"), *(File(name, 2) for name in names))

    assert result(path, lambda source: source.read("65533.json", 0, 2)) == b"{}"


def test_a_file_of_the_list_s_own_name_is_refused() -> None:
    with pytest.raises(FormatError) as error:
        written(Manifest(SCHEMA, "org/name", None, "", ()), {MANIFEST: b"{}"})

    assert str(error.value) == "ckptinspect.json: a snapshot cannot hold a file of this name; rename it"


def test_keys_of_a_storage_that_are_no_paths_are_left_out(tmp_path: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.store.clear()
    write_safetensors(tmp_path / "model.safetensors", TENSORS)
    memory.pipe_file("/bucket/model.safetensors", (tmp_path / "model.safetensors").read_bytes())
    memory.pipe_file("/bucket/a//b.txt", b"")
    memory.pipe_file("/bucket/a/../b.txt", b"")
    try:
        code = run(["snapshot", "memory://bucket", "-o", str(tmp_path / "x.snap"), "-q"])
    finally:
        memory.store.clear()
        memory.pseudo_dirs[:] = [""]

    assert code == 0
    assert [shard.path for shard in open_checkpoint(tmp_path / "x.snap").shards] == ["model.safetensors"]


def test_a_file_that_begins_like_a_zip_and_is_none_is_no_snapshot(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", TENSORS)
    (tmp_path / "model.bin").write_bytes(b"PK\x03\x04\x14\x00\x00\x00\x08\x00" + bytes(100))

    with pytest.raises(FormatError, match="this is a zip archive or a PyTorch"):
        open_checkpoint(tmp_path / "model.bin")
