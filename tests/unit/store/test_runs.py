"""Where a run keeps what it has: parts appear whole or not at all, and the same command finds its run again."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ckptinspect.audit.targets import Target
from ckptinspect.errors import AccessError, RefError
from ckptinspect.store.runs import (
    Run,
    Targets,
    Wanted,
    claimed,
    finish,
    left_runs,
    lines_of,
    remove,
    run_of,
    write_lines,
    write_part,
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return run_of(Wanted(os.fspath(tmp_path), "f" * 64, 50))[0]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_part_appears_when_it_is_whole(tmp_path: Path) -> None:
    def write(path: str) -> None:
        Path(path).write_text("half")
        assert names(tmp_path) == [os.path.basename(path)]
        assert path.endswith(".tmp")
        Path(path).write_text("whole")

    write_part(os.fspath(tmp_path / "part.jsonl"), write)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"part.jsonl": "whole"}


def test_a_part_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def full(path: str) -> None:
        Path(path).write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(AccessError) as caught:
        write_part(os.fspath(tmp_path / "part.jsonl"), full, sync=True)

    assert str(caught.value) == (
        f"{tmp_path}/part.jsonl: it cannot be written: No space left on device;"
        " make room, then run the same command again: it goes on"
    )
    assert names(tmp_path) == []


def test_a_line_without_its_end_is_no_line(tmp_path: Path) -> None:
    write_lines(os.fspath(tmp_path / "part"), [b"1\n", b"2\n", b"half"])

    assert list(lines_of(os.fspath(tmp_path / "part"))) == [b"1\n", b"2\n"]


def test_the_same_command_goes_on_with_its_run_until_it_is_finished(tmp_path: Path) -> None:
    wanted = Wanted(os.fspath(tmp_path), "a" * 64, 50)
    first, went_on = run_of(wanted)
    again, goes_on = run_of(msgspec.structs.replace(wanted, size=200))
    other, _ = run_of(msgspec.structs.replace(wanted, fingerprint="b" * 64))

    assert (went_on, goes_on) == (False, True)
    assert again == first
    assert other.name != first.name
    finish(first)
    assert run_of(wanted) == (msgspec.structs.replace(first, name=f"{first.name}-again"), False)
    assert [run.fingerprint[0] for run in left_runs(os.fspath(tmp_path))] == ["b", "a"]


def test_a_fresh_run_removes_the_parts_of_the_one_that_was_left_and_of_no_other(tmp_path: Path) -> None:
    wanted = Wanted(os.fspath(tmp_path), "a" * 64, 50)
    left, _ = run_of(wanted)
    other, _ = run_of(msgspec.structs.replace(wanted, fingerprint="b" * 64))
    for run in (left, other):
        for kind in ("rows", "repos"):
            write_lines(run.part("00000000-abc", kind), [])
    fresh, goes_on = run_of(msgspec.structs.replace(wanted, fresh=True))

    assert not goes_on
    assert names(tmp_path / "rows") == names(tmp_path / "repos") == [f"{other.name}-00000000-abc.jsonl"]
    assert set(names(tmp_path / "runs")) == {other.name, fresh.name}


def test_a_damaged_run_is_no_run(tmp_path: Path) -> None:
    wanted = Wanted(os.fspath(tmp_path), "a" * 64, 50)
    left, _ = run_of(wanted)
    Path(left.folder, "run.json").write_text("{")

    assert not run_of(wanted)[1]


def test_a_run_is_held_by_one_process_at_a_time(run: Run) -> None:
    with claimed(run):
        with pytest.raises(RefError) as caught, claimed(run):
            pass
        assert str(caught.value) == (
            f"{run.folder}: another process is at the same run; wait for it, or choose another --store"
        )
    with claimed(run):
        pass


def test_whoever_takes_a_run_removes_what_was_half_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    for name in (f"{run.name}-00000001-abc.jsonl.1234.tmp", f"{run.name}-00000000-abc.jsonl", "other.tmp"):
        (tmp_path / "rows" / name).touch()
    with claimed(run):
        assert names(tmp_path / "rows") == sorted([f"{run.name}-00000000-abc.jsonl", "other.tmp"])


def test_removing_a_run_leaves_nothing_of_it(run: Run, tmp_path: Path) -> None:
    write_lines(run.part("00000000-abc"), [])
    remove(run)

    assert names(tmp_path / "rows") == names(tmp_path / "runs") == []


def targets(*refs: str) -> Iterator[Target]:
    return map(Target, refs)


def test_what_was_listed_comes_first_and_in_its_order(run: Run) -> None:
    first = Targets(run).all(targets("c", "a", "b"))
    assert [next(first).ref, next(first).ref] == ["c", "a"]
    first.close()  # type: ignore[attr-defined] # whoever did this was killed

    assert [target.ref for target in Targets(run).all(targets("a", "new", "b", "c"))] == ["c", "a", "new", "b"]
    assert [target.ref for target in Targets(run).all(targets("another"))] == ["c", "a", "new", "b"]


def test_what_a_target_knows_is_kept(run: Run) -> None:
    known = [Target("org/name", "a" * 40), Target("org/name@b", "b" * 40, cached=True), Target("\udcff/name")]
    list(Targets(run).all(iter(known)))

    assert list(Targets(run).all(iter(()))) == known


@pytest.mark.parametrize("kept", [True, False])
def test_a_ref_that_is_listed_twice_is_audited_once(run: Run, kept: bool) -> None:
    listed = Targets(run, kept=kept)

    assert [target.ref for target in listed.all(targets("a", "b", "a", "b", "b"))] == ["a", "b"]
    assert listed.twice == 3
    assert Path(run.folder, "targets.jsonl").exists() == kept


@pytest.mark.parametrize("torn", [b'{"ref":"c"', b'{"ref', b"\0\0\0\n", b""])
def test_a_line_that_was_being_written_is_listed_anew(run: Run, torn: bytes) -> None:
    path = Path(run.folder, "targets.jsonl")
    path.write_bytes(b'{"ref":"a"}\n{"ref":"b"}\n' + torn)

    assert [target.ref for target in Targets(run).all(targets("a", "b", "c"))] == ["a", "b", "c"]
    assert path.read_bytes() == b'{"ref":"a"}\n{"ref":"b"}\n{"ref":"c"}\n{"end":true}\n'


def test_an_error_of_the_listing_is_not_taken_for_one_of_the_disk(run: Run) -> None:
    def failing() -> Iterator[Target]:
        yield Target("a")
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        list(Targets(run).all(failing()))
