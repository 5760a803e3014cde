"""Units, contention, memory, the synthetic file, links: what they answer for known input."""

import json
import os
import resource
from pathlib import Path

import pytest

from ckptinspect.bench import contention, memory, units
from ckptinspect.bench.contention import Contention, Reading
from ckptinspect.bench.files import text_in
from ckptinspect.bench.gpu import link
from ckptinspect.bench.gpu.base import Link
from ckptinspect.bench.host import host, versions
from ckptinspect.bench.reading import memory_of, read_into
from ckptinspect.bench.synthetic import synthetic
from ckptinspect.errors import CkptInspectError, RefError, ShortReadError
from ckptinspect.opening import open_checkpoint


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", 1), ("4096", 4096), ("16MiB", 1 << 24), ("2GB", 2 * 10**9), ("0.5 gib", 1 << 29), ("1kb", 1000)],
)
def test_sizes(text: str, expected: int) -> None:
    assert units.size(text, "--chunk") == expected


@pytest.mark.parametrize("text", ["", "x", "-1", "1QiB", "1e9", "0", "0MiB", "٣", "1 2", "nan"])
def test_a_size_without_a_meaning_is_a_sentence(text: str) -> None:
    with pytest.raises(RefError, match=r"^--chunk: .*; write it as 16MiB or 2GB$"):
        units.size(text, "--chunk")


@pytest.mark.parametrize(("text", "expected"), [("90", 90), ("2m", 120), ("1.5h", 5400), ("120s", 120)])
def test_times(text: str, expected: float) -> None:
    assert units.seconds(text, "--budget") == expected


@pytest.mark.parametrize("text", ["0", "-1", "x", "", "1025", "٣", "1" * 30])
def test_a_number_of_threads_is_1_to_1024(text: str) -> None:
    with pytest.raises(RefError):
        units.threads(text)


def test_an_empty_list_is_a_sentence() -> None:
    with pytest.raises(RefError, match="--cache: the list is empty; write one or more, with commas between"):
        units.several(" , ", str, "--cache")


def test_what_others_took_is_what_was_busy_less_what_was_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    before = Reading(100.0, 50.0, 1.0, 7.0, 3.0)
    after = Reading(110.0, 72.0, 3.0, 12.0, 3.5)

    found = contention.between(before, after, own_cpu=10.0)

    assert found == Contention(foreign=0.3, steal=0.05, cpu_pressure=0.5, io_pressure=0.05)
    assert found.noisy


def test_where_the_kernel_does_not_say_nothing_is_claimed() -> None:
    found = contention.between(Reading(0, None, None, None, None), Reading(1, None, None, None, None), 0.5)

    assert found == Contention(None, None, None, None)
    assert not found.noisy


def test_pressure_from_our_own_waiting_is_no_noise() -> None:
    assert not Contention(foreign=0.02, steal=0.0, cpu_pressure=0.9, io_pressure=1.0).noisy
    assert Contention(foreign=0.0, steal=0.2, cpu_pressure=0.0, io_pressure=0.0).noisy


def test_the_kernels_counters_are_read_here() -> None:
    first = contention.reading()
    sum(range(3_000_000))
    second = contention.reading()

    assert first.busy is not None
    assert second.busy is not None
    assert second.busy >= first.busy


@pytest.mark.parametrize(
    ("group", "files", "room"),
    [
        ("0::/a/b", {"/a/memory.max": "1000", "/a/memory.current": "400"}, 600),
        ("0::/a/b", {"/a/memory.max": "max", "/a/memory.current": "400"}, None),
        (
            "0::/a",
            {"/a/memory.max": "1000", "/a/memory.current": "900", "/a/memory.stat": "anon 1\ninactive_file 300"},
            400,
        ),
        (
            "4:cpu,memory:/x\n1:name=systemd:/",
            {"/memory/memory.limit_in_bytes": "1000", "/memory/memory.usage_in_bytes": "1"},
            999,
        ),
        (
            "4:memory:/x",
            {"/memory/memory.limit_in_bytes": str(2**63 - 4096), "/memory/memory.usage_in_bytes": "1"},
            None,
        ),
        ("", {}, None),
    ],
)
def test_the_room_in_a_container_is_what_its_tightest_group_leaves(
    group: str, files: dict[str, str], room: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        path = Path(f"{tmp_path}{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(memory, "_CGROUP", str(tmp_path))
    monkeypatch.setattr(memory, "text_in", lambda path: group if path == "/proc/self/cgroup" else text_in(path))

    assert memory._container() == room


def test_there_is_some_memory() -> None:
    found = memory.available()

    assert found is not None
    assert found > 0


def test_a_synthetic_file_is_real_valid_and_gone_afterwards(tmp_path: Path) -> None:
    with synthetic(3_000_000, str(tmp_path), seed=1) as path:
        checkpoint = open_checkpoint(path)
        content = Path(path).read_bytes()
        assert checkpoint.shards[0].size == os.path.getsize(path)
        assert abs(os.path.getsize(path) - 3_000_000) < 10_000
        assert os.stat(path).st_blocks * 512 >= os.path.getsize(path)
        assert len(set(content[-65536:])) == 256
        assert {tensor.dtype.code for tensor in checkpoint.tensors} == {"F16"}

    assert os.listdir(tmp_path) == []


def test_a_synthetic_file_goes_when_something_goes_wrong(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), synthetic(2_000_000, str(tmp_path), seed=1):
        raise KeyboardInterrupt

    assert os.listdir(tmp_path) == []


def test_a_synthetic_file_that_finds_no_room_half_way_is_a_sentence_and_gone(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, before[1]))
    try:
        with (
            pytest.raises(CkptInspectError) as raised,
            synthetic(40_000_000, str(tmp_path), seed=1),
        ):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert str(raised.value) == f"{tmp_path}: it cannot be written: File too large; make room"
    assert os.listdir(tmp_path) == []


def test_a_synthetic_file_takes_no_file_s_place(tmp_path: Path) -> None:
    taken = tmp_path / f"ckptinspect-bench-{os.getpid()}-1.safetensors"
    taken.write_text("mine")

    with (
        pytest.raises(CkptInspectError, match="no file can be made there: File exists"),
        synthetic(2_000_000, str(tmp_path), seed=1),
    ):
        pass

    assert taken.read_text() == "mine"


def test_a_synthetic_file_leaves_room_for_others(tmp_path: Path) -> None:
    with (
        pytest.raises(CkptInspectError, match=r"would leave less than .* free; choose a smaller size"),
        synthetic(1 << 60, str(tmp_path), seed=1),
    ):
        pass


@pytest.mark.parametrize(("size", "folder"), [(1, "."), (2_000_000, "/nowhere")])
def test_a_synthetic_file_that_cannot_be_is_a_sentence(size: int, folder: str) -> None:
    with pytest.raises(CkptInspectError), synthetic(size, folder, seed=1):
        pass


@pytest.mark.parametrize(
    ("found", "gbps"),
    [
        # PCI Express Base Specification: GT/s times lanes times the line code's efficiency, over 8.
        (Link(1, 16), 4.0),
        (Link(3, 16), 15.754),
        (Link(4, 16), 31.508),
        (Link(5, 16), 63.015),
        (Link(6, 16), 121.0),
        (Link(None, 16), None),
        (Link(9, 16), None),
    ],
)
def test_the_theory_of_a_link(found: Link, gbps: float | None) -> None:
    assert found.gbps == gbps


def test_a_link_is_read_from_the_kernel_where_nvml_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = "/sys/bus/pci/devices/0000:c1:00.0"
    files = {
        f"{folder}/current_link_speed": "2.5 GT/s PCIe",
        f"{folder}/max_link_speed": "32.0 GT/s PCIe",
        f"{folder}/numa_node": "1",
    }
    numbers = {f"{folder}/current_link_width": 8, f"{folder}/max_link_width": 16, f"{folder}/numa_node": 1}
    monkeypatch.setattr(link, "text_in", lambda path: files.get(path, ""))
    monkeypatch.setattr(link, "number_in", numbers.get)
    monkeypatch.setattr(link, "_by_nvml", lambda _: None)

    assert link.link_of("00000000:C1:00.0") == Link(1, 8, 5, 16)
    assert link.link_of("0000:ff:00.0") is None
    assert link.numa_of("00000000:C1:00.0") == 1
    assert link.numa_of("0000:ff:00.0") is None


def test_a_short_read_says_where_the_file_ended(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    descriptor = os.open(tmp_path / "a", os.O_RDONLY)

    with pytest.raises(ShortReadError) as raised:
        read_into(descriptor, memory_of(20), 4, 20)
    os.close(descriptor)

    assert str(raised.value) == "the file ends at byte 10, before byte 24"


def test_the_host_is_described_without_its_name() -> None:
    found = host()

    assert found.cpus >= 1
    assert os.uname().nodename not in json.dumps([found.kernel, found.machine, found.cpu, found.virtualization])


def test_versions_are_those_of_what_is_installed() -> None:
    found = versions(["safetensors", None, "no-such-package"])

    assert {"ckptinspect", "python", "numpy", "safetensors"} == set(found)
