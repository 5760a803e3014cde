"""From what was named to what is loaded: everything that is wrong is left out with its reason."""

import os
from pathlib import Path

import pytest

from ckptinspect.bench.files import hole_bytes
from ckptinspect.bench.subject import Found, found_at
from fixtures.build import hostile
from tests.folders import write_safetensors, write_sharded
from tests.loads import on_disk, sized, write_random

LIMIT = 1 << 40
HINT = "download it (hf download ORG/NAME) and name its folder"


def reasons(found: Found) -> list[tuple[str | None, str, str | None]]:
    return [(item.path, item.reason, item.kind) for item in found.skipped]


def test_a_file_is_found_with_its_header_and_its_size(tmp_path: Path) -> None:
    path = write_random(tmp_path / "a.safetensors", sized(4096))

    found = found_at([str(path)], LIMIT)

    (target,) = found.targets
    assert (target.path, target.size, target.tensors) == (str(path), path.stat().st_size, 4)
    assert (target.tensor_bytes, target.header_bytes) == (4096, path.stat().st_size - 4096)
    assert (found.skipped, found.warnings) == ((), ())


def test_several_paths_are_one_load_and_no_file_is_in_it_twice(tmp_path: Path) -> None:
    paths = [write_random(tmp_path / f"{name}.safetensors", sized(4096)) for name in "ab"]
    link = tmp_path / "link.safetensors"
    link.symlink_to(paths[0])

    found = found_at([*map(str, paths), str(link), str(paths[0])], LIMIT)

    assert [target.path for target in found.targets] == [str(path) for path in paths]


def test_files_beyond_the_bound_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    paths = [str(write_random(tmp_path / f"{name}.safetensors", sized(100_000))) for name in "abc"]

    found = found_at(paths, 150_000)

    assert [target.path for target in found.targets] == paths[:1]
    assert found.warnings == (
        "measured on 1 of 3 files (100.33 kB): the others would go beyond --max-bytes (150.00 kB)",
    )


def test_the_first_file_is_measured_whatever_its_size(tmp_path: Path) -> None:
    path = str(write_random(tmp_path / "a.safetensors", sized(100_000)))

    assert len(found_at([path], 1).targets) == 1


def test_a_sparse_file_is_refused_for_it_reads_without_a_disk(tmp_path: Path) -> None:
    path = write_safetensors(on_disk(tmp_path) / "a.safetensors", sized(8_000_000))

    found = found_at([str(path)], LIMIT)

    assert found.targets == ()
    ((where, reason, kind),) = reasons(found)
    assert (where, kind) == (str(path), "source")
    assert reason.startswith(f"{path}: sparse: 8.00 MB of its 8.00 MB are holes, which read without a disk; ")


def test_a_sparse_checkpoint_of_many_shards_is_refused_shard_by_shard(tmp_path: Path) -> None:
    shards = {f"model-{n:05}-of-00003.safetensors": {f"w{n}": ("F16", (4_000_000,))} for n in (1, 2, 3)}
    write_sharded(on_disk(tmp_path) / "m", shards)

    found = found_at([str(tmp_path / "m")], LIMIT)

    assert found.targets == ()
    assert len(found.skipped) == 3
    assert all(": sparse: " in item.reason for item in found.skipped)


def test_a_small_hole_is_told_and_bearable(tmp_path: Path) -> None:
    path = write_random(on_disk(tmp_path) / "a.safetensors", sized(8_000_000))
    os.truncate(path, path.stat().st_size - 50_000)
    os.truncate(path, path.stat().st_size + 50_000)

    found = found_at([str(path)], LIMIT)

    (target,) = found.targets
    assert 40_000 <= target.hole_bytes <= 50_000
    assert found.warnings == (f"{target.hole_bytes / 1000:.2f} kB of the files are holes, which read without a disk",)


def test_a_file_that_is_still_in_memory_only_has_no_holes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 1_000_000)
    descriptor = os.open(path, os.O_RDONLY)

    assert hole_bytes(descriptor) == 0
    os.close(descriptor)


def test_a_truncated_file_is_refused_before_it_is_mapped(tmp_path: Path) -> None:
    path = write_random(tmp_path / "a.safetensors", sized(100_000))
    os.truncate(path, 50_000)

    ((where, reason, kind),) = reasons(found_at([str(path)], LIMIT))

    assert (where, kind) == (str(path), "format")
    assert "the tensors need 100000 bytes of data, but the file has " in reason


def test_a_header_that_lies_is_refused_before_it_is_mapped(tmp_path: Path) -> None:
    path = write_random(tmp_path / "a.safetensors", {"w": ("F32", (1000,))})
    path.write_bytes(path.read_bytes().replace(b"[0,4000]", b"[0,3000]"))

    ((_, reason, kind),) = reasons(found_at([str(path)], LIMIT))

    assert kind == "format"
    assert "F32[1000] takes 4000 bytes, but its offsets span 3000" in reason


def test_every_hostile_file_is_one_row_with_its_reason(tmp_path: Path) -> None:
    refused = [recipe for recipe in hostile() if not recipe.accepted and not recipe.large]
    assert len(refused) > 200
    for recipe in refused:
        path = tmp_path / recipe.name / "x.safetensors"
        path.parent.mkdir()
        recipe.grow(path)

        found = found_at([str(path)], LIMIT)

        assert found.targets == (), recipe.name
        assert [(item.path, item.kind) for item in found.skipped] == [(str(path), "format")], recipe.name
        assert found.skipped[0].reason.startswith(f"{path}: "), recipe.name


def test_one_bad_shard_is_one_row_and_the_others_are_loaded(tmp_path: Path) -> None:
    shards = [write_random(tmp_path / f"model-{n:05}-of-00002.safetensors", {f"w{n}": ("U8", (9000,))}) for n in (1, 2)]
    os.truncate(shards[0], 100)

    found = found_at([str(tmp_path)], LIMIT)

    assert [target.path for target in found.targets] == [str(shards[1])]
    assert [item.kind for item in found.skipped] == ["format"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("nowhere.safetensors", "nowhere.safetensors: no such file or folder; check the spelling"),
        (
            "org/name",
            f"org/name: only files on this machine can be measured; {HINT}",
        ),
        (
            "https://example.org/a.safetensors",
            f"https://example.org/a.safetensors: only files on this machine can be measured; {HINT}",
        ),
    ],
)
def test_what_is_not_here_cannot_be_measured(
    given: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert [item.reason for item in found_at([given], LIMIT).skipped] == [reason]
