"""What is told of a tensor, of a line of the tree and of the whole, worked out by hand."""

import pytest

from ckptinspect.browse.cards import line_card, root_card, tensor_card
from ckptinspect.browse.catalogue import Catalogue, Scope
from ckptinspect.browse.orders import Order
from ckptinspect.browse.outline import Outline
from ckptinspect.browse.search import Query
from ckptinspect.browse.seen import figures_texts, order_text, scope_text
from ckptinspect.browse.wanted import Wanted, outline_of
from ckptinspect.opening import open_checkpoint
from tests.checkpoints import checkpoint_of
from tests.e2e.command import FIXTURES


def walked(name: str) -> tuple[Catalogue, Outline]:
    catalogue = Wanted().of(open_checkpoint(FIXTURES / "real" / f"{name}.snap"))
    outline = outline_of(catalogue)
    catalogue.lines = outline.lines_of(catalogue.tensors, catalogue.rows)
    return catalogue, outline


GPTQ, GPTQ_TREE = walked("Llama-3.1-8B-Instruct.GPTQ-INT4")


def tensor_facts(catalogue: Catalogue, name: str) -> dict[str, str]:
    card = tensor_card(catalogue, catalogue.names.index(name))
    assert card.title == name
    return dict(card.facts)


def line_facts(path: str) -> dict[str, str]:
    number = next(number for number, item in enumerate(GPTQ_TREE.items) if path in item.line.paths)
    return dict(line_card(GPTQ, GPTQ_TREE, number).facts)


def test_a_plain_tensor_is_told_as_it_stands_in_its_file() -> None:
    catalogue, _ = walked("gpt2")
    facts = tensor_facts(catalogue, "h.3.mlp.c_fc.weight")

    assert facts == {
        "dtype": "F32, 32 bits",
        "shape": "[768, 3072]",
        "elements": "2,359,296",
        "parameters": "2,359,296",
        "bytes": "9,437,184 (9.44 MB)",
        "counted as": "parameters",
        "module": "model",
        "layer": "3",
        "role": "mlp",
        "file": "model.safetensors",
    } | {name: facts[name] for name in ("offsets", "in the file")}
    begin, end = (int(text.replace(",", "")) for text in facts["offsets"].split(" to "))
    in_file = [int(text.replace(",", "")) for text in facts["in the file"].split(" to ")]
    assert end - begin == 9_437_184
    # gpt2's file is 548,105,171 bytes of which 548,090,880 are tensors.
    header = catalogue.shards[0].size - 548_090_880
    assert in_file == [begin + header, end + header]


def test_a_packed_weight_is_told_by_what_it_stands_for() -> None:
    # 4,096 x 4,096 weights of 4 bits in 512 x 4,096 integers of 32.
    facts = tensor_facts(GPTQ, "model.layers.7.self_attn.q_proj.qweight")

    assert (facts["shape"], facts["stands for"]) == ("[512, 4096]", "[4096, 4096]")
    assert (facts["elements"], facts["parameters"]) == ("2,097,152", "16,777,216")
    assert facts["counted as"] == "parameters, packed by gptq"
    assert facts["bits a parameter"] == "4.00"


def test_what_serves_a_packed_weight_has_no_parameters() -> None:
    facts = tensor_facts(GPTQ, "model.layers.7.self_attn.q_proj.qzeros")

    assert (facts["parameters"], facts["counted as"]) == ("0", "quantization scales and maps")
    assert "stands for" not in facts
    assert "bits a parameter" not in facts


def test_a_line_of_packed_modules_tells_what_a_parameter_takes_scales_and_all() -> None:
    # q_proj and o_proj in 32 layers: 4 bits a weight in I32, g_idx, zero points in I32, scales in F16.
    weights = 32 * 2 * 4096 * 4096
    nbytes = 32 * 2 * (512 * 4096 * 4 + 4096 * 4 + 32 * 512 * 4 + 32 * 4096 * 2)
    facts = line_facts("model.layers.0.self_attn.o_proj")

    assert facts["parameters"] == f"{weights:,}" == "1,073,741,824"
    assert facts["bytes"] == f"{nbytes:,} (558.89 MB)"
    assert facts["bits a parameter"] == "4.16"
    assert facts["share"] == "13.37 %"
    assert facts["tensors"] == "256"
    assert (facts["I32"], facts["F16"]) == ("192 tensors, 542.11 MB", "64 tensors, 16.78 MB")
    assert facts["module"].startswith("Linear(in_features=4096, out_features=4096, bias=False, ")


def test_the_whole_is_told_with_the_way_in_which_it_is_packed() -> None:
    card = root_card(GPTQ, "Llama", ["a note"])
    facts = dict(card.facts)

    assert card.title == "Llama"
    assert facts["parameters"] == "8,030,261,248"
    assert facts["files"] == "2"
    assert facts["quantized"] == (
        "gptq, 4 bits, groups of 128, by the header; 4.16 bits a weight; 141.30 MB of scales and maps"
    )
    assert facts["note"] == "a note"


@pytest.mark.parametrize("name", ["gpt2", "Llama-3.1-8B-Instruct"])
def test_where_nothing_is_packed_nothing_is_said_of_it(name: str) -> None:
    catalogue, outline = walked(name)
    facts = [*root_card(catalogue, "", ()).facts, *line_card(catalogue, outline, 1).facts]

    assert not {"quantized", "bits a parameter"} & {name for name, _ in facts}


def test_what_is_not_explained_is_counted_on_the_card() -> None:
    catalogue = Wanted().of(checkpoint_of({"a.mystery": ("I32", (4, 8)), "a.weight": ("F32", (3,))}))

    assert dict(root_card(catalogue, "", ()).facts)["unexplained"] == "32 elements"


def test_what_is_found_is_summed_up_in_full_and_shorter() -> None:
    numbers = GPTQ.found(Scope(Query.of("layers.0. q_proj qweight")), Order())

    assert figures_texts(GPTQ, numbers) == (
        "1 of 963 tensors, 16.78M parameters, 8.39 MB",
        "1 of 963 tensors, 16.78M, 8.39 MB",
        "1 of 963 tensors",
    )
    assert figures_texts(GPTQ, GPTQ.all)[0] == "963 tensors, 8.03B parameters, 5.73 GB"


def test_where_it_is_looked_for_is_told_beside() -> None:
    line = next(number for number, item in enumerate(GPTQ_TREE.items) if item.label.startswith("layers"))
    lines = (line, GPTQ_TREE.items[line].end)
    by_bytes = Order("bytes", down=True)

    def told(scope: Scope, order: Order) -> str:
        return scope_text(GPTQ, GPTQ_TREE, scope, order)

    assert told(Scope(), Order()) == "as in the files"
    assert told(Scope(), by_bytes) == "by bytes, largest first"
    assert told(Scope(lines=lines), Order()) == "in layers (0-31) 32 ×"
    assert told(Scope(shard=1), by_bytes) == "in model-00002-of-00002.safetensors, by bytes, largest first"
    assert order_text(Order("name", down=True)) == "by name, from the end"
