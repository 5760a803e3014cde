from io import StringIO

import msgspec

from ckptinspect.report import markdown, table
from ckptinspect.report import page as html
from ckptinspect.report.document import Column, Format, Formulas, Lines, Report, Sum, Table

HOSTILE = "\x1b[31m<b>|*_`\u202ename\n"


class Data(msgspec.Struct):
    value: int = 1


def report(*blocks: Table | Sum | Lines | Formulas) -> Report:
    return Report("show", Data(), HOSTILE, blocks, (HOSTILE,))


COLUMNS = (Column("name", Format.NAME), Column("elements", Format.COUNT), Column("file", Format.NAME, spare=1))


def drawn(value: Report, width: int = 0, *, colour: bool = False) -> str:
    out = StringIO()
    table.render(value, out, width=width, colour=colour)
    return out.getvalue()


def test_numbers_stand_right_and_names_left() -> None:
    block = Table(COLUMNS, [("a", 1, "f"), ("bcd", 1_234_567, "gh")], [("total", 1_234_568, None)])

    assert drawn(Report("show", Data(), "", (block,))) == (
        "name    elements  file\n"
        "a              1  f\n"
        "bcd    1,234,567  gh\n"
        "total  1,234,568\n"
    )  # fmt: skip


def test_spare_columns_go_before_names_are_cut() -> None:
    block = Table(COLUMNS, [("n" * 30, 1, "f" * 30)])

    assert drawn(Report("show", Data(), "", (block,)), width=60).splitlines()[0].split() == ["name", "elements"]
    assert drawn(Report("show", Data(), "", (block,)), width=80).splitlines()[0].split() == ["name", "elements", "file"]


def test_a_long_name_is_cut_in_the_middle_and_its_number_is_whole() -> None:
    block = Table(COLUMNS[:2], [("model.layers.0.self_attn.q_proj.weight", 12_845_056)])

    assert drawn(Report("show", Data(), "", (block,)), width=32).splitlines()[1] == "model.lay…roj.weight  12,845,056"


def test_wide_characters_take_two_columns() -> None:
    block = Table(COLUMNS[:2], [("重み", 1), ("abcd", 22)])
    first, second = drawn(Report("show", Data(), "", (block,))).splitlines()[1:]

    assert (first, second) == ("重み         1", "abcd        22")


def test_hostile_text_is_inert_on_a_terminal() -> None:
    block = Table(COLUMNS[:2], [(HOSTILE, 1)], title=HOSTILE)
    out = drawn(
        report(block, Sum(((1, HOSTILE),), (1, HOSTILE), HOSTILE), Lines((HOSTILE,)), Formulas(((HOSTILE, "1", 1),)))
    )

    assert "\x1b" not in out
    assert "\u202e" not in out


def test_colour_is_there_where_it_is_wanted_and_nothing_else() -> None:
    block = Table(COLUMNS[:2], [("a", 1)], [("total", 1)])
    plain, coloured = drawn(report(block)), drawn(report(block), colour=True)

    for code in ("\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain


def test_hostile_text_is_inert_in_markdown_and_html() -> None:
    block = Table(COLUMNS[:2], [(HOSTILE, 1)], title=HOSTILE)
    whole = report(block, Sum(((1, HOSTILE),), (1, HOSTILE), HOSTILE), Lines((HOSTILE,)))
    as_markdown, as_html = StringIO(), StringIO()
    markdown.render(whole, as_markdown)
    html.render(whole, as_html)

    assert "<b>" not in as_markdown.getvalue() + as_html.getvalue()
    assert "\x1b" not in as_markdown.getvalue() + as_html.getvalue()
    assert r"\*\_\`" in as_markdown.getvalue()


def test_the_page_asks_for_nothing_and_runs_its_own_script_alone() -> None:
    out = StringIO()
    html.render(report(Lines(("x",))), out)
    page = out.getvalue()

    assert "default-src 'none'" in page
    assert page.count("<script") == 1
    assert "http" not in page.replace("http-equiv", "")


def test_an_addition_is_written_out() -> None:
    block = Sum(((10, "stored elements"), (-3, "buffers")), (7, "parameters"), "Title")

    assert drawn(Report("show", Data(), "", (block,))) == (
        "Title\n"
        "10  stored elements\n"
        "-3  buffers\n"
        "──\n"
        " 7  parameters\n"
    )  # fmt: skip


def test_an_expression_is_broken_between_terms_then_factors_then_within_one() -> None:
    block = Formulas((("model", "12*7 + (vision_config.image_size//vision_config.patch_size+1)*hidden_size", 84),))

    assert drawn(Report("formula", Data(), "", (block,)), width=40) == (
        "model = 84\n"
        "  12*7 +\n"
        "  (vision_config.image_size//\n"
        "  vision_config.patch_size+1)*\n"
        "  hidden_size\n"
    )  # fmt: skip


def test_a_formula_that_is_its_value_is_written_once() -> None:
    block = Formulas((("ema", "0", 0),))
    pages = [StringIO() for _ in range(3)]
    for renderer, page in zip((table, markdown, html), pages, strict=True):
        renderer.render(Report("formula", Data(), "", (block,)), page)

    assert pages[0].getvalue() == "ema = 0\n"
    assert pages[1].getvalue().endswith("- **ema** = 0\n")
    assert "<p><strong>ema</strong> = 0</p>" in pages[2].getvalue()
