"""A run: rows in the order of the list, whatever the engine did first, and from where it was left."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ckptinspect.audit import campaign
from ckptinspect.audit.batch import AuditWork, BatchReport, report_of
from ckptinspect.audit.campaign import Plan, Stream, finished, rows_of, run_for
from ckptinspect.audit.choice import chosen
from ckptinspect.audit.listing import Given, Listing
from ckptinspect.audit.registry import every_rule
from ckptinspect.audit.run import Options
from ckptinspect.audit.targets import Batch, Shard, Target
from ckptinspect.engines.base import Engine, Work
from ckptinspect.errors import EngineError, RefError
from ckptinspect.report.data import encoded
from ckptinspect.report.v1 import AuditedData
from ckptinspect.store.place import cache_place
from ckptinspect.store.runs import Run, write_lines

OPTIONS = Options(chosen(every_rule()))


class Refs(Listing):
    """A list that is not on this machine."""

    def __init__(self, *refs: str, stamp: str = "list") -> None:
        self.refs = refs
        self._stamp = stamp

    @property
    def stamp(self) -> str:
        return self._stamp

    def targets(self) -> Iterator[Target]:
        return map(Target, self.refs)


def row(ref: str) -> AuditedData:
    return AuditedData(ref, None, "audited", None, None, (), 0, 1, 10)


class Shuffled(Engine):
    """Does batches three at a time, the last of them first; stops after as many as it is told."""

    name = "shuffled"

    def __init__(self, run: Run, *, stops_after: int = 1_000, writes: bool = True) -> None:
        super().__init__()
        self.run, self.left, self.writes = run, stops_after, writes
        self.done: list[int] = []

    def map(self, work: Work[Any, Any], batches: Iterable[Any]) -> Iterator[Any]:
        waiting: list[Batch] = []
        for batch in batches:
            waiting.append(batch)
            if len(waiting) == 3:
                yield from self._all(waiting)
        yield from self._all(waiting)

    def _all(self, waiting: list[Batch]) -> Iterator[BatchReport]:
        while waiting:
            batch = waiting.pop()
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            rows = [row(target.ref) for target in batch.targets]
            if self.writes:
                write_lines(self.run.part(batch.name), (encoded(row) + b"\n" for row in rows))
            self.done.append(batch.number)
            yield report_of(batch, rows)


def work(run: Run) -> AuditWork:
    return AuditWork(OPTIONS, run)


def plan(*refs: str, **fields: Any) -> Plan:
    return Plan((Refs(*refs),), OPTIONS, size=2, **fields)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CKPTINSPECT_CACHE", os.fspath(tmp_path / "cache"))


LETTERS = tuple("abcdefghijklmnopq")


def test_rows_come_in_the_order_of_the_list() -> None:
    told: list[BatchReport] = []
    with run_for(plan(*LETTERS)) as (run, goes_on):
        engine = Shuffled(run)
        stream = Stream(plan(*LETTERS), run)
        rows = [row.ref for row in rows_of(work(run), engine, stream.targets(), told.append)]

    assert not goes_on
    assert rows == list(LETTERS)
    assert engine.done == [2, 1, 0, 5, 4, 3, 8, 7, 6]
    assert sum(report.audited for report in told) == stream.total == len(LETTERS)


def test_a_run_that_was_left_goes_on_with_what_is_not_done() -> None:
    with run_for(plan(*LETTERS)) as (run, _), pytest.raises(KeyboardInterrupt):
        list(rows_of(work(run), Shuffled(run, stops_after=4), Stream(plan(*LETTERS), run).targets(), lambda _: None))
    told: list[BatchReport] = []
    with run_for(plan(*LETTERS)) as (again, goes_on):
        engine = Shuffled(again)
        rows = list(rows_of(work(again), engine, Stream(plan(*LETTERS), again).targets(), told.append))
        finished(plan(*LETTERS), again)

    assert (again, goes_on) == (run, True)
    assert [row.ref for row in rows] == list(LETTERS)
    assert sorted(engine.done) == [3, 4, 6, 7, 8]
    assert sum(report.audited for report in told) == len(LETTERS)
    assert not os.path.exists(run.store)


def test_a_list_that_has_changed_meanwhile_goes_on_in_its_old_order() -> None:
    with run_for(plan(*LETTERS)) as (run, _), pytest.raises(KeyboardInterrupt):
        list(
            rows_of(work(run), Shuffled(run, stops_after=3), Stream(plan(*LETTERS[:8]), run).targets(), lambda _: None)
        )
    Path(run.folder, "targets.jsonl").write_bytes(
        b"".join(Path(run.folder, "targets.jsonl").read_bytes().splitlines(keepends=True)[:8])
    )
    with run_for(plan(*LETTERS)) as (again, _):
        engine = Shuffled(again)
        stream = Stream(plan("new", *reversed(LETTERS)), again)
        rows = [row.ref for row in rows_of(work(again), engine, stream.targets(), lambda _: None)]

    assert rows == [*LETTERS[:8], "new", *reversed(LETTERS[8:])]
    assert set(engine.done).isdisjoint({0, 1, 2})


def test_another_command_is_another_run() -> None:
    plans = [
        plan("a"),
        Plan((Refs("a", stamp="other"),), OPTIONS),
        plan("a", shard=Shard(1, 2)),
        Plan((Refs("a"),), Options(chosen(every_rule(), ignore=("CK1",)))),
        Plan((Refs("a"),), Options(OPTIONS.rules, offline=True)),
        Plan((Refs("a"),), Options(chosen(every_rule(), settings={"oversized-header": {"limit": 7}}))),
    ]

    assert len({plan.fingerprint for plan in plans}) == len(plans)
    assert plan("a").fingerprint == Plan((Refs("a"),), OPTIONS, store="elsewhere", fresh=True).fingerprint


def test_two_processes_are_not_at_the_same_run() -> None:
    with run_for(plan("a")), pytest.raises(RefError, match="another process is at the same run"), run_for(plan("a")):
        pass


def test_what_lies_on_this_machine_is_not_kept(tmp_path: Path) -> None:
    local = Plan((Given((os.fspath(tmp_path),)),), OPTIONS)
    with run_for(local) as (run, goes_on):
        assert not goes_on
        assert not run.store.startswith(cache_place())
    assert not os.path.exists(run.store)
    with run_for(Plan(local.listings, OPTIONS, store=os.fspath(tmp_path / "store"))) as (stored, _):
        assert stored.store == os.fspath(tmp_path / "store")
    assert os.path.exists(stored.folder)


def test_without_a_place_for_it_a_run_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CKPTINSPECT_CACHE", os.fspath(tmp_path / "file"))

    with run_for(plan("a")) as (run, _):
        assert os.path.isdir(run.folder)


def test_runs_that_nobody_went_on_with_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    with run_for(plan("a")) as (old, _):
        pass
    monkeypatch.setattr(campaign, "_STALE", -1)
    with run_for(plan("b", shard=Shard(1, 2))):
        assert not os.path.exists(old.store)


def test_rows_that_are_not_where_they_should_be_are_an_engine_error() -> None:
    with run_for(plan("a")) as (run, _), pytest.raises(EngineError) as caught:
        list(rows_of(work(run), Shuffled(run, writes=False), Stream(plan("a"), run).targets(), lambda _: None))

    assert caught.value.what == "a batch is done, and its rows are not there"
    assert caught.value.hint == (
        "on other machines the workers need the same folder: name one that all can reach with --store"
    )


def test_a_shard_has_its_own_targets() -> None:
    found = []
    for number in (1, 2):
        shard = plan(*LETTERS, shard=Shard(number, 2))
        with run_for(shard) as (run, _):
            found += [target.ref for target in Stream(shard, run).targets()]

    assert sorted(found) == sorted(LETTERS)


def test_a_long_list_is_looked_at_a_way_ahead_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "LARGE", 5)
    with run_for(plan(*LETTERS)) as (run, _):
        stream = Stream(plan(*LETTERS), run)
        assert [target.ref for target in stream.ahead] == list(LETTERS[:5])
        assert stream.total is None
        assert [target.ref for target in stream.targets()] == list(LETTERS)
