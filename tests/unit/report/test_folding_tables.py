from io import StringIO

import msgspec
import pytest

from ckptinspect.report import table
from ckptinspect.report.cells import written
from ckptinspect.report.document import Column, Format, Report, Table

COLUMNS = (Column("tensors", Format.COUNT), Column("name", Format.NAME), Column("from what to what", Format.NAME))
ROWS = [
    (32, "model.layers.{0-31}.norm", "BF16 → F16"),
    (1, "lm_head", "BF16 [8, 4] → F16 [8, 4]"),
    (None, "[2 more]", None),
]


class Data(msgspec.Struct):
    value: int = 1


def drawn(width: int) -> str:
    out = StringIO()
    block = Table(COLUMNS, ROWS, title="Changed", folds=True)
    table.render(Report("diff", Data(), "", (block,)), out, width=width)
    return out.getvalue()


def test_with_room_for_all_it_is_a_table_like_any_other() -> None:
    assert drawn(80) == (
        "Changed\n"
        "tensors  name                      from what to what\n"
        "     32  model.layers.{0-31}.norm  BF16 → F16\n"
        "      1  lm_head                   BF16 [8, 4] → F16 [8, 4]\n"
        "         [2 more]\n"
    )


def test_what_has_no_room_goes_below_its_row() -> None:
    assert drawn(52) == (
        "Changed\n"
        "tensors  name                      from what to what\n"
        "     32  model.layers.{0-31}.norm  BF16 → F16\n"
        "      1  lm_head\n"
        "         BF16 [8, 4] → F16 [8, 4]\n"
        "         [2 more]\n"
    )


def test_names_are_cut_only_where_they_have_no_room_alone() -> None:
    assert drawn(28) == (
        "Changed\n"
        "tensors  name\n"
        "       from what to what\n"
        "     32  model.lay…-31}.norm\n"
        "       BF16 → F16\n"
        "      1  lm_head\n"
        "       BF16 [8, 4] → F16 [8,\n"
        "       4]\n"
        "         [2 more]\n"
    )


@pytest.mark.parametrize("width", range(20, 90, 7))
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    assert max(map(len, drawn(width).splitlines())) <= width


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (1200, Format.COUNT_CHANGE, "+1,200"),
        (-1200, Format.COUNT_CHANGE, "-1,200"),
        (0, Format.COUNT_CHANGE, "0"),
        (1500, Format.BYTES_CHANGE, "+1.50 kB"),
        (-1500, Format.BYTES_CHANGE, "-1.50 kB"),
        (0, Format.BYTES_CHANGE, "0 B"),
    ],
)
def test_a_change_has_its_sign(value: int, form: Format, text: str) -> None:
    assert written(value, Column("", form)) == text
