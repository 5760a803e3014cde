"""Checkpoints that are alike are looked at once, and nobody can tell from what is found."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from ckptinspect.audit.again import Again
from ckptinspect.audit.base import Audited, Finding, Rule
from ckptinspect.audit.baseline import Baseline
from ckptinspect.audit.choice import Chosen, chosen
from ckptinspect.audit.registry import every_rule
from ckptinspect.audit.run import Look, Options, looked_at
from ckptinspect.opening import source_of
from ckptinspect.refs import parse_ref
from ckptinspect.sources.base import File
from ckptinspect.sources.local import LocalSource
from tests.e2e.command import FIXTURES
from tests.fleet import LINEAR, write_kinds
from tests.folders import write_json, write_safetensors

OPTIONS = Options(chosen(every_rule()))
REAL = sorted((FIXTURES / "real").glob("*.snap"))


def look(again: Again, path: Path) -> Look:
    ref, source = source_of(parse_ref(os.fspath(path)))
    return asyncio.run(again.looked_at(source, ref))


def anew(path: Path, options: Options = OPTIONS) -> Look:
    ref, source = source_of(parse_ref(os.fspath(path)))
    return asyncio.run(looked_at(source, ref, options))


def is_known(found: Look) -> bool:
    """No subjects come with what is known."""
    return not found.subjects


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_what_is_known_is_what_would_be_found(path: Path) -> None:
    again = Again(OPTIONS)
    first, second = look(again, path), look(again, path)

    assert first.result == second.result == anew(path).result


def test_checkpoints_of_every_kind_do_not_mix(tmp_path: Path) -> None:
    again = Again(OPTIONS)
    kinds = write_kinds(tmp_path / "kinds")
    for number in range(3):
        for name, folder in kinds.items():
            copy = tmp_path / f"{number}" / name
            shutil.copytree(folder, copy)
            assert look(again, copy).result == anew(copy).result


@pytest.fixture
def twins(tmp_path: Path) -> Sequence[Path]:
    folders = (tmp_path / "one", tmp_path / "two")
    for folder in folders:
        write_safetensors(folder / "model.safetensors", LINEAR, {"format": "pt"})
        write_json(folder / "config.json", {"torch_dtype": "float32"})
        write_json(folder / "trainer_state.json", {"step": 1})
    return folders


def test_a_note_of_another_size_makes_no_difference(twins: Sequence[Path]) -> None:
    again = Again(OPTIONS)
    look(again, twins[0])
    write_json(twins[1] / "trainer_state.json", {"step": 1_000_000})

    assert is_known(look(again, twins[1]))


def test_another_header_config_size_or_file_is_looked_at(twins: Sequence[Path]) -> None:
    one, two = twins
    again = Again(OPTIONS)
    look(again, one)
    assert is_known(look(again, two))
    write_json(two / "config.json", {"torch_dtype": "float16"})
    assert look(again, two).result == anew(two).result
    shutil.copy(one / "config.json", two / "config.json")
    os.truncate(two / "model.safetensors", (two / "model.safetensors").stat().st_size - 1)
    assert look(again, two).result == anew(two).result
    write_safetensors(
        two / "model.safetensors", {"fc.weight": ("F32", (8, 8)), "fc.bios": ("F32", (8,))}, {"format": "pt"}
    )
    assert not is_known(look(again, two))
    shutil.copy(one / "model.safetensors", two / "model.safetensors")
    (two / "training_args.bin").write_bytes(b"")
    assert look(again, two).result == anew(two).result


def test_a_rule_of_another_package_may_look_at_notes(twins: Sequence[Path]) -> None:
    class Stranger(Rule, frozen=True):
        """A rule that is not ours."""

        code = "X1"
        name = "stranger"

    again = Again(Options((Chosen(Stranger()),)))
    look(again, twins[0])
    assert is_known(look(again, twins[1]))
    write_json(twins[1] / "trainer_state.json", {"step": 1_000_000})

    assert not is_known(look(again, twins[1]))


def test_a_baseline_accepts_what_it_speaks_of_and_nothing_of_the_others_alike(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        write_safetensors(folder / "model.safetensors", LINEAR)
    finding = anew(one).result
    assert isinstance(finding, Audited)
    accepted = frozenset((os.fspath(one), f.rule, f.path, f.tensor) for f in finding.findings)
    again = Again(Options(OPTIONS.rules, accepted=Baseline(accepted)))
    looks = [look(again, folder) for folder in (one, two, one)]

    assert [is_known(found) for found in looks] == [False, True, True]
    assert [
        (len(found.result.findings), found.result.accepted) for found in looks if isinstance(found.result, Audited)
    ] == [(0, 2), (2, 0), (0, 2)]


def test_a_read_that_fails_is_remembered_of_nobody(twins: Sequence[Path]) -> None:
    again = Again(OPTIONS)
    for folder in twins:
        (folder / "config.json").unlink()
        (folder / "config.json").symlink_to("nowhere")

    assert not is_known(look(again, twins[0]))
    assert not is_known(look(again, twins[1]))


def test_only_so_many_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ckptinspect.audit.again.MOST", 2)
    again = Again(OPTIONS)
    for number in range(20):
        write_safetensors(tmp_path / str(number) / f"model-{number}.safetensors", LINEAR)
        look(again, tmp_path / str(number))

    assert len(again._known) == 2
    assert all(isinstance(finding, Finding) for known in again._known.values() for finding in known[0].findings)


def test_models_that_differ_in_their_config_alone_are_told_apart_and_remembered(twins: Sequence[Path]) -> None:
    again = Again(OPTIONS)
    one, two = twins
    for dtype in ("float16", "float32", "float64"):
        write_json(one / "config.json", {"torch_dtype": dtype})
        look(again, one)
    for dtype in ("float16", "float32", "float64"):
        write_json(two / "config.json", {"torch_dtype": dtype})
        found = look(again, two)
        assert is_known(found)
        assert found.result == anew(two).result


def test_files_of_the_same_content_are_told_from_others_like_them(tmp_path: Path) -> None:
    """Only their hashes tell, and those are not read."""

    class Hashed(LocalSource):
        digests = ("sha256:a", "sha256:b")

        async def list(self) -> tuple[File, ...]:
            files = await super().list()
            return tuple(File(file.path, file.size, digest) for file, digest in zip(files, self.digests, strict=True))

    for name in ("model.safetensors", "other.safetensors"):
        write_safetensors(tmp_path / name, {"fc.weight": ("F32", (64, 64))}, {"format": "pt"})
    again = Again(OPTIONS)
    ref = parse_ref(os.fspath(tmp_path))
    rules = []
    for digests in (("sha256:a", "sha256:b"), ("sha256:c", "sha256:c"), ("sha256:d", "sha256:d")):
        source = Hashed(os.fspath(tmp_path))
        source.digests = digests
        found = asyncio.run(again.looked_at(source, ref))
        assert isinstance(found.result, Audited)
        rules.append(("CK709" in {finding.rule for finding in found.result.findings}, is_known(found)))

    assert rules == [(False, False), (True, False), (True, True)]
