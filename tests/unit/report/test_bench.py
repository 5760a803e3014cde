"""What a run looks like: as data, as tables at any width, as a page, as pictures."""

import json
import re
from importlib.util import find_spec
from io import StringIO
from xml.etree import ElementTree as ET

import msgspec
import pytest

from ckptinspect.bench.base import Identity, Target
from ckptinspect.bench.bounds import bounds_of, link_of
from ckptinspect.bench.cache_state import Residency
from ckptinspect.bench.contention import Contention
from ckptinspect.bench.files import FileSystem
from ckptinspect.bench.gpu.base import DeviceFacts, Link
from ckptinspect.bench.host import Host
from ckptinspect.bench.plan import Gpu, Settings
from ckptinspect.bench.run import Outcome
from ckptinspect.bench.subject import Found, Skipped
from ckptinspect.bench.summary import summaries
from ckptinspect.bench.trial import Trial
from ckptinspect.errors import UnavailableError
from ckptinspect.report import data, markdown, plot, table, v1, v1_bench
from ckptinspect.report import page as html
from ckptinspect.report.bench import bench_report
from ckptinspect.report.document import Plot, Report, Series

GB = 1_000_000_000
NAME = "a\x1b[31m|<b>.safetensors"


def trial(method: str, number: int, speed: float, **changes: object) -> Trial:
    limit = method.startswith("limit-")
    made = Trial(
        round=number,
        order=1,
        method=method,
        role="limit" if limit else ("peer" if method.startswith("peer") else "ours"),
        cache="cold",
        device="cpu",
        threads=2,
        chunk=1 << 24,
        destination="none" if limit else ("ring" if method.endswith("ring") else "fresh"),
        seconds=1 / speed,
        nbytes=GB,
        setup_seconds=0.1,
        phases={"open": 0.01, "io": 0.9},
        cpu_seconds=0.25,
        minor_faults=3,
        major_faults=0,
        storage_read_bytes=GB,
        device_read_bytes=GB,
        before=Residency(1000, 0, 0, 0),
        after=Residency(1000, 1000, 1000, 0),
        state="cold",
        bytes="unchecked" if limit else "ok",
        checked_bytes=0 if limit else 1000,
        contention=Contention(0.5, 0.0, 0.9, 0.9),
    )
    return msgspec.structs.replace(made, **changes)


NO_GPU = Gpu(None, None, "no GPU: no NVIDIA driver is installed")


def outcome(gpu: Gpu = NO_GPU) -> Outcome:
    trials = []
    for number in range(8):
        trials.append(trial("limit-storage:direct", number, 2.0 + number % 3 / 10))
        trials.append(trial("limit-memcpy", number, 20.0))
        trials.append(trial("read-ring", number, 1.9))
        trials.append(trial("read-full", number, 0.42, error=None))
        trials.append(trial("safetensors-np", number, 0.4))
        lazy = {"storage_read_bytes": 0, "state": "unproven", "why": "only 0% of the bytes were read from the storage"}
        trials.append(trial("peer:lazy", number, 400.0, **lazy))
        wrong = {"seconds": None, "bytes": "differ", "error": "bytes 1 to 2 of file 1 differ"}
        trials.append(trial("peer:wrong", number, 1.0, **wrong))
    target = Target(NAME, Identity(1, 1, GB + 100, 0), 100, 1000)
    systems = [FileSystem("ext4", 0xEF53, "nvme0n1", 128)]

    class Subject:
        targets = (target,)
        file_systems = systems
        nbytes = GB

    subject = Subject()
    return Outcome(
        settings=Settings(device="cpu", seed=42),
        host=Host("6.18", "x86_64", "A processor", 8, 64 * GB, 60 * GB, None, "madvise", None),
        gpu=gpu,
        found=Found((target,), (), (), ()),
        file_systems=tuple(systems),
        trials=tuple(trials),
        limits=tuple(bounds_of(trials, subject, gpu).limits.values()),  # type: ignore[arg-type]
        link=link_of(trials, gpu),
        summaries=tuple(summaries(trials, subject, gpu)),  # type: ignore[arg-type]
        skipped=(Skipped("mmap-gpu", None, None, gpu.why or ""), Skipped("gds", None, None, gpu.why or "")),
        warnings=("stopped after 7 of 9 rounds: the budget of 120 s ended; all of them take about --budget 3m",),
        versions={"python": "3.11.7"},
    )


@pytest.fixture(scope="module")
def report() -> Report:
    return bench_report(outcome())


def drawn(report: Report, width: int) -> str:
    out = StringIO()
    table.render(report, out, width=width)
    return out.getvalue()


def test_the_table_stands_beside_its_limits(report: Report) -> None:
    assert drawn(report, 0) == (
        "a\\x1b[31m|<b>.safetensors: 1.00 GB, 0 tensors; ext4 on nvme0n1; 7 rounds in random order (seed 42)\n"
        "\n"
        "limit     GB/s   ±MAD   most  how\n"
        "storage   2.10  0.100   2.20  direct reads, 2 threads\n"
        "memcpy   20.00  0.000  20.00  memory copied, 2 threads\n"
        "\n"
        "Cold: nothing in the page cache\n"
        "method           GB/s   ±MAD  of limit  95% CI     vs safetensors-np  CPU s/GB  threads  into   proved  bytes\n"
        "read-ring        1.90  0.000     0.905  0.86–0.95  4.75 × faster         0.250        2  ring   7/7     ok\n"
        "read-full       0.420  0.000     0.200  0.19–0.21  1.05 × faster         0.250        2  fresh  7/7     ok\n"
        "safetensors-np  0.400  0.000     0.190  0.18–0.20                        0.250        2  fresh  7/7     ok\n"
        "peer:lazy                                                                             2  fresh  0/7     ok\n"
        "peer:wrong                                                                            2  fresh  0/7     differ\n"
        "\n"
        "peer:lazy: IMPOSSIBLE: not a load; 400.00 GB/s, where memcpy gives 20.00 at most\n"
        "peer:wrong: wrong bytes: speed withheld; bytes 1 to 2 of file 1 differ\n"
        "\n"
        "Not measured\n"
        "mmap-gpu, gds: no GPU: no NVIDIA driver is installed\n"
        "\n"
        "note: stopped after 7 of 9 rounds: the budget of 120 s ended; all of them take about --budget 3m\n"
        "note: in 35 of 35 loads others took over a tenth of the processors: trust ratios, not GB/s\n"
        "note: into ring: read through buffers used again and again, as a copy to a device would; no tensor is kept\n"
        "note: a speed above what the storage, the memory or the link can carry is no load: bytes did not move\n"
    )


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_the_table_fits_and_keeps_what_matters_most(report: Report, width: int) -> None:
    text = drawn(report, width)

    assert max(map(len, text.splitlines())) <= width
    for needed in ("read-ring", "1.90", "0.905", "IMPOSSIBLE", "storage"):
        assert needed in text


def test_markdown_has_the_tables_and_nothing_of_the_name_acts(report: Report) -> None:
    out = StringIO()
    markdown.render(report, out)

    assert "| read-ring | 1.90 | 0.000 | 0.905 |" in out.getvalue()
    assert "\x1b" not in out.getvalue()
    assert "<b>" not in out.getvalue()


def test_the_page_has_a_dot_for_every_round_and_a_line_for_the_limit(report: Report) -> None:
    out = StringIO()
    html.render(report, out)
    page = out.getvalue()

    assert page.count("<circle") == 3 * 7
    assert page.count('class="limit"') == 1
    assert page.count("<script") == 1
    assert "<b>" not in page
    assert page.count("<svg") == 1


def test_the_data_has_every_trial_with_its_proof(report: Report) -> None:
    out = StringIO()
    data.json(report, out)
    found = json.loads(out.getvalue())

    assert (found["schema"], found["kind"]) == (v1.SCHEMA, "bench")
    decoded = msgspec.convert(found["data"], v1_bench.BenchData)
    assert len(decoded.trials) == 8 * 7
    first = decoded.trials[0]
    assert first.residency_before == v1_bench.ResidencyData(1000, 0, 0, 0, 0.0)
    assert (first.storage_read_bytes, first.state, first.gbps) == (GB, "cold", 2.0)
    assert decoded.order_seed == 42
    assert decoded.gpu is None
    assert found["data"].keys() >= {
        "host", "gpu", "file", "limits", "trials", "summary", "skipped", "warnings", "order_seed", "versions"
    }  # fmt: skip


def test_files_that_were_refused_are_a_few_lines_however_many_they_are() -> None:
    files = [Skipped(None, None, f"/m/{n}", f"/m/{n}: sparse: {n // 3} bytes", "source") for n in range(30)]
    both = Skipped("read-full", "warm", None, "it takes 2.00 MB", None)
    found = msgspec.structs.replace(outcome(), skipped=(*files, both))

    assert drawn(bench_report(found), 0).partition("Not measured\n")[2].partition("\n\n")[0].splitlines() == [
        "/m/0, /m/1, …: sparse: 0 bytes",
        "/m/3, /m/4, …: sparse: 1 bytes",
        "/m/6, /m/7, …: sparse: 2 bytes",
        "/m/9, /m/10, …: sparse: 3 bytes",
        "/m/12, /m/13, …: sparse: 4 bytes",
        "and 15 more files: -f json has them all",
        "read-full (warm): it takes 2.00 MB",
    ]


def test_a_small_file_has_a_note_on_what_its_figures_are() -> None:
    small = outcome()
    target = Target("a", Identity(1, 1, 5100, 0), 100, 1)
    found = msgspec.structs.replace(small, found=Found((target,), (), (), ()))
    told = "5.00 kB is little: largely the opening of files and the start of threads was measured"

    assert told in bench_report(found).notes
    assert not any(" is little: " in note for note in bench_report(small).notes)


def test_lines_and_rows_are_the_trials(report: Report) -> None:
    lines, rows = StringIO(), StringIO()
    data.jsonl(report, lines)
    data.csv_rows(report, rows)

    assert len(lines.getvalue().splitlines()) == 56
    assert len(rows.getvalue().splitlines()) == 57
    assert json.loads(lines.getvalue().splitlines()[2])["method"] == "read-ring"


def test_a_device_is_told_with_its_link_and_that_nobody_has_measured_one_yet() -> None:
    gpu = Gpu("cuda:0", DeviceFacts("A device", "580 (CUDA 13.0)", 80 * GB, 79 * GB, link=Link(1, 16, 5, 16)), None)
    found = bench_report(outcome(gpu))

    assert isinstance(found.data, v1_bench.BenchData)
    assert found.data.gpu == v1_bench.GpuData(
        "cuda:0", "A device", "580 (CUDA 13.0)", 80 * GB, 79 * GB, None, 5, 16, 63.015
    )
    assert "; A device; " in found.title
    assert any("docs/bench.md" in note for note in found.notes)
    assert re.search(r"^pcie +63\.0[12] +theory of PCIe 5 x16$", drawn(found, 0), re.MULTILINE)


PLOT = Plot("Speeds <&>", (Series("read & ring", (1.0, 2.0)), Series("<full>", ())), (("storage", 2.1),))


def test_a_picture_is_well_formed_and_inert() -> None:
    for text in (plot.svg(PLOT), plot.page([PLOT, PLOT])):
        root = ET.fromstring(text)
        assert root.tag.endswith("svg")
    assert plot.svg(PLOT).count("<circle") == 2
    assert "&lt;full&gt;" in plot.svg(PLOT)


def test_no_dot_lies_outside_the_picture() -> None:
    text = plot.svg(Plot("", (Series("a", (0.001, 123.4)),), (("storage", 99.9),)))
    width = float(re.search(r'width="(\d+)"', text)[1])  # type: ignore[index]

    assert all(0 <= float(x) <= width for x in re.findall(r'cx="([\d.]+)"', text))


@pytest.mark.parametrize("most", [0.07, 0.4, 1.0, 1.01, 2.0, 3.3, 7.0, 10.0, 99.0, 456.0])
def test_ticks_are_few_round_and_reach_far_enough(most: float) -> None:
    ticks = plot.ticks_for([most])

    assert 3 <= len(ticks) <= 7
    assert ticks[0] == 0
    assert ticks[-1] >= most > ticks[-2]


def test_a_png_takes_matplotlib() -> None:
    if find_spec("matplotlib") is None:
        with pytest.raises(UnavailableError) as raised:
            plot.png([PLOT])
        assert str(raised.value) == (
            "a PNG takes matplotlib, which is not installed; pip install matplotlib, or write an .svg or -f html"
        )
    else:
        assert plot.png([PLOT, PLOT]).startswith(b"\x89PNG")


def test_a_column_without_room_in_two_tables_is_told_once(report: Report) -> None:
    two = msgspec.structs.replace(report, blocks=(*report.blocks, *report.blocks))
    (told,) = re.findall(r"no room for the columns? (.*)", " ".join(drawn(two, 60).split("\n      ")))

    assert len(set(told.split(", "))) == len(told.split(", "))
