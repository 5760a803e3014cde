"""What every load method promises: the right bytes, all of them, nothing imported before it is wanted."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ckptinspect.bench.base import Destination, Method, Role, method_at
from ckptinspect.bench.methods import LIMITS, METHODS, all_methods
from ckptinspect.bench.methods.peers import check_names_differ
from ckptinspect.bench.subject import found_at
from ckptinspect.errors import UnavailableError
from fixtures.build import hostile
from tests.e2e.command import ROOT
from tests.folders import Shapes
from tests.loads import ODD, loaded_by, on_disk, sized, write_random

OURS = [kind for kind in METHODS if kind.role is Role.OURS]
ON_CPU = [kind for kind in OURS if kind.on_cpu]
ON_GPU = [kind for kind in OURS if kind.on_gpu and kind.name != "gds"]
PEERS = [kind for kind in METHODS if kind.role is Role.PEER]
FILES: dict[str, list[Shapes]] = {
    "odd": [ODD],
    "sharded": [sized(300_000, 3), {"other": ("U8", (70_001,))}, ODD],
    "empty": [{"nothing": ("F32", (0,))}],
    "large header": [{f"{'x' * 100}.{number}": ("F16", (8,)) for number in range(2000)}],
}


def written(folder: Path, name: str) -> list[Path]:
    return [
        write_random(on_disk(folder) / f"part{n}.safetensors", shapes, seed=n) for n, shapes in enumerate(FILES[name])
    ]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ON_CPU, ids=lambda kind: kind.name)
def test_a_load_to_memory_brings_every_byte(kind: type[Method], name: str, tmp_path: Path) -> None:
    paths = written(tmp_path, name)

    finding = loaded_by(kind(), paths)

    assert finding.wrong is None
    assert finding.checked == sum(path.stat().st_size for path in paths) - headers_of(paths)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ON_GPU, ids=lambda kind: kind.name)
def test_a_load_to_a_device_brings_every_byte(kind: type[Method], name: str, tmp_path: Path) -> None:
    paths = written(tmp_path, name)

    finding = loaded_by(kind(), paths, device="tests.devices:lazy")

    assert finding.wrong is None
    assert finding.checked == sum(path.stat().st_size for path in paths) - headers_of(paths)


@pytest.mark.parametrize("kind", [k for k in [*ON_CPU, *ON_GPU] if k.package != "safetensors"], ids=lambda k: k.name)
def test_whatever_file_is_valid_is_loaded_right(kind: type[Method], tmp_path: Path) -> None:
    device = "tests.devices:lazy" if kind.on_gpu else "cpu"
    for recipe in (recipe for recipe in hostile() if recipe.accepted and not recipe.large):
        path = on_disk(tmp_path) / recipe.name / "x.safetensors"
        path.parent.mkdir()
        recipe.grow(path)
        if not found_at([str(path)], 1 << 40).skipped:
            assert loaded_by(kind(), [path], device=device).wrong is None, recipe.name


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("kind", [kind for kind in [*ON_CPU, *ON_GPU] if kind.threaded], ids=lambda kind: kind.name)
def test_the_number_of_threads_changes_nothing_but_the_speed(kind: type[Method], threads: int, tmp_path: Path) -> None:
    path = write_random(on_disk(tmp_path) / "a.safetensors", sized(1_000_000))
    device = "tests.devices:lazy" if kind.on_gpu else "cpu"

    assert loaded_by(kind(), [path], threads=threads, chunk=4096, device=device).wrong is None


@pytest.mark.parametrize("kind", PEERS, ids=lambda kind: kind.name)
def test_a_peer_brings_every_byte_or_says_what_it_lacks(kind: type[Method], tmp_path: Path) -> None:
    method = kind()
    shapes: list[Shapes] = [sized(3_000_000), {"other": ("F16", (70, 1001))}]
    paths = [write_random(on_disk(tmp_path) / f"{n}.safetensors", shapes[n], seed=n) for n in (0, 1)]

    if (why := method.unavailable()) is not None:
        assert re.fullmatch(r"\w+ is not installed: pip install \S+|safetensors 0\.8\S* has no prefetch: .*", why)
    elif method.on_cpu:
        assert loaded_by(method, paths).wrong is None
    else:
        assert (method.on_gpu, method.destination) == (True, Destination.DEVICE)


def test_a_peer_that_does_not_tell_files_apart_is_given_no_name_twice(tmp_path: Path) -> None:
    same = [str(write_random(tmp_path / f"{n}.safetensors", sized(4096), seed=n)) for n in (0, 1)]
    other = str(write_random(tmp_path / "other.safetensors", {"other": ("U8", (1,))}))

    check_names_differ([same[0], other])
    with pytest.raises(UnavailableError) as raised:
        check_names_differ([*same, other])
    assert str(raised.value) == "two of the files have a tensor 'layers.0.weight', and it does not tell files apart"


def test_a_dtype_that_numpy_lacks_is_a_reason_and_what_brings_it(tmp_path: Path) -> None:
    if find_spec("ml_dtypes") is not None:
        pytest.skip("ml_dtypes is installed")
    path = write_random(tmp_path / "a.safetensors", {"w": ("BF16", (8,))})
    (numpy,) = (kind for kind in OURS if kind.name == "safetensors-np")

    with pytest.raises(UnavailableError) as raised:
        loaded_by(numpy(), [path])
    assert str(raised.value) == (
        "numpy lacks a dtype of this file: data type 'bfloat16' not understood; pip install ml_dtypes"
    )


def headers_of(paths: list[Path]) -> int:
    return sum(8 + int.from_bytes(path.read_bytes()[:8], "little") for path in paths)


def test_names_are_unique_and_a_process_finds_each_method() -> None:
    kinds = [*METHODS, *LIMITS]

    assert len({kind.name for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert type(method_at(kind.place())) is kind
        assert kind.__doc__
    assert {method.name for method in all_methods()} >= {kind.name for kind in METHODS}


def test_to_ask_whether_a_method_is_there_imports_nothing_heavy() -> None:
    heavy = {"numpy", "torch", "safetensors", "pynvml", "cuda.bindings.driver", "cuda.bindings.cufile", "instanttensor"}
    heavy |= {"fastsafetensors", "runai_model_streamer", "matplotlib", "rich", "typer"}
    code = (
        "import sys; from ckptinspect.bench.methods import LIMITS, METHODS; "
        "[kind().unavailable() for kind in (*LIMITS, *METHODS)]; "
        f"print(sorted(set(sys.modules) & {heavy!r}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)

    assert ran.stdout == "[]\n"


def test_a_load_to_a_gpu_says_what_it_lacks() -> None:
    if find_spec("cuda") is None:
        (gds,) = (kind for kind in OURS if kind.name == "gds")
        assert gds().unavailable() == "cuda-bindings is not installed: pip install 'ckptinspect[cuda]'"
