"""The traps of the page cache, each made for real where this machine lets it be made."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ckptinspect.bench import cache_state
from ckptinspect.bench.base import Cache
from ckptinspect.bench.cache_state import PAGE, Evidence, Residency, Verdict, verdict
from ckptinspect.bench.files import FileSystem, file_system_of
from tests.e2e.command import ROOT
from tests.loads import DROPPED, on_disk, sized, write_random

EXT4 = FileSystem("ext4", 0xEF53, "vda", 128)
PAGES = 1024


@contextmanager
def opened(path: Path) -> Iterator[tuple[int, FileSystem]]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor, file_system_of(descriptor)
    finally:
        os.close(descriptor)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_random(on_disk(tmp_path) / "a.safetensors", sized(PAGES * PAGE))


def used(path: Path) -> float | None:
    with opened(path) as (descriptor, system):
        return cache_state.residency_of([descriptor], [system]).used


def test_a_file_that_was_read_is_warm_and_one_that_was_dropped_is_cold(path: Path) -> None:
    with opened(path) as (descriptor, system):
        cache_state.warm(descriptor)
        assert used(path) == 1.0
        assert cache_state.evict([descriptor], [system]).used == 0.0
        assert used(path) == 0.0


def test_what_was_cached_comes_back_range_by_range(path: Path) -> None:
    with opened(path) as (descriptor, system):
        cache_state.evict([descriptor], [system])
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        cache_state.warm(descriptor, [(0, 100 * PAGE)])
        ranges = cache_state.cached_ranges(descriptor)
        assert ranges == [(0, 100 * PAGE)]

        cache_state.evict([descriptor], [system])
        cache_state.warm(descriptor, ranges)

        assert cache_state.cached_ranges(descriptor) == ranges


def test_a_file_in_memory_has_no_cold_state(path: Path) -> None:
    if not os.path.isdir("/dev/shm"):
        pytest.skip("there is no /dev/shm")
    copy = Path(f"/dev/shm/ckptinspect-{os.getpid()}.safetensors")
    copy.write_bytes(path.read_bytes())
    try:
        with opened(copy) as (descriptor, system):
            assert system.name == "tmpfs"
            left = cache_state.evict([descriptor], [system])
            found = verdict(Cache.COLD, Evidence(left, 0, PAGES * PAGE), [system])
            assert found == Verdict("unproven", "tmpfs has no backing device: warm only")
    finally:
        copy.unlink()


_AS_ANOTHER = """
import os, sys
from ckptinspect.bench import cache_state
from ckptinspect.bench.files import file_system_of
fd = os.open(sys.argv[1], os.O_RDONLY)
found = cache_state.residency_of([fd], [file_system_of(fd)])
print(found.cachestat, found.mincore, found.used, cache_state.cached_ranges(fd))
print(cache_state.evict([fd], [file_system_of(fd)]).used)
"""


def test_who_does_not_own_the_file_is_not_told_of_its_pages_but_may_drop_them(path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root can give a file away and drop privileges")
    os.chown(path, 65534, 65534)
    path.chmod(0o644)
    ran = subprocess.run(
        [*DROPPED, sys.executable, "-c", _AS_ANOTHER, str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert (ran.stdout, ran.stderr) == ("None None None []\nNone\n", "")
    assert used(path) == 0.0


def test_without_a_look_into_the_cache_the_storage_reads_decide() -> None:
    blind = Residency(PAGES, None, None)

    assert verdict(Cache.COLD, Evidence(blind, 4096, 4096), [EXT4]) == Verdict(Cache.COLD)
    assert verdict(Cache.COLD, Evidence(blind, 0, 4096), [EXT4]) == Verdict(
        "unproven", "only 0% of the bytes were read from the storage"
    )
    assert verdict(Cache.WARM, Evidence(blind, 0, 4096), [EXT4]) == Verdict(Cache.WARM)
    assert verdict(Cache.COLD, Evidence(blind, None, 4096), [EXT4]).state == "unproven"


_MAPS = """
import mmap, sys, time
file = open(sys.argv[1], "rb")
m = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
sum(m[i] for i in range(0, len(m), 4096))
print("mapped", flush=True)
time.sleep(60)
"""


def test_pages_that_another_process_has_mapped_stay_and_it_is_named(path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", _MAPS, str(path)], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        other.stdout.readline()
        with opened(path) as (descriptor, system):
            left = cache_state.evict([descriptor], [system])
            mappers = cache_state.mappers_of([descriptor])
            found = verdict(Cache.COLD, Evidence(left, 0, PAGES * PAGE), [system], mappers)
        assert left.used is not None
        assert left.used > 0.9
        assert [name.split(" (")[0] for name in mappers] == [f"process {other.pid}"]
        assert found.state == "unproven"
        assert found.why is not None
        assert f"mapped by process {other.pid}" in found.why
    finally:
        other.kill()
        other.wait()
        other.stdout and other.stdout.close()


def test_dirty_pages_are_written_before_they_are_dropped(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(PAGE)
        file.write(b"x" * (500 * PAGE))
        file.flush()
        with opened(path) as (descriptor, system):
            found = cache_state.residency_of([descriptor], [system])
            assert found.dirty is not None
            assert found.dirty >= 500
            assert cache_state.evict([descriptor], [system]) == Residency(found.pages, 0, 0, 0)


def test_dirty_pages_that_stay_are_called_so() -> None:
    dirty = Residency(PAGES, PAGES // 2, PAGES // 2, dirty=10)

    assert verdict(Cache.COLD, Evidence(dirty, 0, 4096), [EXT4]) == Verdict(
        "unproven", "50% in the page cache: dirty, still being written"
    )


def test_a_server_or_a_daemon_may_have_cached_what_is_cold_here() -> None:
    nfs, empty = FileSystem("nfs", 0x6969, None, None), Residency(PAGES, 0, 0, 0)

    assert verdict(Cache.COLD, Evidence(empty, 4096, 4096), [nfs]) == Verdict(
        "unproven", "nfs: what its server or daemon has cached cannot be seen; at best client-cold"
    )


@pytest.mark.parametrize(
    ("before", "read", "expected"),
    [
        (Residency(100, 100, 100, 0), 0, Verdict("warm")),
        (Residency(100, 99, 99, 0), 10**7, Verdict("warm")),
        (
            Residency(100, 100, 100, 0),
            10**7 + 1,
            Verdict("bypasses cache", "1% of the bytes were read from the storage"),
        ),
        (Residency(100, 100, 100, 0), 10**9, Verdict("bypasses cache", "100% of the bytes were read from the storage")),
        (Residency(100, 0, 98, 0), 0, Verdict("unproven", "only 98% in the page cache")),
    ],
)
def test_warm_is_all_in_the_cache_and_nothing_from_the_storage(before: Residency, read: int, expected: Verdict) -> None:
    assert verdict(Cache.WARM, Evidence(before, read, 10**9), [EXT4]) == expected


@pytest.mark.parametrize(
    ("nbytes", "read", "state"),
    [
        (10_000_000, 1 << 20, "warm"),
        (10_000_000, (1 << 20) + 1, "bypasses cache"),
        (2_000_000, 1_000_000, "warm"),
        (2_000_000, 1_000_001, "bypasses cache"),
        (8192, 8192, "bypasses cache"),
    ],
)
def test_a_process_may_read_a_page_of_a_library_while_it_loads(nbytes: int, read: int, state: str) -> None:
    assert verdict(Cache.WARM, Evidence(Residency(10, 10, 10, 0), read, nbytes), [EXT4]).state == state


@pytest.mark.parametrize(
    ("before", "read", "state"),
    [
        (Residency(100, 1, 0, 0), 9900, "cold"),
        (Residency(100, 2, 0, 0), 10_000, "unproven"),
        (Residency(100, 0, 2, 0), 10_000, "unproven"),
        (Residency(100, 0, 0, 0), 9_899, "unproven"),
    ],
)
def test_cold_is_nothing_in_the_cache_and_all_from_the_storage(before: Residency, read: int, state: str) -> None:
    assert verdict(Cache.COLD, Evidence(before, read, 10_000), [EXT4]).state == state


def test_as_it_is_claims_nothing() -> None:
    assert verdict(Cache.AS_IS, Evidence(Residency(100, 37, 37, 0), 0, 1), [EXT4]) == Verdict(
        "as-is", "37% in the page cache"
    )


def test_an_old_kernel_without_cachestat_leaves_mincore_to_the_owner(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_state, "_cachestat", lambda _: errno.ENOSYS)
    with opened(path) as (descriptor, system):
        cache_state.warm(descriptor)
        found = cache_state.residency_of([descriptor], [system])

    assert (found.cachestat, found.mincore, found.used) == (None, found.pages, 1.0)


def test_a_map_of_our_own_to_count_pages_is_gone_afterwards(path: Path) -> None:
    with opened(path) as (descriptor, system):
        cache_state.residency_of([descriptor], [system])
        maps = Path("/proc/self/maps").read_text()

    assert str(path) not in maps


def test_an_empty_file_has_no_pages(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with opened(tmp_path / "empty") as (descriptor, system):
        assert cache_state.residency_of([descriptor], [system]).pages == 0
        assert cache_state.cached_ranges(descriptor) == []
