import io
import re

import pytest

from ckptinspect.report import markdown, table
from ckptinspect.report import page as html
from ckptinspect.report.document import Branch, Report, Tree
from ckptinspect.report.dtypes import dtypes_report
from ckptinspect.report.tree import tree_report
from tests.checkpoints import Tensors, bloom_1b4_zh, checkpoint_of, matrix, qwen2_vl_7b, small_deepseek, vector

BLOOM = """\
tiny                                                  1,303,111,680    2.61 GB
├ transformer                                         1,303,111,680    2.61 GB
│ ├ word_embeddings         Embedding(46145, 2048)       94,504,960  189.01 MB
│ ├ word_embeddings_layernorm  LayerNorm(2048)                4,096    8.19 kB
│ ├ h (0-23)                24 ×                      1,208,598,528    2.42 GB
│ │ ├ input_layernorm       LayerNorm(2048)                  98,304  196.61 kB
│ │ ├ self_attention.query_key_value                    302,137,344  604.27 MB
│ │ │   Linear(2048, 6144, bias)
│ │ ├ self_attention.dense  Linear(2048, 2048, bias)    100,712,448  201.42 MB
│ │ ├ post_attention_layernorm  LayerNorm(2048)              98,304  196.61 kB
│ │ ├ mlp.dense_h_to_4h     Linear(2048, 8192, bias)    402,849,792  805.70 MB
│ │ └ mlp.dense_4h_to_h     Linear(8192, 2048, bias)    402,702,336  805.40 MB
│ └ ln_f                    LayerNorm(2048)                   4,096    8.19 kB
└ lm_head                                                         0        0 B
    tied to transformer.word_embeddings: not stored
"""


def drawn(report: Report, width: int) -> list[str]:
    out = io.StringIO()
    table.render(Report(report.kind, report.data, "", report.blocks), out, width=width)
    return out.getvalue().splitlines()


def drawing(root: Branch, width: int) -> list[str]:
    report = dtypes_report()
    return drawn(Report("tree", report.data, "title", (Tree(root),)), width)


def twig(*names: str, detail: str = "Linear(in_features=8, out_features=8, bias=False)", brief: str = "") -> Branch:
    return Branch(names, detail, brief or "Linear(8, 8)", 64, 128)


def root(*children: Branch) -> Branch:
    return Branch(("root",), "", "", 64 * len(children), 128 * len(children), children)


def test_a_wide_screen_shows_names_kinds_and_figures_in_columns() -> None:
    lines = drawn(tree_report(qwen2_vl_7b()), 200)

    assert lines[0].split() == ["tiny", "8,291,375,616", "16.58", "GB"]
    assert len({len(line) for line in lines}) == 1
    assert len({line.index("Linear(") for line in lines if "Linear(" in line}) == 1
    assert next(line for line in lines if "k_proj" in line) == (
        "│ │ ├ self_attn.k_proj, v_proj                   "
        "Linear(in_features=3584, out_features=512, bias=True)        102,789,120  205.58 MB"
    )
    assert next(line for line in lines if "(0-27)" in line).split()[3:6] == ["(0-27)", "28", "×"]


def test_80_columns_are_enough_for_every_name_and_figure() -> None:
    for checkpoint in (qwen2_vl_7b(), small_deepseek(), bloom_1b4_zh()):
        lines = drawn(tree_report(checkpoint), 80)

        assert max(map(len, lines)) <= 80
        assert "…" not in "".join(lines)


def test_the_tree_of_bloom_on_80_columns() -> None:
    assert drawn(tree_report(bloom_1b4_zh()), 80) == BLOOM.splitlines()


def test_a_pipe_is_as_wide_as_it_takes() -> None:
    assert drawn(tree_report(qwen2_vl_7b()), 0) == drawn(tree_report(qwen2_vl_7b()), 200)


def test_a_screen_that_is_too_narrow_for_arguments_shows_sizes_alone() -> None:
    tree = root(twig("self_attn.q_proj"), twig("mlp.up_proj"))

    assert drawing(tree, 50) == [
        "root                              128  256 B",
        "├ self_attn.q_proj  Linear(8, 8)   64  128 B",
        "└ mlp.up_proj       Linear(8, 8)   64  128 B",
    ]


def test_names_that_share_a_line_are_wrapped_before_any_is_cut() -> None:
    tree = root(twig("input_layernorm", "post_attention_layernorm"), twig("mlp.up_proj"))

    assert drawing(tree, 48) == [
        "root                              128  256 B",
        "├ input_layernorm,  Linear(8, 8)   64  128 B",
        "│   post_attention_layernorm",
        "└ mlp.up_proj       Linear(8, 8)   64  128 B",
    ]


def test_a_detail_without_room_beside_its_name_stands_below_it() -> None:
    tree = root(twig("a_name_that_takes_all_the_room"), twig("fc"))

    assert drawing(tree, 48) == [
        "root                              128  256 B",
        "├ a_name_that_takes_all_the_room   64  128 B",
        "│   Linear(8, 8)",
        "└ fc  Linear(8, 8)                 64  128 B",
    ]


def test_a_name_that_fits_nowhere_is_cut_in_the_middle() -> None:
    lines = drawing(root(twig("a" * 50 + "b" * 50)), 40)

    assert lines[1].startswith("└ aaaaaaaaaa")
    assert lines[1].endswith("bbbbbbbbbb  64  128 B")
    assert "…" in lines[1]
    assert max(map(len, lines)) <= 40


@pytest.mark.parametrize("width", [1, 8, 20, 30])
def test_parameters_are_whole_on_any_screen(width: int) -> None:
    lines = drawn(tree_report(qwen2_vl_7b()), width)

    assert "8,291,375,616" in lines[0]
    assert "".join(lines).count("544,997,376") == 2


def test_sizes_give_way_to_names_and_a_note_says_so() -> None:
    narrow, wide = drawn(tree_report(qwen2_vl_7b()), 49), drawn(tree_report(qwen2_vl_7b()), 50)

    assert wide[0].endswith("   8,291,375,616   16.58 GB")
    assert narrow[0].endswith("   8,291,375,616")
    assert narrow[-1] == "note: no room for the column size"


def test_names_from_files_come_out_inert() -> None:
    tensors: Tensors = matrix("\x1b[31mred\x1b[0m\n", 2, 3) | {"": ("F32", (2,)), "<b>": ("F32", (2,))}
    report = tree_report(checkpoint_of(tensors))
    page, text = io.StringIO(), io.StringIO()
    html.render(report, page)
    markdown.render(report, text)

    for out in ("\n".join(drawn(report, 80)), page.getvalue(), text.getvalue()):
        assert "\x1b" not in out
        assert "\\x1b[31mred" in out.replace("\\[", "[").replace("\\\\x1b", "\\x1b")
        assert "''" in out.replace("&#x27;", "'")
    assert "<b>" not in page.getvalue()


def test_other_renderers_have_every_line_of_the_tree() -> None:
    report = tree_report(checkpoint_of(matrix("model.fc1", 4, 8, bias=True) | vector("model.norm", 8)))
    page, text = io.StringIO(), io.StringIO()
    html.render(report, page)
    markdown.render(report, text)

    assert (
        "  - **fc1** Linear\\(in\\_features=8, out\\_features=4, bias=True\\): 36 parameters, 72 B\n" in text.getvalue()
    )
    assert "<strong>fc1</strong> Linear(in_features=8, out_features=4, bias=True) " in page.getvalue()
    assert page.getvalue().count("<li>") == 4


def test_the_rows_of_a_tree_are_its_lines() -> None:
    report = tree_report(checkpoint_of(matrix("model.layers.0.fc1", 4, 8) | matrix("model.layers.1.fc1", 4, 8)))
    assert report.rows is not None

    rows = [re.sub(r"^BranchData", "", str(row)) for row in report.rows()]

    assert rows == [
        "(path='', name='tiny', kind=None, repeat=1, parameters=64, bytes=128)",
        "(path='model.layers.0', name='model.layers (0-1)', kind=None, repeat=2, parameters=64, bytes=128)",
        "(path='model.layers.0.fc1', name='fc1', kind='Linear', repeat=1, parameters=64, bytes=128)",
    ]
