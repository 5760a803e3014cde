"""The traps of the page cache that can be made here, each under a whole run: labelled, never wrong.

tmpfs, sparse files and peers that read past the cache are in tests/unit/bench, since they need no process around them.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Ran, ckptinspect
from tests.loads import DROPPED, on_disk, sized, write_random

SIZE = 4_000_000
RUN = ("--rounds", 1, "--device", "cpu", "--threads", 2, "--peers", "none", "--methods", "read-full", "-f", "json")
NOT_ROOT = "cannot be made here: only root can give a file away and drop privileges"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_random(on_disk(tmp_path) / "a.safetensors", sized(SIZE))


def bench(path: Path, *, under: Sequence[str] = ()) -> Ran:
    return ckptinspect("bench", path, *RUN, under=under)


def loads(ran: Ran, cache: str) -> list[Any]:
    """The trials of the method in this state."""
    found = [trial for trial in ran.data["trials"] if (trial["method"], trial["cache"]) == ("read-full", cache)]
    assert found
    return found


def test_on_an_overlay_cold_and_warm_are_what_they_are_called(path: Path, tmp_path: Path) -> None:
    for name in ("upper", "work", "merged"):
        (tmp_path / name).mkdir()
    (tmp_path / "lower").mkdir()
    path.rename(tmp_path / "lower" / path.name)
    options = "lowerdir=lower,upperdir=upper,workdir=work"
    script = f'cd {tmp_path} && mount -t overlay overlay -o {options} merged && cd - >/dev/null && exec "$@"'
    under = ("unshare", *("-m" if os.geteuid() == 0 else "-Urm",), "sh", "-c", script, "sh")
    if not shutil.which("unshare") or subprocess.run([*under, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no overlay can be mounted here")

    ran = bench(tmp_path / "merged" / path.name, under=under)

    assert (ran.code, ran.err) == (0, "")
    assert [system["file_system"] for system in ran.data["host"]["storage"]] == ["overlay"]
    for trial in loads(ran, "cold"):
        assert (trial["state"], trial["residency_before"]["mincore"]) == ("cold", 0)
        assert trial["storage_read_bytes"] >= SIZE
    for trial in loads(ran, "warm"):
        # cachestat says 0 here; what is used is the way that says more.
        assert (trial["state"], trial["residency_before"]["used"]) == ("warm", 1.0)
        assert trial["storage_read_bytes"] == 0


def test_who_does_not_own_the_file_has_the_storage_reads_for_a_proof(path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip(NOT_ROOT)
    os.chown(path, 65534, 65534)
    path.chmod(0o644)

    ran = bench(path, under=DROPPED)

    assert ran.code == 0
    for trial in ran.data["trials"]:
        if trial["role"] != "limit":
            assert trial["residency_before"]["used"] is None
            assert trial["state"] == trial["cache"]
    assert all(trial["storage_read_bytes"] >= SIZE for trial in loads(ran, "cold"))
    assert all(trial["storage_read_bytes"] == 0 for trial in loads(ran, "warm"))
    assert ran.data["warnings"] == [
        "who does not own a file is not told what of it was cached: that is not brought back"
    ]


_MAPS = """
import mmap, sys
file = open(sys.argv[1], "rb")
mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
sum(mapped[i] for i in range(0, len(mapped), 4096))
print("mapped", flush=True)
sys.stdin.read()
"""


@contextmanager
def mapped_by_another(path: Path) -> Iterator[int]:
    """The process that has the file mapped, every page of it touched."""
    command = [sys.executable, "-c", _MAPS, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"mapped\n"
        yield other.pid


def test_what_another_process_has_mapped_is_not_cold_and_the_process_is_named(path: Path) -> None:
    with mapped_by_another(path) as process:
        ran = bench(path)

    assert ran.code == 0
    for trial in loads(ran, "cold"):
        assert trial["state"] == "unproven"
        assert f"mapped by process {process} (" in trial["why"]
    rows = {row["cache"]: row for row in ran.data["summary"]}
    assert (rows["cold"]["verdict"], rows["cold"]["speed"]) == ("unproven", None)
    assert f"mapped by process {process} (" in rows["cold"]["why"]
    assert rows["warm"]["verdict"] == "measured"


def test_what_is_not_written_yet_is_written_before_it_is_dropped(path: Path) -> None:
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(len(content) - SIZE // 2)
        file.write(bytes(reversed(content[-SIZE // 2 :])))

    ran = bench(path)

    assert ran.code == 0
    for trial in loads(ran, "cold"):
        assert (trial["state"], trial["bytes"]) == ("cold", "ok")
        assert (trial["residency_before"]["used"], trial["residency_before"]["dirty"]) == (0.0, 0)
        assert trial["storage_read_bytes"] >= SIZE
