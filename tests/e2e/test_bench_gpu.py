"""``ckptinspect bench`` on a GPU: through the real cuda-bindings, with a stub of the driver below them."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from ckptinspect.bench.base import Cache, Method
from ckptinspect.bench.summary import Verdict
from tests import loaders
from tests.e2e.command import ROOT, Ran, ckptinspect
from tests.loads import ODD, on_disk, ran, sized, write_random
from tests.stub_driver.build import build, compiler


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_random(on_disk(tmp_path) / "a.safetensors", sized(2_000_000))


def bench(*arguments: object, environment: dict[str, str]) -> Ran:
    return ckptinspect("bench", *arguments, environment=environment)


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    if find_spec("cuda") is None:
        pytest.skip("cuda-bindings is not installed")
    if compiler() is None:
        pytest.skip("there is no C compiler")
    return {"LD_LIBRARY_PATH": str(build(tmp_path_factory.mktemp("stub")))}


GPU = ("--rounds", 1, "--peers", "none", "--threads", 3, "--chunk", "64KiB", "--verify", "full", "-f", "json")
GPU_METHODS = {"mmap-gpu", "mmap-reg-gpu", "read-pinned-gpu", "direct-pinned-gpu", "gds"}


def test_every_load_to_a_gpu_is_right_through_the_real_bindings(
    stub: dict[str, str], path: Path, tmp_path: Path
) -> None:
    odd = write_random(tmp_path / "odd.safetensors", ODD)

    ran = bench(path, odd, *GPU, environment=stub)

    assert (ran.code, ran.err) == (0, "")
    rows = {(row["method"], row["cache"]): row for row in ran.data["summary"]}
    assert {method for method, _ in rows} == GPU_METHODS
    assert {(row["verdict"], row["bytes"]) for row in rows.values()} == {("measured", "ok")}
    assert ran.data["gpu"]["name"] == "Stub device"
    assert ran.data["gpu"]["driver"] == "580.00 (CUDA 13.0)"
    # Generation 1 at rest: the link was looked at while it copied.
    assert (ran.data["gpu"]["pcie_generation"], ran.data["gpu"]["pcie_width"]) == (5, 16)
    assert [limit["limit"] for limit in ran.data["limits"]] == ["storage", "memcpy", "h2d", "pcie"]
    (link, *_) = (trial for trial in ran.data["trials"] if trial["method"] == "limit-h2d")
    assert link["facts"]["throttling"] == "software power cap"
    (gds, *_) = (trial for trial in ran.data["trials"] if trial["method"] == "gds")
    assert gds["facts"]["gds"].startswith("compatibility mode")


def test_a_driver_without_memory_and_without_registration(stub: dict[str, str], path: Path) -> None:
    refusing = stub | {"STUB_REFUSES": "cuMemHostRegister,cuFileDriverOpen"}
    small = stub | {"STUB_MEMORY": "100000"}

    few = (*GPU, "--cache", "warm", "--methods", "mmap*gpu")

    rows = {row["method"]: row for row in bench(path, *few, environment=refusing).data["summary"]}
    skipped = bench(path, *few, environment=small).data["skipped"]

    assert rows["mmap-gpu"]["verdict"] == "measured"
    assert rows["mmap-reg-gpu"]["why"] == (
        "memory mapped read-only: cuMemHostRegister failed: CUDA_ERROR_NOT_SUPPORTED"
    )
    assert {row["reason"] for row in skipped} == {
        "the device has 100.00 kB free, and 2.00 MB are to be loaded",
        "65536 bytes: cuMemAlloc failed: CUDA_ERROR_OUT_OF_MEMORY",  # the limit of the link
    }


def test_a_driver_without_a_device_is_one_line(stub: dict[str, str], path: Path) -> None:
    none = stub | {"STUB_REFUSES": "cuInit"}

    few = ("--rounds", 1, "--peers", "none", "--cache", "warm", "--methods", "read-full,gds", "--threads", 2)
    ran = bench(path, *few, environment=none)

    assert ran.code == 0
    assert "no GPU: cuInit failed: CUDA_ERROR_NO_DEVICE\n" in ran.out
    assert bench(path, "--device", "cuda", environment=none).code == 69


@pytest.fixture
def stubbed(stub: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stub for the processes of trials that a test starts by itself."""
    with monkeypatch.context() as changed:
        for name, value in (stub | {"PYTHONPATH": str(ROOT)}).items():
            changed.setenv(name, value)
        yield


@pytest.mark.parametrize(
    ("method", "verdict"),
    [
        (loaders.Pinned(), Verdict.MEASURED),
        (loaders.ReusesSlots(), Verdict.WRONG),
        (loaders.ForgetsTheLast(), Verdict.UNFINISHED),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
@pytest.mark.usefixtures("stubbed")
def test_what_a_careless_ring_does_is_found_through_the_real_bindings(
    method: Method, verdict: Verdict, tmp_path: Path
) -> None:
    path = write_random(on_disk(tmp_path) / "a.safetensors", sized(64_000_000))

    (found,) = ran([path], [method], device="cuda:0", caches=(Cache.WARM,), chunk=1 << 23).summaries

    assert found.verdict == verdict
