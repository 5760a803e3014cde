from io import BytesIO, StringIO, TextIOWrapper

import pytest

from ckptinspect.analysis.estimate.asked import Asked, devices_in
from ckptinspect.model import Checkpoint, Config
from ckptinspect.report import markdown, table, v1
from ckptinspect.report import page as html
from ckptinspect.report.document import Figure, FigureGroup, Figures, Report
from ckptinspect.report.estimate import estimate_report, fits_nowhere
from tests.arithmetic import value_of
from tests.checkpoints import llama_3_1_8b
from tests.estimating import REAL, real

HOSTILE = "\x1b[31m<b>|*_`\u202ename\n"


def data_of(checkpoint: Checkpoint, asked: Asked | None = None, only: tuple[str, ...] = ()) -> v1.EstimatesData:
    data = estimate_report(checkpoint, asked or Asked(), only).data
    assert isinstance(data, v1.EstimatesData)
    return data


def drawn(report: Report, width: int) -> str:
    out = StringIO()
    table.render(report, out, width=width)
    return out.getvalue()


@pytest.mark.parametrize("name", sorted(path.stem for path in REAL.glob("*.snap")))
def test_every_figure_of_every_real_checkpoint_adds_up_and_fits_the_screen(name: str) -> None:
    asked = Asked(devices=devices_in("24GB,8x80GiB"), tensor=2, pipeline=2, expert=2, data=4)
    report = estimate_report(real(name), asked)
    assert isinstance(report.data, v1.EstimatesData)

    for estimate in report.data.estimates:
        if estimate.value is None:
            assert estimate.reason
        else:
            assert value_of(estimate.formula) == estimate.value
    for width in (40, 80, 200):
        assert max(map(len, drawn(report, width).splitlines())) <= width


def test_the_cache_as_a_person_reads_it() -> None:
    report = estimate_report(llama_3_1_8b(), Asked(context=8192), ("kv",))

    assert drawn(Report("estimate", report.data, "", report.blocks), 80) == (
        "KV cache for 8,192 tokens in BF16\n"
        "KV cache per token        131,072  131.07 kB  128.00 KiB\n"
        "    = layers*(keys + values)*bytes = 32*(1024 + 1024)*2  [1]\n"
        "KV cache            1,073,741,824    1.07 GB    1.00 GiB\n"
        "    = per_token*context = 131072*8192  [1, 2]\n"
        "  [1] keys and values are kept in BF16, the format of most weights that are not\n"
        "      quantized\n"
        "  [2] runtimes round it up to whole pages\n"
        "\n"
        "= exact, by header and config;  ≈ estimated;  GB are 10^9 bytes, GiB 2^30\n"
    )


def test_on_a_wide_screen_the_formula_stands_beside_its_figure() -> None:
    report = estimate_report(llama_3_1_8b(), Asked(context=8192), ("kv",))
    lines = drawn(report, 200).splitlines()

    assert (
        "KV cache            1,073,741,824    1.07 GB    1.00 GiB  = per_token*context = 131072*8192  [1, 2]" in lines
    )


def test_on_a_narrow_screen_columns_go_before_a_name_is_wrapped() -> None:
    report = estimate_report(llama_3_1_8b(), Asked(context=8192, tensor=2), ("kv",))
    lines = drawn(Report("estimate", report.data, "", report.blocks), 36).splitlines()

    assert lines[4:15] == [
        "KV cache                     1.07 GB",
        "    = per_token*context",
        "    = 131072*8192  [1, 2]",
        "KV cache on the largest    536.87 MB",
        "  device",
        "    = layers*((keys +",
        "      values)/heads)*heads_here*",
        "      context*bytes",
        "    = 32*((1024 + 1024)//8)*4*8192*2",
        "      [3]",
        "  [1] keys and values are kept in",
    ]
    assert lines[-2:] == ["note: no room for the columns exact", "      value, binary units"]


def test_signs_are_spelled_where_the_terminal_lacks_them() -> None:
    out = TextIOWrapper(BytesIO(), encoding="ascii")
    table.render(estimate_report(real("t5-small"), Asked(), ("training",)), out, width=80)
    out.seek(0)
    text = out.read()

    assert "\n    ~ sequence*" in text
    assert "= exact, by header and config;  ~ estimated;" in text


def test_a_missing_figure_says_why() -> None:
    report = estimate_report(real("lora-llama-3.1-8b-r16"), Asked(), ("kv",))

    assert "KV cache per token  –\n    no figure: it is an adapter: what is cached is the base model's\n" in drawn(
        report, 70
    )


def test_exact_figures_and_estimates_bear_different_signs() -> None:
    exact = Figure("a", 1, "", "", "1*1", exact=True)
    about = Figure("b", 2, "", "", "1+1", exact=False, words="one + one", marks=(1, 2))

    assert exact.derivation == ("= 1*1",)
    assert about.derivation == ("≈ one + one", "= 1+1  [1, 2]")


def test_the_data_says_what_the_figures_rest_on() -> None:
    data = data_of(real("Llama-3.1-8B-Instruct"), only=("flops",))

    assert {estimate.group for estimate in data.estimates} == {"flops"}
    assert all("FLOPs are not speed" in " ".join(estimate.assumptions) for estimate in data.estimates)


def test_what_fits_is_told_with_what_is_in_the_way() -> None:
    asked = Asked(devices=devices_in("16GB,24GB"), context=8192)
    report = estimate_report(llama_3_1_8b(), asked, ("kv",))
    assert isinstance(report.data, v1.EstimatesData)
    small, large = report.data.fits

    assert (small.fits, small.obstacle) == (False, "the weights alone take 16.06 GB of each device")
    assert (large.fits, large.longest_context, large.obstacle) == (True, 51_481, None)
    assert not fits_nowhere(report)
    assert fits_nowhere(estimate_report(llama_3_1_8b(), Asked(devices=devices_in("16GB")), ("kv",)))
    assert not fits_nowhere(estimate_report(llama_3_1_8b(), Asked(), ("kv",)))
    assert "16GB: the weights alone take 16.06 GB of each device" in drawn(report, 80)


def test_a_config_that_contradicts_the_header_is_named() -> None:
    checkpoint = real("Llama-3.1-8B-Instruct")
    config = Config({**checkpoint.config.values, "num_key_value_heads": 32})
    wrong = Checkpoint(checkpoint.ref, "local", checkpoint.layout, checkpoint.shards, {"": config})
    data = data_of(wrong, only=("kv",))

    assert data.estimates[0].value == 131_072
    assert [(item.said, item.expected, item.found) for item in data.disagreements] == [
        ("num_key_value_heads*head_dim", 4096, 1024)
    ]
    assert any(note.code == "config-disagrees" for note in data.notes)


@pytest.mark.parametrize("render", [table.render, markdown.render, html.render])
def test_whatever_a_figure_is_called_comes_out_inert(render: object) -> None:
    figure = Figure(HOSTILE, 1, "", "", HOSTILE, exact=True, words=HOSTILE, marks=(1,))
    missing = Figure(HOSTILE, None, "", "", "", exact=False, reason=HOSTILE)
    block = Figures((FigureGroup(HOSTILE, (figure, missing), (HOSTILE,), (HOSTILE,)),), "legend")
    out = StringIO()

    render(Report("estimate", v1.EstimateData("", 1, "", "", (), False, "", None, None), "", (block,)), out)  # type: ignore[operator]

    assert not {"\x1b", "\u202e"} & set(out.getvalue())
    assert "<b>" not in out.getvalue() or render is table.render


def test_markdown_and_html_tell_all_that_the_table_tells() -> None:
    report = estimate_report(llama_3_1_8b(), Asked(context=8192), ("kv", "lora"))
    for render in (markdown.render, html.render):
        out = StringIO()
        render(report, out)
        text = out.getvalue().replace("\\", "")
        assert "41,943,040" in text
        assert "131.07 kB" in text
        assert "32*(1024 + 1024)*2" in text
        assert "runtimes round it up to whole pages" in text
