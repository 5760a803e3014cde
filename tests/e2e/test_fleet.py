"""Audits of many checkpoints on the command line: where they come from, what is written, and what is gone on with."""

import contextlib
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests.e2e.command import ROOT, Ran, ckptinspect
from tests.fleet import alike, repositories, rows_in, write_list
from tests.folders import write_safetensors
from tests.hub_server import FAULTS, Quota, TestHub

COUNT = 30
ENGINES = ["local", *(pytest.param(name, marks=pytest.mark.slow) for name in ("ray", "dask"))]


def available(engine: str) -> None:
    """Skip where an engine's package has no wheel for this Python; what brings it is the extra ``slow``."""
    if engine != "local":
        pytest.importorskip("distributed" if engine == "dask" else engine)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[TestHub]:
    with TestHub(repositories(tmp_path / "kinds", COUNT)) as hub:
        hub.quotas = {name: Quota(1_000_000, 300) for name in hub.quotas}
        yield hub


@pytest.fixture
def names(hub: TestHub, tmp_path: Path) -> Path:
    return write_list(tmp_path / "names.txt", sorted(hub.repos))


def audit(hub: TestHub, home: Path, *arguments: object) -> Ran:
    return ckptinspect("audit", *arguments, environment=hub.environment(home))


def test_a_list_of_repositories_gives_a_row_each_in_its_order(hub: TestHub, names: Path, tmp_path: Path) -> None:
    ran = audit(hub, tmp_path / "home", "--from", names, "-f", "jsonl")
    rows = rows_in(ran.out)

    assert ran.code == 1
    assert [row["ref"] for row in rows] == sorted(hub.repos)
    assert {row["status"] for row in rows} == {"audited"}
    assert [[finding["rule"] for finding in row["findings"]] for row in rows[:5]] == [
        [],
        ["CK209"],
        ["CK209", "CK301"],
        ["CK801", "CK703"],
        ["CK105"],
    ]
    assert all(row["commit"] == hub.repos[row["ref"]].commit for row in rows)


def test_the_rows_are_those_of_each_repository_by_itself(hub: TestHub, names: Path, tmp_path: Path) -> None:
    many = rows_in(audit(hub, tmp_path / "home", "--from", names, "-f", "jsonl").out)
    single = [rows_in(audit(hub, tmp_path / "home", row["ref"], "-f", "jsonl").out)[0] for row in many[:5]]

    assert alike(many[:5]) == alike(single)


def test_a_second_audit_asks_once_a_repository_and_with_known_commits_not_at_all(
    hub: TestHub, names: Path, tmp_path: Path
) -> None:
    first = audit(hub, tmp_path / "home", "--from", names, "-f", "jsonl")
    cold = len(hub.requests)
    second = audit(hub, tmp_path / "home", "--from", names, "-f", "jsonl")
    warm = len(hub.requests) - cold
    listed = audit(hub, tmp_path / "home", "--org", "org", "-f", "jsonl")

    assert cold > 3 * COUNT
    assert warm <= 1.1 * COUNT
    assert len(hub.requests) - cold - warm == 1
    assert alike(rows_in(first.out)) == alike(rows_in(second.out)) == alike(rows_in(listed.out))
    assert {row["requests"] for row in rows_in(second.out)} == {1}
    assert {row["requests"] for row in rows_in(listed.out)} == {0}


def test_without_the_cache_everything_is_asked_for_again(hub: TestHub, names: Path, tmp_path: Path) -> None:
    first = audit(hub, tmp_path / "home", "--from", names, "-f", "jsonl", "--no-cache")
    cold = len(hub.requests)
    second = audit(hub, tmp_path / "home", "--from", names, "-f", "jsonl", "--no-cache")

    assert alike(rows_in(first.out)) == alike(rows_in(second.out))
    assert len(hub.requests) == 2 * cold
    assert not (tmp_path / "home" / "ckptinspect" / "headers-v1.sqlite").exists()


def test_one_bad_repository_is_a_row_with_its_reason(hub: TestHub, names: Path, tmp_path: Path) -> None:
    hub.gated, hub.private, hub.disabled = {"org/name-001"}, {"org/name-003"}, {"org/name-005"}
    ran = audit(hub, tmp_path / "home", "--from", names, "-f", "jsonl")
    skipped = {row["ref"]: row["reason"] for row in rows_in(ran.out) if row["status"] == "skipped"}

    assert ran.code == 5
    assert len(rows_in(ran.out)) == COUNT
    assert {ref: reason.partition(";")[0] for ref, reason in skipped.items()} == {
        "org/name-001": "org/name-001: the repository is gated",
        "org/name-003": "org/name-003: no such repository, or a private one",
        "org/name-005": "org/name-005: the Hub has disabled this repository",
    }
    assert ran.err.count("error: ") == 3


def test_before_many_it_is_said_what_they_will_take(hub: TestHub, names: Path, tmp_path: Path) -> None:
    ran = audit(hub, tmp_path / "home", "--from", names, "-o", tmp_path / "out.txt")

    assert ran.err == (
        "30 repositories of the Hub: about 198 requests, 5 seconds or more at a quota for 500 repositories in"
        " 5 minutes; fewer and less where headers are kept\n"
    )
    assert audit(hub, tmp_path / "home", "--from", names, "-q", "-o", tmp_path / "out.txt").err == ""


def test_people_see_each_of_a_hundred_and_of_more_what_they_come_to(hub: TestHub, tmp_path: Path) -> None:
    spellings = [f"{page}{at}" for page in sorted(hub.repos) for at in ("", "@main", f"@{hub.repos[page].commit}")]
    few = audit(hub, tmp_path / "home", "--from", write_list(tmp_path / "few", spellings), "-q")
    more = [f"hf://{page}" for page in sorted(hub.repos)]
    many = audit(hub, tmp_path / "home", "--from", write_list(tmp_path / "many", spellings + more), "-q")

    assert few.out.startswith("Audit of 90 checkpoints\n\norg/name-001 @ ")
    assert many.out == (
        "Audit of 120 checkpoints\n\n"
        "rule   name             severity  checkpoints  findings  could be left out\n"
        "CK105  not-safetensors  error              24        24\n"
        "CK301  missing-shard    error              24        24\n"
        "CK703  several-formats  warning            24        24            9.60 kB\n"
        "CK801  pickle-files     warning            24        24\n"
        "CK209  missing-format   info               48        48\n\n"
        "48 errors, 48 warnings and 48 info; up to 9.60 kB could be left out; 120 checkpoints audited\n"
    )


def test_a_file_appears_when_it_is_whole_and_a_pipe_that_closes_is_no_error(
    hub: TestHub, names: Path, tmp_path: Path
) -> None:
    whole = audit(hub, tmp_path / "home", "--from", names, "-o", tmp_path / "rows.jsonl")
    assert (whole.code, whole.out) == (1, "")
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == COUNT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "kinds", "names.txt", "rows.jsonl"]
    command = f"{sys.executable} -m ckptinspect audit --from {names} -q -f jsonl | head -n 1"
    ran = subprocess.run(
        command,
        shell=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env=os.environ | hub.environment(tmp_path / "home"),
    )
    assert json.loads(ran.stdout)["ref"] == "org/name-000"
    assert ran.stderr == ""


def test_parts_of_a_run_on_several_machines_come_to_the_whole(hub: TestHub, names: Path, tmp_path: Path) -> None:
    whole = rows_in(audit(hub, tmp_path / "home", "--from", names, "-f", "jsonl").out)
    parts = [
        row
        for number in (1, 2, 3)
        for row in rows_in(audit(hub, tmp_path / "home", "--from", names, "-f", "jsonl", "--shard", f"{number}/3").out)
    ]

    assert sorted(alike(parts), key=lambda row: str(row["ref"])) == alike(whole)


def started(
    hub: TestHub, home: Path, *arguments: object, first: Callable[[], None] | None = None
) -> "subprocess.Popen[bytes]":
    """An audit in a process of its own, which does ``first`` before anything else."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    return subprocess.Popen(
        [sys.executable, "-m", "ckptinspect", "audit", *map(str, arguments)],
        cwd=ROOT,
        env=environment | hub.environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=first,  # noqa: PLW1509 - it sets a limit, and no thread holds a lock for that
    )


def test_an_interrupt_keeps_what_is_done_and_the_same_command_goes_on(
    hub: TestHub, names: Path, tmp_path: Path
) -> None:
    expected = rows_in(audit(hub, tmp_path / "other", "--from", names, "-f", "jsonl").out)
    hub.latency = 0.2
    running = started(hub, tmp_path / "home", "--from", names, "-f", "jsonl")
    while len(hub.requests) < 250:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    hub.latency = 0

    assert running.returncode == 130
    assert err.decode().splitlines()[-2:] == ["what is done is kept: the same command goes on", "error: interrupted"]
    again = audit(hub, tmp_path / "home", "--from", names, "-f", "jsonl")
    assert alike(rows_in(again.out)) == alike(expected)
    assert again.err.startswith("going on with the run ")


def test_a_network_that_is_gone_stops_the_run_and_the_same_command_goes_on(
    hub: TestHub, names: Path, tmp_path: Path
) -> None:
    expected = rows_in(audit(hub, tmp_path / "other", "--from", names, "-f", "jsonl").out)
    hub.inject("503", "/api/models", times=10_000)
    ran = audit(hub, tmp_path / "home", "--from", names, "-f", "jsonl", "--timeout", "1")

    assert ran.code == 3
    assert "8 checkpoints in a row cannot be reached" in ran.err
    assert ran.err.endswith("when it can be again, run the same command: it goes on\n")
    hub._faults.clear()
    assert alike(rows_in(audit(hub, tmp_path / "home", "--from", names, "-f", "jsonl").out)) == alike(expected)


def test_a_disk_that_is_full_stops_the_run_and_the_same_command_goes_on(
    hub: TestHub, names: Path, tmp_path: Path
) -> None:
    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))

    arguments = ("--from", names, "-f", "jsonl", "-q")
    full = started(hub, tmp_path / "home", *arguments, first=no_room)
    out, err = full.communicate(timeout=60)

    assert (full.returncode, out) == (3, b"")
    last = err.decode().splitlines()[-1]
    assert last.startswith(f"error: {tmp_path}/home/ckptinspect/runs/")
    assert last.endswith("cannot be written: File too large; make room, then run the same command again: it goes on")
    assert len(rows_in(audit(hub, tmp_path / "home", *arguments).out)) == COUNT


def test_the_quota_is_kept_before_the_hub_refuses(hub: TestHub, names: Path, tmp_path: Path) -> None:
    hub.quotas = {"api": Quota(40, 2), "resolvers": Quota(40, 2)}
    ran = audit(hub, tmp_path / "home", "--from", names, "-f", "jsonl")

    assert len(rows_in(ran.out)) == COUNT
    assert [request.status for request in hub.requests].count(429) == 0


class Watched(Quota):
    """A quota that remembers how many requests came in each of its windows."""

    def __init__(self, limit: int, window: float) -> None:
        super().__init__(limit, window)
        self.windows: list[int] = []

    def take(self) -> bool:
        began = self.ends
        granted = super().take()
        if self.ends != began:
            self.windows.append(0)
        self.windows[-1] += 1
        return granted


@pytest.mark.parametrize("engine", ENGINES)
def test_no_window_of_a_quota_sees_more_than_it_grants(tmp_path: Path, engine: str) -> None:
    available(engine)
    with TestHub(repositories(tmp_path / "kinds", 700), latency=0.01) as hub:
        quotas = {"api": Watched(400, 4), "resolvers": Watched(400, 4)}
        hub.quotas = dict(quotas)
        names = write_list(tmp_path / "names.txt", sorted(hub.repos))
        ran = audit(hub, tmp_path / "home", "--from", names, "-f", "jsonl", "--engine", engine)
        refused = [request.status for request in hub.requests].count(429)

    assert len(rows_in(ran.out)) == 700
    assert [len(quota.windows) >= 2 for quota in quotas.values()] == [True, True]
    assert max(count for quota in quotas.values() for count in quota.windows) <= 400
    assert refused == 0


def test_requests_keep_the_rate_that_was_asked_for(hub: TestHub, tmp_path: Path) -> None:
    few = write_list(tmp_path / "few.txt", sorted(hub.repos)[:4])
    began = time.monotonic()
    audit(hub, tmp_path / "home", "--from", few, "-f", "jsonl", "--max-rps", "5")

    assert time.monotonic() - began >= (len(hub.requests) - 1) / 5


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_goes_wrong_on_the_way_every_repository_has_its_row(tmp_path: Path, seed: int) -> None:
    with TestHub(repositories(tmp_path / "kinds", 150)) as hub:
        hub.quotas = {name: Quota(1_000_000, 300) for name in hub.quotas}
        hub.disturb(0.05, {*FAULTS, "429", "500", "502", "503", "504", "401", "403", "404"}, seed)
        hub.gated = {"org/name-001"}
        names = write_list(tmp_path / "names.txt", sorted(hub.repos))
        began = time.monotonic()
        ran = audit(hub, tmp_path / "home", "--from", names, "-f", "jsonl", "--timeout", "4")
        assert hub.disturbed > 20
    rows = rows_in(ran.out)

    assert ran.code == 5, ran.err
    assert [row["ref"] for row in rows] == sorted(hub.repos)
    assert all(row["reason"] for row in rows if row["status"] == "skipped")
    assert time.monotonic() - began < 60


def test_options_that_make_no_sense_are_usage_errors(hub: TestHub, tmp_path: Path) -> None:
    for arguments, sentence in (
        (("--from", "x", "--engine", "spark"), "--engine: 'spark' is no engine; choose one of local, ray, dask"),
        (("org/a", "--shard", "3/2"), "--shard: '3/2' is no part of a whole; write 1/4 for the first of four"),
        (("org/a", "--jobs", "0"), "--jobs: it has to be 1 or more; leave it out, or write another number"),
        ((), "there is nothing to audit; name a REF, or use --from, --org or --hub-cache"),
        (("org/a", "--hash", "--org", "org"), "--hash compares the contents of the REFs that are named; leave out the"),
    ):
        ran = audit(hub, tmp_path / "home", *arguments)
        assert ran.code in {2, 3}
        assert ran.err.startswith(f"error: {sentence}"), ran.err


def test_a_local_tree_is_read_anew_each_time_and_leaves_nothing(hub: TestHub, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    repositories(tree, 0)
    first = audit(hub, tmp_path / "home", tree, "--recursive", "-f", "jsonl")
    second = audit(hub, tmp_path / "home", tree, "--recursive", "-f", "jsonl")

    assert first == second
    assert len(rows_in(first.out)) == 5
    assert not (tmp_path / "home").exists()


def test_an_interrupt_of_a_tree_leaves_nothing_behind(tmp_path: Path) -> None:
    for number in range(3_000):
        write_safetensors(tmp_path / "tree" / str(number) / "model.safetensors", {f"w{number}": ("F32", (number + 1,))})
    (tmp_path / "temporary").mkdir()
    running = subprocess.Popen(
        [sys.executable, "-m", "ckptinspect", "audit", tmp_path / "tree", "--recursive", "-o", tmp_path / "rows.jsonl"],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": os.fspath(tmp_path / "temporary")},
        stderr=subprocess.PIPE,
    )
    until(lambda: any((tmp_path / "temporary").rglob("*.jsonl")), 60)
    workers = sorted(descendants(running.pid))
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)

    assert (running.returncode, err) == (130, b"error: interrupted\n")
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not (tmp_path / "rows.jsonl").exists()
    assert workers
    until(lambda: gone(workers), 10)


def descendants(process: int) -> set[int]:
    """The processes that a process has started, and those that they have."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            parents[int(name)] = int(Path("/proc", name, "stat").read_text().rpartition(")")[2].split()[1])
    found, new = set[int](), {process}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def workers_of(process: int) -> list[int]:
    """Those that do the work of Ray or of Dask."""
    found = []
    for child in sorted(descendants(process)):
        with contextlib.suppress(OSError):
            command = Path("/proc", str(child), "cmdline").read_bytes()
            if re.search(rb"ray::\d{8}-|spawn_main", command):
                found.append(child)
    return found


def kill(processes: Iterable[int]) -> None:
    """Kill them, as far as they are there."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def gone(processes: list[int]) -> bool:
    """Whether they have ended, as those of a cluster do some time after the one that started it."""
    states = []
    for process in processes:
        with contextlib.suppress(OSError):
            states.append(Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()[0])
    return all(state == "Z" for state in states)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_is_killed_again_and_again_gives_the_rows_of_one_that_was_not(tmp_path: Path, engine: str) -> None:
    available(engine)
    chance = random.Random(4)
    with TestHub(repositories(tmp_path / "kinds", 300), latency=0.01) as hub:
        hub.quotas = {name: Quota(1_000_000, 300) for name in hub.quotas}
        names = write_list(tmp_path / "names.txt", sorted(hub.repos))
        arguments = ("--from", names, "-f", "jsonl", "--engine", engine)
        expected = rows_in(audit(hub, tmp_path / "other", "--from", names, "-f", "jsonl").out)
        whole = len(hub.requests)
        # The workers of a cluster go on for a while when whoever started them is gone.
        hub.latency = 0.01 if engine == "local" else 0.2
        for turn in range(5):
            begun, enough = len(hub.requests), chance.randrange(10, whole // 12)
            running = started(hub, tmp_path / "home", *arguments, "-o", tmp_path / "rows.jsonl")
            while len(hub.requests) < begun + enough and running.poll() is None:
                time.sleep(0.005)
            assert running.poll() is None, running.communicate()
            workers, all_of_it = workers_of(running.pid), descendants(running.pid)
            running.kill()
            running.communicate(timeout=30)
            if turn:
                # As when a machine goes down; the first time its workers outlive it for a while.
                kill(all_of_it)
            until(lambda workers=workers: gone(workers), 60)  # type: ignore[misc]
        left = len(hub.requests)
        hub.latency = 0
        final = audit(hub, tmp_path / "home", *arguments)
        repeated = len(hub.requests) - whole - whole

    assert final.err.startswith("going on with the run ")
    assert alike(rows_in(final.out)) == alike(expected)
    assert left - whole > whole / 12
    assert repeated < whole / 2, "what was read once is not read again"


def until(true: Callable[[], bool], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_a_worker_that_is_killed_loses_nothing(tmp_path: Path, engine: str) -> None:
    available(engine)
    with TestHub(repositories(tmp_path / "kinds", 300), latency=0.02) as hub:
        hub.quotas = {name: Quota(1_000_000, 300) for name in hub.quotas}
        names = write_list(tmp_path / "names.txt", sorted(hub.repos))
        expected = rows_in(audit(hub, tmp_path / "other", "--from", names, "-f", "jsonl").out)
        begun = len(hub.requests)
        running = started(hub, tmp_path / "home", "--from", names, "-f", "jsonl", "--engine", engine)
        until(lambda: len(hub.requests) > begun + 100, 60)
        os.kill(random.Random(2).choice(workers_of(running.pid)), signal.SIGKILL)
        out, err = running.communicate(timeout=120)

    assert running.returncode == 1, err
    assert alike(rows_in(out.decode())) == alike(expected)
