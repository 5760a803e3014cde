from pathlib import Path

import pytest

from ckptinspect.analysis.count import count
from ckptinspect.analysis.formula import Formula, formulas
from ckptinspect.analysis.terms import Dim, Product, Repeat, sum_text
from ckptinspect.errors import RefError
from ckptinspect.model import Checkpoint
from ckptinspect.opening import open_checkpoint
from ckptinspect.report import v1
from ckptinspect.report.formula import formula_report
from tests.arithmetic import value_of
from tests.checkpoints import (
    Tensors,
    bloom_1b4_zh,
    checkpoint_of,
    llama_3_1_8b,
    matrix,
    qwen2_vl_7b,
    small_deepseek,
    vector,
)

REAL = Path(__file__).parents[3] / "fixtures" / "real"


def formulas_of(checkpoint: Checkpoint) -> dict[str, Formula]:
    return {formula.module: formula for formula in formulas(checkpoint, count(checkpoint))}


def expression_of(tensors: Tensors) -> str:
    (formula,) = formulas_of(checkpoint_of(tensors)).values()
    assert value_of(formula.expression) == formula.value
    return formula.expression


def report_data(checkpoint: Checkpoint, module: str | None = None, *, symbols: bool = False) -> v1.FormulaData:
    data = formula_report(checkpoint, module, symbols=symbols).data
    assert isinstance(data, v1.FormulaData)
    return data


def test_the_formula_of_qwen2_vl_is_the_one_that_people_derive_by_hand() -> None:
    found = formulas_of(qwen2_vl_7b())

    assert [(name, formula.value) for name, formula in found.items()] == [
        ("visual", 675_759_104),
        ("model", 7_070_619_136),
        ("lm_head", 544_997_376),
    ]
    assert found["visual"].expression == (
        "1280*3*2*14*14"
        " + 32*(1280*2*2 + (1280+1)*3840 + (1280+1)*1280 + (1280+1)*5120 + (5120+1)*1280)"
        " + 1280*2 + (5120+1)*5120 + (5120+1)*3584"
    )
    assert found["model"].expression == (
        "152064*3584 + 28*(3584*2 + (3584+1)*3584 + (3584+1)*512*2 + 3584*3584 + 3584*18944*3) + 3584"
    )
    assert found["lm_head"].expression == "3584*152064"


def test_the_formula_of_llama_adds_up_over_its_modules() -> None:
    data = report_data(llama_3_1_8b())

    assert data.total.expression == (
        "128256*4096 + 32*(4096*2 + 4096*4096*2 + 4096*1024*2 + 4096*14336*3) + 4096 + 4096*128256"
    )
    assert data.total.value == value_of(data.total.expression) == 8_030_261_248


def test_the_formula_of_bloom_has_no_tied_head() -> None:
    found = formulas_of(bloom_1b4_zh())

    assert found["model"].expression == (
        "46145*2048 + 2048*2*2 + 24*(2048*2*2 + (2048+1)*6144 + (2048+1)*2048 + (2048+1)*8192 + (8192+1)*2048)"
    )
    assert found["model"].value == 1_303_111_680


def test_experts_fold_inside_layers_and_scales_and_copies_are_left_out() -> None:
    found = formulas_of(small_deepseek())

    assert found["model"].expression == (
        "1000*256"
        " + 2*(256 + 256*96 + 64 + 64*512 + 256*768*3)"
        " + 3*(256 + 256*96 + 64 + 64*512 + 256*4 + 4 + 4*(256*128*3) + 256*128*3)"
        " + 256"
    )
    assert found["mtp"].expression == ("256*3 + 512*256 + 256*96 + 64 + 64*512 + 256*4 + 4 + 4*(256*128*3) + 256*128*3")


def test_a_convolution_with_a_bias_has_one_more_for_each_output() -> None:
    assert expression_of(vector("net.conv", 64, 3, 7, 7, bias=64)) == "(3*7*7+1)*64"
    assert expression_of(vector("net.conv1d", 64, 1, 4, bias=64)) == "(4+1)*64"
    assert expression_of(vector("net.up", 8, 4, 2, 2, bias=4)) == "(8*2*2+1)*4"


def test_what_is_stored_in_by_out_has_its_bias_on_the_outputs() -> None:
    assert expression_of(vector("h.0.attn.c_attn", 8, 24, bias=24)) == "(8+1)*24"


def test_buffers_are_no_parameters() -> None:
    statistics: Tensors = {f"net.bn.running_{what}": ("F32", (8,)) for what in ("mean", "var")}

    assert expression_of(vector("net.bn", 8, bias=8) | statistics) == "8*2"


def test_a_norm_and_a_parameter_are_the_product_of_their_shape() -> None:
    assert expression_of(vector("net.norm", 8)) == "8"
    assert expression_of({"net.cls_token": ("F32", (1, 1, 8))}) == "8"
    assert expression_of({"net.scale_a": ("F32", ()), "net.scale_b": ("F32", (1,))}) == "2"
    assert expression_of({"net.empty": ("F32", (0, 8))}) == "0*8"


def test_layers_that_alternate_are_a_term_each() -> None:
    tensors: Tensors = {}
    for number in range(6):
        tensors |= matrix(f"model.layers.{number}.fc", 4 + number % 2, 8)

    assert expression_of(tensors) == "3*(8*4) + 3*(8*5)"


def test_equal_terms_are_joined_whatever_the_order_of_their_factors() -> None:
    terms = [Product((Dim(4), Dim(8))), Product((Dim(7),)), Product((Dim(8), Dim(4)))]

    assert sum_text(terms) == "4*8*2 + 7"
    assert sum_text([Repeat(Dim(3), tuple(terms)), Repeat(Dim(3), tuple(terms))]) == "3*(4*8*2 + 7)*2"
    assert sum_text([]) == "0"


def test_a_module_alone_is_its_own_total() -> None:
    data = report_data(qwen2_vl_7b(), "visual")

    assert [module.module for module in data.modules] == ["visual"]
    assert data.total.value == 675_759_104
    with pytest.raises(RefError, match="no module 'audio' in it; choose one of visual, model, lm_head"):
        report_data(qwen2_vl_7b(), "audio")


def test_packed_weights_are_left_out_and_a_note_says_so() -> None:
    packed: Tensors = {
        "model.layers.0.q_proj.qweight": ("I32", (512, 1024)),
        "model.layers.0.q_proj.qzeros": ("I32", (32, 128)),
        "model.layers.0.q_proj.scales": ("F16", (32, 1023)),
        "model.layers.0.q_proj.g_idx": ("I32", (4096,)),
    }
    checkpoint = checkpoint_of(packed | vector("model.norm", 4096))
    counted = count(checkpoint)
    data = report_data(checkpoint)
    codes = {note.code for note in data.notes}

    assert value_of(data.total.expression) == data.total.value == counted.total.parameters
    assert "unexplained" in codes
    assert counted.total.unexplained == 512 * 1024


@pytest.mark.parametrize("snapshot", sorted(REAL.glob("*.snap")), ids=lambda path: path.stem)
def test_on_every_real_checkpoint_the_expression_evaluates_to_the_count(snapshot: Path) -> None:
    checkpoint = open_checkpoint(snapshot, names=True)
    counted = count(checkpoint)
    data = report_data(checkpoint, symbols=True)

    for module in (*data.modules, data.total):
        assert value_of(module.expression) == module.value
        if module.symbolic is not None:
            assert value_of(module.symbolic, data.symbols) == module.value
    assert data.total.value == counted.total.parameters
    tallies = counted.by(lambda row: row.place.module)
    assert {module.module: module.value for module in data.modules} == {
        name: tally.parameters for (name,), tally in tallies.items()
    }
