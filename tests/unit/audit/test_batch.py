"""A batch: a row for every target, written as one; done again it costs nothing, and what it says is the same."""

import asyncio
import os
import pickle
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ckptinspect.audit.batch import AuditWork, BatchReport, rows_in
from ckptinspect.audit.choice import chosen
from ckptinspect.audit.registry import every_rule
from ckptinspect.audit.run import Options
from ckptinspect.audit.targets import Batch, Target
from ckptinspect.errors import AccessError, EngineError, UnreachableError
from ckptinspect.report.v1 import AuditedData
from ckptinspect.sources.budget import Budget, Lease, PaceLostError, Quota
from ckptinspect.sources.retry import Retry
from ckptinspect.store.runs import Run, Wanted, run_of
from tests.fleet import repositories, write_kinds
from tests.hub_server import TestHub
from tests.loopback import Request

OPTIONS = Options(chosen(every_rule()))
QUICK = Retry(attempts=2, first_pause=0.001, longest_pause=0.002)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return run_of(Wanted(os.fspath(tmp_path / "store"), "f" * 64, 50))[0]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestHub]:
    with TestHub(repositories(tmp_path / "kinds", 12)) as hub:
        hub.surround(monkeypatch, tmp_path / "home")
        yield hub


def done(
    work: AuditWork, targets: Sequence[Target], pace: Budget | None = None
) -> tuple[BatchReport, list[AuditedData]]:
    """The report and the rows of a batch."""
    batch = Batch(0, tuple(targets))

    async def one() -> BatchReport:
        async with work.opened(pace or Budget()) as opened:
            return await opened(batch)

    report = asyncio.run(one())
    rows = rows_in(work.run.part(batch.name), len(targets))
    assert rows is not None
    return report, rows


def targets(hub: TestHub) -> list[Target]:
    return [Target(page) for page in sorted(hub.repos)]


def test_the_rows_stand_in_the_order_of_the_targets(hub: TestHub, run: Run) -> None:
    report, rows = done(AuditWork(OPTIONS, run), targets(hub)[::-1])

    assert [row.ref for row in rows] == sorted(hub.repos)[::-1]
    assert report == BatchReport(
        0,
        report.name,
        audited=12,
        skipped=0,
        findings=sum(len(row.findings) for row in rows),
        requests=sum(row.requests for row in rows),
    )


def test_what_was_done_is_not_done_again(hub: TestHub, run: Run) -> None:
    first = done(AuditWork(OPTIONS, run), targets(hub))
    asked = len(hub.requests)

    assert done(AuditWork(OPTIONS, run), targets(hub)) == first
    assert len(hub.requests) == asked


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"\0" * 4_000, b'{"ref": "half'])
def test_a_part_that_is_damaged_is_made_again(hub: TestHub, run: Run, damage: bytes) -> None:
    _, first = done(AuditWork(OPTIONS, run), targets(hub))
    part = Path(run.part(Batch(0, tuple(targets(hub))).name))
    part.write_bytes(damage)

    _, again = done(AuditWork(OPTIONS, run), targets(hub))
    assert [row.findings for row in again] == [row.findings for row in first]


@pytest.mark.usefixtures("hub")
def test_targets_of_every_kind_share_a_batch(run: Run, tmp_path: Path) -> None:
    local = write_kinds(tmp_path / "local")["stale"]
    mixed = [
        Target(os.fspath(local)),
        Target("org/name-002"),
        Target("nowhere/at/all"),
        Target("org/none"),
        Target("a b"),
    ]
    _, rows = done(AuditWork(OPTIONS, run), mixed)

    assert [(row.status, row.kind) for row in rows] == [
        ("audited", None),
        ("audited", None),
        ("skipped", "source"),
        ("skipped", "source"),
        ("skipped", "usage"),
    ]
    assert rows[0].findings == rows[1].findings


def test_a_known_commit_is_the_one_that_is_audited(hub: TestHub, run: Run) -> None:
    commit = hub.repos["org/name-000"].commit
    _, rows = done(AuditWork(OPTIONS, run), [Target("org/name-000", commit)])

    assert rows[0].commit == commit
    assert hub.paths("hub")[0] == f"/api/models/org/name-000/revision/{commit}"


def test_a_mistake_of_ours_is_the_row_of_one_checkpoint(
    hub: TestHub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError(arguments[1])

    monkeypatch.setattr("ckptinspect.audit.read.parse_config", broken)
    _, rows = done(AuditWork(OPTIONS, run), targets(hub)[:2])

    assert {(row.status, row.kind, row.reason) for row in rows} == {
        ("skipped", "bug", "a bug of ckptinspect: ZeroDivisionError: config.json")
    }


def test_many_in_a_row_that_cannot_be_reached_stop_the_batch(hub: TestHub, run: Run) -> None:
    hub.inject("503", times=10_000)
    with pytest.raises(UnreachableError) as caught:
        done(AuditWork(OPTIONS, run, retry=QUICK), targets(hub))

    assert caught.value.what.startswith("8 checkpoints in a row cannot be reached, the last because 127.0.0.1:")
    assert caught.value.hint == "when it can be again, run the same command: it goes on"
    assert not os.path.exists(os.path.dirname(run.part("")))


def test_a_few_that_cannot_be_reached_are_rows(hub: TestHub, run: Run) -> None:
    for number in (1, 4, 7):
        hub.inject("503", f"name-{number:03}", times=10_000)
    _, rows = done(AuditWork(OPTIONS, run, retry=QUICK), targets(hub))

    assert [row.ref for row in rows if row.status == "skipped"] == ["org/name-001", "org/name-004", "org/name-007"]


def test_a_stalled_shard_costs_a_finding_and_not_the_batch(hub: TestHub, run: Run) -> None:
    hub.inject("stall", "name-001/model-00002", times=100)
    _, rows = done(AuditWork(OPTIONS, run, timeout=1.0, retry=QUICK), targets(hub)[:2])

    assert [row.status for row in rows] == ["audited", "audited"]
    assert "has not answered" in rows[1].findings[-1].message


def test_a_pace_that_is_lost_is_no_row(hub: TestHub, run: Run) -> None:
    class Lost(Budget):
        async def lease(self, bucket: str, count: int = 1) -> Lease:
            raise PaceLostError("the scheduler is gone")

        async def observe(self, bucket: str, quota: Quota | None) -> None:
            raise AssertionError

    with pytest.raises(EngineError, match="the pace of the run is lost: the scheduler is gone; run the same"):
        done(AuditWork(OPTIONS, run), targets(hub), Lost())
    assert not os.path.exists(os.path.dirname(run.part("")))


def test_rows_that_cannot_be_written_are_an_error(hub: TestHub, run: Run) -> None:
    Path(run.store, "rows").write_text("in the way")

    with pytest.raises(AccessError, match=r"it cannot be written: (File exists|Not a directory)"):
        done(AuditWork(OPTIONS, run), targets(hub)[:1])


def test_work_survives_pickling_and_carries_no_token(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_a_secret_of_mine")
    work = AuditWork(OPTIONS, run)
    pickled = pickle.dumps(work)

    assert b"hf_a_secret" not in pickled
    assert pickle.loads(pickled) == work


def test_connections_are_kept_within_their_number(hub: TestHub, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    flying, most = Counter[str](), Counter[str]()
    answer = hub.answer

    def counted(request: Request) -> object:
        flying[request.port] += 1
        most[request.port] = max(most[request.port], flying[request.port])
        try:
            return answer(request)
        finally:
            flying[request.port] -= 1

    hub.latency = 0.01
    monkeypatch.setattr(hub, "answer", counted)
    done(AuditWork(OPTIONS, run, connections=3), targets(hub))
    assert set(most) == {"hub", "cdn"}
    assert max(most.values()) <= 3


def test_where_small_files_have_no_address_of_their_own_the_redirect_is_followed(hub: TestHub, run: Run) -> None:
    hub.inject("404", "/api/resolve-cache/", times=1)
    _, rows = done(AuditWork(OPTIONS, run), targets(hub))

    assert {row.status for row in rows} == {"audited"}
    assert not any(finding.name == "unread-file" for row in rows for finding in row.findings)
    assert any("/resolve/" in path and path.endswith("config.json") for path in hub.paths("hub"))
