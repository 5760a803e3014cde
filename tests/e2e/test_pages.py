"""Reports as files that somebody is sent, in a real browser: drawn, walked through by keyboard, searched, printed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from ckptinspect import open_checkpoint
from ckptinspect.report import page
from ckptinspect.report.show import show_report
from ckptinspect.text import bytes_text, count_text
from tests.browser import Opened, chromium, opened
from tests.e2e.command import FIXTURES, ROOT, ckptinspect
from tests.folders import write_safetensors, write_sharded
from tests.pages import Page, tensors_in

REAL = FIXTURES / "real"
LLAMA = REAL / "Llama-3.1-8B-Instruct.snap"
GPTQ = REAL / "Llama-3.1-8B-Instruct.GPTQ-INT4.snap"
HOSTILE = (
    "</script><script>alert(1)</script>.w",
    "<img src=x onerror=alert(1)>.w",
    '<a href="https://example.com">click</a>.w',
    "<b>bold</b><br>.w",
    "&lt;i&gt;.w",
    "%{label}.w",
    'x" onmouseover="alert(1).w',
    "\x00\x1b[31m.w",
    "\u202egnp.w",
    "__proto__.w",
    "constructor.w",
    "",
)
Make = Callable[[str], Path]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """The reports of this file by name, each made when it is first asked for."""
    folder = tmp_path_factory.mktemp("reports")

    def deepseek() -> Path:
        made = folder / "DeepSeek-V3"
        subprocess.run([sys.executable, ROOT / "fixtures" / "deepseek_v3.py", made], check=True, cwd=ROOT)
        return made

    def broken() -> Path:
        """A checkpoint one of whose shards is not there."""
        shards = {f"model-0000{n}-of-00002.safetensors": {f"w{n}": ("F32", (2,))} for n in (1, 2)}
        write_sharded(folder / "broken", shards)
        (folder / "broken" / "model-00002-of-00002.safetensors").unlink()
        return folder / "broken"

    def odd() -> Path:
        """A checkpoint whose names would like to be markup."""
        tensors = {name: ("F32", (number + 1,)) for number, name in enumerate(HOSTILE)}
        return write_safetensors(folder / "<img src=x onerror=alert(1)>.safetensors", tensors)

    bench = ("bench", "--synthetic", "1MiB", "--dir", folder, "--rounds", "2", "--peers", "none", "--cache", "warm")
    commands: dict[str, Callable[[], tuple[object, ...]]] = {
        "show": lambda: ("show", GPTQ),
        "pipeline": lambda: ("show", REAL / "stable-diffusion-v1-5.snap"),
        "empty": lambda: ("show", REAL / "scalar-and-empty.snap"),
        "deepseek": lambda: ("show", deepseek()),
        "hostile": lambda: ("show", odd()),
        "diff": lambda: ("diff", LLAMA, GPTQ),
        "every change": lambda: ("diff", LLAMA, GPTQ, "--all"),
        "audit": lambda: ("audit", broken(), odd(), REAL / "gpt2.snap"),
        "bench": lambda: bench,
        "tensors": lambda: ("tensors", GPTQ),
        "tree": lambda: ("tree", REAL / "stable-diffusion-v1-5.snap"),
        "estimate": lambda: ("estimate", LLAMA),
        "formula": lambda: ("formula", LLAMA),
        "dtypes": lambda: ("dtypes",),
    }

    def make(name: str) -> Path:
        path = folder / f"{name}.html"
        if not path.exists():
            ran = ckptinspect(*commands[name](), "-o", path)
            assert path.exists(), ran.err
        return path

    return make


def own_size(path: Path) -> int:
    """The bytes of a page without those of the charting library."""
    library = max(Page(path.read_text()).scripts, key=len)
    return path.stat().st_size - len(library.encode())


@pytest.mark.slow
def test_92000_tensors_take_less_than_a_megabyte_beside_the_library(report: Make) -> None:
    path = report("deepseek")

    assert own_size(path) < 1_000_000
    data = Page(path.read_text()).data("inside")
    tensors = list(tensors_in(data))
    # The published checkpoint: 91,991 tensors of 688,574,839,360 bytes.
    assert len({name for name, *_ in tensors}) == 91_991
    assert sum(nbytes for *_, nbytes, _ in tensors if isinstance(nbytes, int)) == 688_574_839_360


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 400)])
@pytest.mark.parametrize(
    "name",
    [
        *("show", "pipeline", "empty", "deepseek", "hostile", "diff", "every change", "audit", "bench"),
        *("tensors", "tree", "estimate", "formula", "dtypes"),
    ],
)
def test_a_report_opens_from_disk_says_nothing_asks_for_nothing_and_fits(
    name: str, scheme: Literal["light", "dark"], width: int, report: Make, browser: Browser
) -> None:
    with opened(browser, report(name), width=width, scheme=scheme) as found:
        assert found.page.evaluate("document.documentElement.scrollWidth") == width
        drawn = {"show": 1, "pipeline": 1, "empty": 1, "deepseek": 1, "hostile": 1}.get(name, 0)
        assert found.page.locator(".map").count() == drawn
        if drawn:
            assert found.page.locator("g.slice").count() > 1
        assert background(found) == ("rgb(20, 23, 27)" if scheme == "dark" else "rgb(255, 255, 255)")
        nameless = (
            "[...document.querySelectorAll('button, input, select')].filter((e) => !e.labels?.length && !e.textContent)"
        )
        assert found.page.evaluate(f"{nameless}.length") == 0
        ids = found.page.evaluate("[...document.querySelectorAll('main [id]')].map((element) => element.id)")
        assert len(ids) == len(set(ids))


@pytest.mark.slow
def test_the_treemap_is_walked_through_by_keyboard(report: Make, browser: Browser) -> None:
    with opened(browser, report("deepseek")) as found:
        found.tab_to(".map")
        assert found.page.locator(".ring").is_visible()
        assert chosen(found).startswith("model: 671.30 GB, 97.49 % of DeepSeek-V3")
        found.press("Enter")
        assert found.text(".crumbs") == "DeepSeek-V3 model"
        assert found.text(".parts tbody tr:first-child td:first-child") == "layers"
        found.press("Enter")
        assert found.text(".crumbs") == "DeepSeek-V3 model layers"
        assert chosen(found).startswith("3: 11.51 GB")
        found.press("ArrowDown")
        assert chosen(found).startswith("4: 11.51 GB")
        found.press("ArrowUp", "ArrowRight", "Enter")
        opened_layer = found.text(".crumbs strong")
        assert opened_layer not in {"3", "4"}
        assert "256" not in found.text(".unseen[role=status]")
        found.press("Enter", "Enter")
        assert found.text(".crumbs") == f"DeepSeek-V3 model layers {opened_layer} mlp experts"
        assert found.text(".parts .status") == "1–12 of 256 rows"
        found.press("Escape")
        assert found.text(".crumbs strong") == "mlp"
        assert chosen(found).startswith("experts: ")
        found.press(*["Escape"] * 4)
        assert found.text(".crumbs") == "DeepSeek-V3"
        found.press("Escape")
        assert found.text(".crumbs") == "DeepSeek-V3"
        found.press("End")
        assert chosen(found).startswith("[header]: ")


def chosen(found: Opened) -> str:
    """What a screen reader says of the box that is chosen."""
    number = found.page.get_attribute(".map", "aria-activedescendant")
    assert found.page.get_attribute(f"#{number}", "aria-selected") == "true"
    return found.page.locator(f"#{number}").inner_text()


@pytest.mark.slow
def test_a_click_opens_a_box_and_the_table_says_the_same(report: Make, browser: Browser) -> None:
    with opened(browser, report("show")) as found:
        # Figures of the published repository: 5,732,943,640 bytes, 8,030,261,248 parameters, 963 tensors.
        assert found.texts(".parts tfoot td")[:7] == [
            *("all of it", "5,732,943,640", "5.73 GB", "100.00 %", "8,030,261,248", "5.71", "963"),
        ]
        found.page.locator("g.slice", has_text="lm_head").first.click(position={"x": 30, "y": 8})
        found.settle()
        assert found.text(".crumbs strong") == "lm_head"
        assert found.texts(".parts tbody td")[:5] == ["weight", "1,050,673,152", "1.05 GB", "100.00 %", "525,336,576"]
        found.page.locator(".crumbs button").first.click()
        found.settle()
        assert found.text(".crumbs") == "Llama-3.1-8B-Instruct.GPTQ-INT4.snap"
        found.page.locator(".parts button", has_text="lm_head").click()
        found.settle()
        found.page.locator(".parts button", has_text="weight").click()
        found.settle()
        assert found.page.input_value(".tensors input") == "lm_head.weight"
        assert found.text(".tensors .status") == "1 row, of 963 in all"


@pytest.mark.slow
def test_colours_mean_number_formats_roles_or_bits_and_their_sums_are_the_files(report: Make, browser: Browser) -> None:
    with opened(browser, report("show")) as found:
        # Scales are F16, packed weights I32; the two modules of F16 weights and all scales: 2,210,930,688 bytes.
        assert found.texts(".legend li") == ["I32 3.52 GB", "F16 2.21 GB", "[header] 108.31 kB"]
        found.tab_to(".inside select")
        found.press("ArrowDown")
        assert [text.rpartition(" ")[0].rpartition(" ")[0] for text in found.texts(".legend li")] == [
            *("mlp", "embedding", "head", "attention", "norm", "[header]"),
        ]
        found.press("ArrowDown")
        assert [text.rpartition(" ")[0].rpartition(" ")[0] for text in found.texts(".legend li")] == [
            *("3.5 to 5 bits", "10 to 20 bits", "no parameters", "[header]"),
        ]


@pytest.mark.slow
def test_every_tensor_is_found_and_sorted_by_keyboard(report: Make, browser: Browser) -> None:
    with opened(browser, report("deepseek")) as found:
        found.press("/")
        found.page.keyboard.type("LAYERS.60.mlp.experts.255.DOWN")
        found.settle()
        assert found.texts(".tensors tbody td:first-child") == [
            "model.layers.60.mlp.experts.255.down_proj.weight",
            "model.layers.60.mlp.experts.255.down_proj.weight_scale_inv",
        ]
        assert found.text(".tensors .status") == "2 rows, of 91,991 in all"
        found.page.fill(".tensors input", "")
        found.settle()
        assert found.text(".tensors .status") == "1–25 of 91,991 rows"
        found.tab_to(".tensors th:nth-child(7) button")
        found.press("Enter")
        assert found.page.get_attribute(".tensors th:nth-child(7)", "aria-sort") == "descending"
        # The largest: embedding and head, 129280 x 7168 in BF16, and their copies in the prediction layer.
        assert found.texts(".tensors tbody td:nth-child(7)")[:5] == [*["1,853,358,080"] * 4, "205,520,896"]
        found.press("Enter")
        # The smallest: an F32 scale of one 128 by 128 block would be 4 bytes; the least here has 5 x 56 of them.
        assert found.texts(".tensors tbody td:nth-child(7)")[0] == "1,024"
        found.tab_to(".tensors .pager button:nth-child(3)")
        found.press("Enter")
        assert found.text(".tensors .status") == "26–50 of 91,991 rows"


@pytest.mark.slow
def test_names_from_a_file_start_nothing_and_are_shown_as_they_are(report: Make, browser: Browser) -> None:
    with opened(browser, report("hostile")) as found:
        found.page.locator(".parts button", has_text="other").click()
        found.settle()
        found.tab_to(".map")
        found.press("End", "Home")
        for selector in ("main a", "main img", "svg a", "svg image", "td b", "svg tspan[style*=bold]"):
            assert found.page.locator(selector).count() == 0, selector
        shown = found.texts(".tensors tbody td:first-child")
        assert sorted(shown) == sorted(
            [*(name for name in HOSTILE[:7]), r"\x00\x1b[31m.w", r"\u202egnp.w", "__proto__.w", "constructor.w", "''"]
        )
        drawn = "".join(found.page.locator("g.slice text").evaluate_all("(all) => all.map((e) => e.textContent)"))
        assert "%{label}." in drawn
        found.page.locator("g.slice").last.hover()
        found.settle()
        found.page.locator(".parts button", has_text="<img").click()
        found.settle()
        assert found.page.input_value(".tensors input") == "<img src=x onerror=alert(1)>.w"


@pytest.mark.slow
def test_colours_follow_the_button_and_paper_is_always_white(report: Make, browser: Browser) -> None:
    with opened(browser, report("show"), scheme="dark") as found:
        found.page.evaluate("""addEventListener("beforeprint", () => {
          const { backgroundColor } = getComputedStyle(document.body);
          globalThis.printed = [backgroundColor, document.querySelectorAll(".tree details:not([open])").length];
        })""")
        found.page.get_by_role("button", name="Fold all", exact=True).click()
        assert found.page.locator(".tree details:not([open])").count() > 0
        pdf = found.page.pdf(format="A4")
        assert pdf.startswith(b"%PDF-")
        assert found.page.evaluate("globalThis.printed") == ["rgb(255, 255, 255)", 0]
        assert found.page.locator(".tree details:not([open])").count() > 0
        assert background(found) == "rgb(20, 23, 27)"
        found.tab_to("header button")
        found.press("Enter")
        assert background(found) == "rgb(255, 255, 255)"
        found.page.reload()
        found.requests.pop()
        assert background(found) == "rgb(255, 255, 255)"


def background(found: Opened) -> str:
    colour: str = found.page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


@pytest.mark.slow
def test_numbers_are_written_as_in_every_other_format(browser: Browser) -> None:
    numbers = [
        0,
        1,
        999,
        1000,
        1005,
        999_994,
        999_995,
        999_996,
        1_004_999,
        1_005_000,
        5_732_943_640,
        2**53,
        10**18,
        10**25,
    ]
    source = (ROOT / "ckptinspect" / "report" / "page" / "scripts" / "format.js").read_text()
    tab = browser.new_page()
    written = tab.evaluate(
        f"(numbers) => {{ {source}; return numbers.map((n) => [bytesText(n), shortCountText(n), countText(n)]); }}",
        [str(number) for number in numbers],
    )
    tab.close()

    assert written == [[bytes_text(number), count_text(number), f"{number:,}"] for number in numbers]


@pytest.mark.slow
def test_findings_are_filtered_by_severity_rule_and_words(report: Make, browser: Browser) -> None:
    with opened(browser, report("audit")) as found:
        every = found.page.locator("li[data-severity]").count()
        errors = found.page.locator("li[data-severity=error]").count()
        assert 0 < errors < every
        assert found.text(".toolbar:has(select) .status") == f"{every} of {every} findings"
        for severity in ("warning", "info"):
            box = found.page.get_by_label(severity, exact=False).first
            box.focus()
            found.press("Space")
        assert found.page.locator("li[data-severity]:visible").count() == errors
        found.page.locator(".findings-search, input[type=search]").last.focus()
        found.page.keyboard.type("no such words")
        found.settle()
        assert found.page.locator("li[data-severity]:visible").count() == 0
        assert found.text(".toolbar:has(select) .status") == f"0 of {every} findings"


@pytest.mark.slow
def test_a_difference_is_drawn_and_its_lists_are_searched(report: Make, browser: Browser) -> None:
    with opened(browser, report("every change")) as found:
        assert found.page.locator(".chart .bars .point").count() > 4
        assert found.text("h1") == "quantized to 4 bits (GPTQ): same 8,030,261,248 parameters, 16.06 GB → 5.73 GB"
        found.press("/")
        found.page.keyboard.type("layers.31.mlp")
        found.settle()
        assert sorted(found.texts("table.rows >> nth=-1 >> tbody td:nth-child(3)")) == [
            f"model.layers.31.mlp.{name}_proj" for name in ("down", "gate", "up")
        ]


@pytest.mark.slow
def test_rounds_are_drawn_beside_their_limit(report: Make, browser: Browser) -> None:
    with opened(browser, report("bench")) as found:
        assert found.page.locator("svg.plot .dot").count() >= 2
        assert found.page.locator("svg.plot .limit").count() >= 1
        assert found.text("h2 >> nth=-1").startswith(("Every load", "Notes"))


@pytest.mark.slow
def test_without_scripts_the_tables_are_there(report: Make, browser: Browser) -> None:
    with opened(browser, report("show"), scripts=False) as found:
        assert "8,030,261,248" in found.text("main")
        assert "963 tensors: to list them here takes JavaScript; -f csv gives them as a file." in found.text("main")
        assert found.page.locator(".tree details[open]").count() > 1


@pytest.mark.slow
def test_without_the_library_the_checkpoint_is_walked_through_by_its_table(
    tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    out = StringIO()
    page.render(show_report(open_checkpoint(GPTQ)), out)
    path = tmp_path / "bare.html"
    path.write_text(out.getvalue())

    assert os.path.getsize(path) < 200_000
    with opened(browser, path) as found:
        assert "pip install 'ckptinspect[html]'" in found.text("main")
        assert not found.page.locator(".map, .chart:visible").count()
        found.tab_to(".parts tbody button")
        found.press("Enter")
        assert found.text(".crumbs strong") == "model"
        assert found.texts(".legend li") == ["I32 3.52 GB", "F16 1.16 GB"]
