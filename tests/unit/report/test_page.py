"""A page without a browser: it parses, it forbids, it is escaped, and its data are those of the report."""

import re
import sys
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from ckptinspect import open_checkpoint
from ckptinspect.analysis.diff import diff
from ckptinspect.audit.base import Audited, Finding, Severity
from ckptinspect.audit.registry import every_rule
from ckptinspect.report import page
from ckptinspect.report.audit import audit_report
from ckptinspect.report.diff import diff_report
from ckptinspect.report.document import Column, Format, Lines, Report, Step, Sum, Table
from ckptinspect.report.page import inside
from ckptinspect.report.page.charts import MISSING
from ckptinspect.report.show import show_report
from ckptinspect.report.tensors import tensors_report
from tests.folders import write_safetensors
from tests.pages import Page, data_in, hash_of, tensors_in, text_in, words_in

REAL = Path(__file__).parents[3] / "fixtures" / "real"
QUANTIZED = REAL / "Llama-3.1-8B-Instruct.GPTQ-INT4.snap"
HOSTILE = (
    "</script><script>alert(1)</script>.w",
    "<img src=x onerror=alert(1)>.w",
    "<!--.w",
    "]]>.w",
    "a&lt;b&gt;.w",
    'x" onmouseover="alert(1).w',
    "\x00.w",
    "\u202egnp.w",
    "\u2028.w",
    "\x1b[31m.w",
    "__proto__.w",
    "",
)


class Data(msgspec.Struct):
    """No data."""


def rendered(report: Report) -> Page:
    out = StringIO()
    page.render(report, out)
    return Page(out.getvalue())


def shown(path: Path) -> Page:
    return rendered(show_report(open_checkpoint(path)))


def without_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)


@pytest.mark.parametrize("has_charts", [True, False], ids=["with charts", "without"])
def test_a_page_loads_nothing_and_allows_only_what_it_carries(
    has_charts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_charts:
        without_plotly(monkeypatch)
    found = shown(QUANTIZED)
    policy = found.policy

    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == [hash_of(script) for script in found.scripts]
    styles = [hash_of(text_in(style)) for style in found.all("style")]
    assert policy["style-src-elem"] == [*styles, *([hash_of("")] if has_charts else [])]
    assert len(found.scripts) == (2 if has_charts else 1)
    drawing = {"style-src-attr": ["'unsafe-inline'"], "img-src": ["data:"]} if has_charts else {}
    others = {"base-uri": ["'none'"], "form-action": ["'none'"]}
    assert policy == {key: policy[key] for key in ("default-src", "script-src", "style-src-elem")} | others | drawing


@pytest.mark.parametrize("has_charts", [True, False], ids=["with charts", "without"])
def test_no_element_names_anything_outside_of_the_page(has_charts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_charts:
        without_plotly(monkeypatch)
    found = shown(QUANTIZED)

    for element in found.root.iter():
        assert element.tag not in {"link", "img", "iframe", "object", "embed", "base", "form", "video", "audio"}
        for name, value in element.attrib.items():
            assert not name.startswith("on"), element.tag
            assert name not in {"src", "srcset", "action", "style", "data"}, element.tag
            if name == "href":
                assert value == "#main"
    for style in found.all("style"):
        assert not re.search(r"@import|url\(", text_in(style))


def test_without_the_extra_a_page_has_all_but_the_charts_and_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = shown(QUANTIZED)
    without_plotly(monkeypatch)
    bare = shown(QUANTIZED)

    words = words_in(bare.root)
    assert words.count(MISSING) == 1
    assert MISSING == (
        "Charts need plotly, which was not installed where this page was written: pip install 'ckptinspect[html]'"
    )
    assert MISSING not in words_in(whole.root)
    assert words.replace(f" {MISSING}", "") == words_in(whole.root)
    assert bare.data("inside") == whole.data("inside")
    assert len(bare.text) < 200_000


def test_a_page_with_nothing_to_draw_brings_no_library() -> None:
    found = rendered(tensors_report(open_checkpoint(REAL / "gpt2.snap"), limit=5))

    assert len(found.scripts) == 1
    assert "plotly" not in words_in(found.root)


def test_the_same_report_gives_the_same_bytes() -> None:
    assert shown(QUANTIZED).text == shown(QUANTIZED).text


@pytest.mark.parametrize(
    "name", ["Qwen2-VL-7B-Instruct", "stable-diffusion-v1-5", "Llama-3.1-8B-Instruct.GPTQ-INT4", "scalar-and-empty"]
)
def test_every_tensor_is_in_the_data_with_its_figures(name: str) -> None:
    checkpoint = open_checkpoint(REAL / f"{name}.snap")
    tensors = tensors_report(checkpoint).data.tensors  # type: ignore[attr-defined]
    report = show_report(checkpoint)
    data = rendered(report).data("inside")

    expected = [(t.name, t.module, t.dtype, list(t.shape), t.parameters, t.bytes, t.file) for t in tensors]
    assert sorted(tensors_in(data), key=str) == sorted(expected, key=str)
    totals = msgspec.to_builtins(report.data)["totals"]
    sums = [sum(data["nests"][number][figure] for _, number in data["modules"]) for figure in range(3)]
    assert sums == [totals["tensors"], totals["parameters"], totals["tensor_bytes"]]
    assert data["headers"] == totals["header_bytes"]
    assert sums[2] + data["headers"] == totals["file_bytes"]


def test_the_figures_of_a_known_checkpoint() -> None:
    # From the model class, as in known.json, and the published files' own sizes.
    data = shown(REAL / "Qwen2-VL-7B-Instruct.snap").data("inside")

    assert {name: data["nests"][number][1] for name, number in data["modules"]} == {
        "visual": 675_759_104,
        "model": 7_070_619_136,
        "lm_head": 544_997_376,
    }


def test_parts_sum_to_what_they_are_in() -> None:
    data = shown(REAL / "Mixtral-8x7B.snap").data("inside")

    assert data["nests"]
    for tensors, parameters, nbytes, own, inner in data["nests"]:
        sums = [len(own), *(sum(data["leaves"][leaf][figure] for _, leaf in own) for figure in (4, 5))]
        for words, number in inner:
            times = 1 if isinstance(words, str) else words[1] - words[0] + 1
            sums = [total + times * figure for total, figure in zip(sums, data["nests"][number][:3], strict=True)]
        assert sums == [tensors, parameters, nbytes]


def test_what_is_alike_takes_no_room() -> None:
    text = shown(REAL / "Mixtral-8x7B.snap").text

    # 995 tensors: 256 experts of three matrices each, in 32 layers that are alike.
    assert text.count('"w1"') == 1
    assert "[[0,31]," in text
    assert "[[0,7]," in text


@pytest.mark.parametrize("has_charts", [True, False], ids=["with charts", "without"])
def test_names_with_markup_and_control_characters_are_inert(
    has_charts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_charts:
        without_plotly(monkeypatch)
    tensors = {name: ("F32", (number + 1,)) for number, name in enumerate(HOSTILE)}
    file = write_safetensors(tmp_path / "<b>m.safetensors", tensors)
    found = shown(file)

    assert {name for name, *_ in tensors_in(found.data("inside"))} == {
        *HOSTILE[:6],
        r"\x00.w",
        r"\u202egnp.w",
        r"\u2028.w",
        r"\x1b[31m.w",
        "__proto__.w",
        "",
    }
    own = found.text.replace(found.scripts[0], "") if has_charts else found.text
    assert not set("\x00\u202e\u2028\x1b") & set(own)
    assert not found.all("img")
    assert not found.all("b")
    assert len(found.all("script")) == len(found.scripts) + len(found.all("script", type="application/json"))


def test_where_too_few_are_alike_the_sums_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = {f"model.{'x' * n}.y.w": ("F32", (n,)) for n in range(1, 40)}
    checkpoint = open_checkpoint(write_safetensors(tmp_path / "m.safetensors", tensors))
    monkeypatch.setattr(inside, "MOST_ENTRIES", 45)
    data = rendered(show_report(checkpoint)).data("inside")

    ((_, number),) = data["modules"]
    ((_, model),) = data["nests"][number][4]
    # The module, "model", the 39 of it; what is in those had no room.
    assert data["nests"][number][:3] == [39, 780, 3120]
    assert len(data["nests"][model][4]) == 39
    closed = [data["nests"][inner] for _, inner in data["nests"][model][4]]
    assert all(nest[3] is None and nest[4] is None for nest in closed)
    assert sum(nest[2] for nest in closed) == 3120


def test_a_checkpoint_read_without_its_names_has_the_tables_of_a_terminal() -> None:
    report = show_report(open_checkpoint(REAL / "gpt2.snap", names=False))
    found = rendered(report)

    assert not found.of_class("inside")
    assert "124,439,808" in words_in(found.root)


def test_a_long_table_is_data_and_a_short_one_is_written_out() -> None:
    columns = (Column("n", Format.COUNT), Column("size", Format.SHORT_BYTES), Column("name", Format.NAME))
    rows = [(n, n * 1000, f"<b>{n}") for n in range(301)]
    report = Report("x", Data(), "", (Table(columns, rows, ((45_150, None, None),)),))
    long, short = rendered(report), rendered(msgspec.structs.replace(report, blocks=(Table(columns, rows[:300]),)))

    data = long.data("long-table")
    assert data["columns"] == [["n", True, False], ["size", True, False], ["name", False, True]]
    assert data["rows"][300] == [300, ["300.00 kB", 300_000], "<b>300"]
    assert data["foot"] == [[45_150, "", ""]]
    assert len(short.all("td")) == 900
    assert not short.of_class("long-table")


def test_numbers_beyond_what_a_script_holds_come_as_text() -> None:
    huge = 10**400
    table = Table((Column("n", Format.COUNT),), [(huge,)] * 301)
    data = rendered(Report("x", Data(), "", (table, Sum(((huge, "a"),), (huge, "b")))))

    assert data.data("long-table")["rows"][0] == [[f"{huge:,}", 1e300]]
    assert data.data("chart")["lines"] == [[1e300, f"{huge:,}", "a", False], [1e300, f"{huge:,}", "b", True]]


def test_the_decomposition_is_drawn_from_its_own_lines() -> None:
    report = show_report(open_checkpoint(QUANTIZED))
    data = rendered(report).data("chart")

    *parts, total = data["lines"]
    decomposition = msgspec.to_builtins(report.data)["decomposition"]
    assert [[part["elements"], part["what"]] for part in decomposition] == [line[:1] + line[2:3] for line in parts]
    assert not any(line[3] for line in parts)
    assert sum(value for value, *_ in parts) == total[0] == 8_030_261_248
    assert total[1:] == ["8,030,261,248", "parameters", True]


def test_an_addition_that_goes_on_is_drawn_to_its_end() -> None:
    block = Sum(((5, "a"), (-2, "b")), (3, "c"), steps=(Step(((4, "d"),), (7, "e")),))
    data = rendered(Report("x", Data(), "", (block,))).data("chart")

    assert [(value, what, is_total) for value, _, what, is_total in data["lines"]] == [
        (5, "a", False),
        (-2, "b", False),
        (3, "c", True),
        (4, "d", False),
        (7, "e", True),
    ]


def test_bars_of_a_difference_add_up_to_the_files() -> None:
    old, new = (open_checkpoint(REAL / f"Llama-3.1-8B-Instruct{kind}.snap") for kind in ("", ".AWQ-INT4"))
    found = diff(old, new)

    for keys, limit in ((None, None), ("layer", None), ("layer", 3)):
        from ckptinspect.analysis.keys import keys_of

        bars = rendered(diff_report(found, keys_of(keys) if keys else (), limit)).of_class("chart")
        assert len(bars) == 2
        for data in map(data_in, bars):
            # Sizes of the files as the repositories list them.
            sides = [sum(values[side] for _, values in data["rows"]) for side in (0, 1)]
            assert sides == [sum(shard.size for shard in checkpoint.shards) for checkpoint in (old, new)]
            assert len(data["rows"]) <= 26


def test_a_difference_lists_all_that_a_terminal_has_no_room_for() -> None:
    found = diff(open_checkpoint(REAL / "gpt2.snap"), open_checkpoint(REAL / "gpt2.newlayout.snap"))
    report = diff_report(found, each=True)
    words = words_in(rendered(report).root)

    # By the model class: 12 layers of 12 tensors, two embeddings and the last norm.
    assert words.count("transformer.") == 148
    assert "more]" not in words


def test_findings_can_be_told_apart_by_severity_and_rule() -> None:
    findings = (
        Finding("CK101", Severity.ERROR, "it is <cut>", "a.safetensors"),
        Finding("CK609", Severity.INFO, "no config"),
    )
    found = rendered(audit_report([Audited("x/<y>", findings), Audited("z", ())], every_rule()))

    items = [item for item in found.all("li") if item.get("data-severity")]
    assert [item.get("data-severity") for item in items] == ["error", "info"]
    assert [(item.get("data-rule") or "").split()[0] for item in items] == ["CK101", "CK609"]
    assert "it is <cut>" in words_in(items[0])
    words = words_in(found.root)
    assert "x/<y> audited 1 0 1 0 B z audited 0 0 0 0 B total 1 0 1 0 B" in words
    assert words.index("1 error and 1 info") < words.index("By rule") < words.index("it is <cut>")


def test_a_library_that_would_end_its_script_is_kept_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = "0f" * 32
    library: Any = ModuleType("plotly.offline")
    script = f'var a = "</SCRIPT><!--";\r\nif (!document.getElementById("{digest}")) {{ }}\r'
    library.get_plotlyjs = lambda: script
    monkeypatch.setitem(sys.modules, "plotly.offline", library)
    found = rendered(Report("x", Data(), "", (Sum(((1, "a"),), (1, "b")),)))

    assert found.scripts[0] == f'var a = "<\\/SCRIPT><\\!--";\nif (!document.getElementById("{digest}")) {{ }}\n'
    assert [template.get("id") for template in found.all("template")] == [digest]


def test_a_page_says_what_it_is_to_those_who_listen() -> None:
    found = rendered(Report("rule", Data(), "A <title>", (Lines(("x",)),), ("a note",)))

    (root,) = found.all("html")
    assert root.get("lang") == "en"
    assert [text_in(title) for title in found.all("title")] == ["A <title>"]
    assert [text_in(title) for title in found.all("h1")] == ["A <title>"]
    assert len(found.all("main")) == 1
    assert [text_in(link) for link in found.all("a", href="#main")] == ["Skip to the report"]
    assert [text_in(note) for note in found.all("li")] == ["a note"]
