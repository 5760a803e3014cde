"""``ckptinspect bench`` as a person runs it: on files, on a synthetic one, on a GPU that is not there or a stub."""

import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest

from ckptinspect.cli.bench import EXAMPLES
from ckptinspect.cli.main import run
from ckptinspect.report import v1_bench
from fixtures.build import hostile
from tests.e2e.command import ROOT, Ran, ckptinspect
from tests.folders import write_safetensors, write_sharded
from tests.loads import on_disk, sized, write_random

EXTRA = "pip install 'ckptinspect[cuda]'"
HAS_DRIVER = os.path.exists("/proc/driver/nvidia")
QUICK = ("--rounds", 1, "--device", "cpu", "--threads", 2, "--peers", "none")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_random(on_disk(tmp_path) / "a.safetensors", sized(2_000_000))


def bench(*arguments: object, **options: object) -> Ran:
    return ckptinspect("bench", *arguments, **options)  # type: ignore[arg-type]


def test_a_synthetic_file_is_made_measured_and_deleted(tmp_path: Path) -> None:
    ran = bench("--synthetic", "2MiB", "--dir", on_disk(tmp_path), *QUICK, "-f", "json")

    assert (ran.code, ran.err) == (0, "")
    msgspec.convert(ran.data, v1_bench.BenchData)
    assert os.listdir(tmp_path) == []
    assert {row["cache"] for row in ran.data["summary"]} == {"cold", "warm"}
    assert {row["method"] for row in ran.data["summary"]} == {
        "read-ring", "read-full", "direct-ring", "direct-full", "mmap-copy", "mmap-populate-copy", "safetensors-np"
    }  # fmt: skip
    assert {limit["limit"] for limit in ran.data["limits"]} == {"storage", "memcpy"}
    for trial in ran.data["trials"]:
        assert trial["error"] is None
        assert trial["residency_before"]["pages"] > 0
        assert trial["role"] == "limit" or trial["bytes"] == "ok"


def test_a_folder_and_an_index_are_a_checkpoint(tmp_path: Path) -> None:
    shards = {f"model-{n:05}-of-00002.safetensors": {f"w{n}": ("F16", (5000,))} for n in (1, 2)}
    write_sharded(on_disk(tmp_path), shards)
    for name, shapes in shards.items():
        write_random(tmp_path / name, shapes)

    for given in (tmp_path, tmp_path / "model.safetensors.index.json"):
        ran = bench(given, *QUICK, "--methods", "read-full", "--cache", "warm", "-f", "json")
        assert (ran.code, ran.data["file"]["tensor_bytes"], len(ran.data["file"]["files"])) == (0, 20_000, 2)


@pytest.mark.parametrize("form", ["table", "html", "csv"])
def test_every_format_has_the_methods_in_it(form: str, path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    ran = bench(path, *QUICK, "--methods", "read-full", "--cache", "warm", "-f", form, "-o", out)

    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert "read-full" in out.read_text()


def test_the_rounds_are_drawn(path: Path, tmp_path: Path) -> None:
    ran = bench(path, *QUICK, "--methods", "read-*", "--cache", "cold", "--plot", tmp_path / "a.svg", "-q")

    assert ran.code == 0
    assert (tmp_path / "a.svg").read_text().count("<circle") == 2


def test_what_cannot_be_drawn_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    pdf = bench("--synthetic", "1TB", "--dir", tmp_path, "--plot", "a.pdf")
    assert (pdf.code, pdf.out) == (2, "")
    assert pdf.err == "error: --plot: a plot is an .svg or a .png; call it a.pdf.svg\n"
    if find_spec("matplotlib") is None:
        png = bench("--synthetic", "1TB", "--dir", tmp_path, "--plot", "a.png")
        assert (png.code, png.out) == (69, "")
        assert png.err.startswith("error: a PNG takes matplotlib, which is not installed; ")


def test_where_nothing_was_measured_nothing_is_drawn(tmp_path: Path) -> None:
    sparse = write_safetensors(on_disk(tmp_path) / "sparse.safetensors", sized(50_000_000))

    ran = bench(sparse, *QUICK, "--plot", tmp_path / "a.svg")

    assert (ran.code, os.listdir(tmp_path)) == (3, [sparse.name])
    assert ran.err.startswith("note: nothing was measured, so there is nothing to draw\nerror: ")


def test_only_the_peers_that_were_named_are_looked_for(path: Path) -> None:
    options = (*QUICK[:-2], "--methods", "read-ring", "--cache", "warm", "-f", "json")

    ran = bench(path, *options, "--peers", "runai,fastsafetensors")

    rows = {row["method"]: row["reason"] for row in ran.data["skipped"]}
    if find_spec("torch") is None:
        assert rows == {
            "peer:fastsafetensors": "fastsafetensors is not installed: pip install 'ckptinspect[peers]'",
            "peer:runai": "runai_model_streamer is not installed: pip install 'ckptinspect[peers]'",
        }
    assert bench(path, *options).data["skipped"] == []


def test_without_a_driver_there_is_one_line_on_the_gpu_and_the_cpu_s_figures(path: Path) -> None:
    ran = bench(
        path, "--rounds", 1, "--cache", "warm", "--peers", "none", "--methods", "read-full,*gpu,gds", "--threads", 2
    )

    assert ran.code == 0
    assert re.search(r"^read-full ", ran.out, re.MULTILINE)
    why = "no NVIDIA driver is installed" if find_spec("cuda") else f"cuda-bindings is not installed: {EXTRA}"
    if not HAS_DRIVER:
        line = f"mmap-gpu, mmap-reg-gpu, read-pinned-gpu, direct-pinned-gpu, gds: no GPU: {why}"
        assert f"\n{line}\n" in ran.out
        assert ran.out.count("no GPU") == 1


def test_a_device_that_is_not_there_is_unavailable(path: Path) -> None:
    ran = bench(path, "--device", "cuda:77")

    assert (ran.code, ran.out) == (69, "")
    why = "no NVIDIA driver is installed" if find_spec("cuda") else f"cuda-bindings is not installed: {EXTRA}"
    assert HAS_DRIVER or ran.err == f"error: {why}\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "name files to measure, or a --synthetic SIZE; see ckptinspect bench --help"),
        (("FILE", "--synthetic", "1GB"), "either files or --synthetic, not both; see ckptinspect bench --help"),
        (("FILE", "--device", "tpu"), "--device: 'tpu' is no device; write auto, cpu or cuda:N"),
        (("FILE", "--cache", "hot"), "--cache: 'hot' is no state of the cache; choose from cold, warm, as-is"),
        (("FILE", "--chunk", "1000"), "--chunk: 1000 bytes are no multiple of 4096 up to 1 GiB; write it as 16MiB"),
        (("FILE", "--threads", "0"), "--threads: '0' is no number of threads; write 1 to 1024"),
        (("FILE", "--numa", "x"), "--numa: 'x' is no memory node; write auto, none or a number"),
        (("FILE", "--budget", "soon"), "--budget: 'soon' has no meaning here; write it as 120s or 5m"),
        (("--synthetic", "1kB"), "--synthetic: 1.00 kB is too little to measure; ask for 1MiB or more"),
        (
            ("FILE", "--device", "cpu", "--methods", "mmap-copy,sendfile"),
            "there is no method 'sendfile'; choose from read-ring, read-full, ",
        ),
        (
            ("FILE", "--device", "cpu", "--peers", "x"),
            "there is no method 'x'; choose from safetensors, safetensors:prefetch, ",
        ),
    ],
)
def test_what_has_no_meaning_is_a_sentence(
    arguments: tuple[str, ...], sentence: str, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = run(["bench", *(str(path) if word == "FILE" else word for word in arguments)])
    out, err = capfd.readouterr()

    assert (code, out) == (2, "")
    assert err.startswith(f"error: {sentence}")


def test_elsewhere_than_on_linux_it_is_unavailable(
    path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    assert run(["bench", str(path)]) == 69
    assert capfd.readouterr().err.startswith("error: bench needs Linux: ")


def test_a_file_that_is_refused_is_a_row_a_sentence_and_an_exit_code(tmp_path: Path) -> None:
    sparse = write_safetensors(on_disk(tmp_path) / "sparse.safetensors", sized(50_000_000))

    ran = bench(sparse, *QUICK, "-f", "json")

    assert ran.code == 3
    assert ran.err.startswith(f"error: {sparse}: sparse: 50.00 MB of its 50.00 MB are holes")
    assert [(row["path"], row["kind"]) for row in ran.data["skipped"]] == [(str(sparse), "source")]
    assert ran.data["trials"] == []


def test_one_bad_file_of_several_is_partial(path: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.safetensors"
    shutil.copy(path, bad)
    os.truncate(bad, 1_000_000)

    ran = bench(path, bad, *QUICK, "--methods", "read-ring", "--cache", "warm", "-f", "json")

    assert ran.code == 5
    assert ran.err.count("\n") == 1
    assert [row["path"] for row in ran.data["skipped"]] == [str(bad)]
    assert ran.data["summary"][0]["verdict"] == "measured"


@pytest.mark.parametrize("recipe", [r for r in hostile() if not r.large and not r.accepted][::70], ids=lambda r: r.name)
def test_a_hostile_file_is_refused_before_anything_of_it_is_mapped(recipe: object, tmp_path: Path) -> None:
    recipe.grow(tmp_path / "x.safetensors")  # type: ignore[attr-defined]

    ran = bench(tmp_path / "x.safetensors", *QUICK, "-f", "json")

    assert ran.code in {3, 4}
    assert ran.data["trials"] == []
    assert len(ran.data["skipped"]) == 1


def test_progress_is_one_line_on_a_terminal_and_stdout_is_clean(path: Path) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "ckptinspect", "bench", str(path), *map(str, QUICK), "-f", "json"]
    command += ["--methods", "read-ring", "--cache", "warm"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, cwd=ROOT)
    os.close(slave)
    assert process.stdout is not None
    out = process.stdout.read()
    process.wait()
    process.stdout.close()
    told = read_all(master)

    json.loads(out)
    assert "warm-up  1/" in told
    assert "round 1/1" in told
    assert "\n" not in told
    assert told.endswith("\r\x1b[2K")


def read_all(descriptor: int) -> str:
    pieces: list[bytes] = []
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:
            piece = b""
        if not piece:
            os.close(descriptor)
            return b"".join(pieces).decode()
        pieces.append(piece)


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, b"error: interrupted\n"),
        (signal.SIGTERM, 143, b""),
        (signal.SIGHUP, 129, b""),
    ],
)
def test_a_request_to_end_ends_it_at_once_with_nothing_left_behind(
    number: signal.Signals, code: int, said: bytes, path: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "ckptinspect", "bench", "--synthetic", "16MiB", "--dir", str(tmp_path)]
    process = subprocess.Popen(
        [*command, "--rounds", "1000", "--budget", "1h"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    within_a_minute(lambda: workers_of(process.pid))
    workers = workers_of(process.pid)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (code, b"", said)
    assert os.listdir(tmp_path) == [path.name]
    # One that has just begun is not killed, but finds nobody to ask it anything.
    within_a_minute(lambda: not any(map(runs, workers)))


def within_a_minute(holds: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def runs(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def workers_of(process: int) -> list[str]:
    """The processes that load for it."""
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_help_run_in_small(example: str, path: Path, tmp_path: Path) -> None:
    (tmp_path / "llama").mkdir()
    shutil.copy(path, tmp_path / "llama")
    path.rename(tmp_path / "model.safetensors")
    _, verb, *arguments = shlex.split(example)
    small = ["--rounds", "1", "--device", "cpu", "--methods", "read-full", "--peers", "none", "--cache", "warm"]
    small += ["--synthetic", "2MiB", "--dir", "."] if "--synthetic" in arguments else []

    ran = ckptinspect(verb, *arguments, *small, cwd=tmp_path)

    assert (ran.code, ran.err) == (0, "")


@pytest.mark.slow
def test_on_a_large_file_every_cold_figure_has_its_proof(tmp_path: Path) -> None:
    ran = bench(
        *("--synthetic", "256MiB", "--dir", on_disk(tmp_path), "--device", "cpu", "--peers", "none"),
        *("--rounds", 3, "-f", "json"),
    )

    cold = [row for row in ran.data["summary"] if row["cache"] == "cold" and row["verdict"] == "measured"]
    assert cold
    assert all(row["proved"] == 3 for row in cold)
