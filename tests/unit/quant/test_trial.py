"""What a config's claims are worth: confirmed by some modules, refuted by others, or nobody's word but its own."""

from collections.abc import Mapping

import pytest

from tests import layouts
from tests.checkpoints import vector
from tests.folders import Shapes
from tests.quantized import counted, told

LAYER = "model.layers.0"
Q, ODD = f"{LAYER}.self_attn.q_proj", f"{LAYER}.mlp.odd_proj"
NORM = vector(f"{LAYER}.input_layernorm", 512)
# In front of the one stands a norm; around the other nothing tells how wide it is.
BOTH: Shapes = {**NORM, **layouts.at(Q, layouts.mlx(512, 512)), **layouts.at(ODD, layouts.mlx(512, 1024))}
ALONE: Shapes = layouts.at(ODD, layouts.mlx(512, 1024))
TRUE, FALSE = {"bits": 4, "group_size": 64}, {"bits": 8, "group_size": 32}
WORDS = 512 * 128


def alone(tensors: Shapes, section: Mapping[str, object], **config: object) -> list[str]:
    return told(tensors, {"quantization": section, **config}, "config-alone")


def test_what_nobody_but_the_config_says_is_told() -> None:
    found = counted(ALONE, {"quantization": TRUE})

    assert found.total.parameters == 512 * 1024
    assert alone(ALONE, TRUE) == [
        (
            f"524,288 parameters in 1 module, such as '{ODD}', are counted at 4 bits by what the config alone says: no "
            "tensor proves or refutes it"
        )
    ]


def test_a_claim_that_another_module_refutes_decides_nothing() -> None:
    found = counted(BOTH, {"quantization": FALSE})

    assert (found.total.parameters, found.total.unexplained) == (512 * 512 + 512, WORDS)
    assert told(BOTH, {"quantization": FALSE}) == [
        f"the config says 8 bits, and the headers show 4 (1 module, such as '{Q}'): the headers count"
    ]
    assert alone(BOTH, FALSE) == []


def test_a_claim_that_another_module_confirms_is_still_told() -> None:
    """The module may be the one that the config forgot."""
    assert counted(BOTH, {"quantization": TRUE}).total.parameters == 512 * 512 + 512 + 512 * 1024
    assert len(alone(BOTH, TRUE)) == 1


def test_a_claim_for_the_one_module_is_not_refuted_by_others() -> None:
    section = {**TRUE, ODD: FALSE}

    assert counted(BOTH, {"quantization": section}).total.parameters == 512 * 512 + 512 + 512 * 512
    assert len(alone(BOTH, section)) == 1


def test_widths_of_a_config_that_nothing_bears_out_are_told_too() -> None:
    config = {"hidden_size": 2048}

    assert counted(ALONE, config).total.parameters == 512 * 2048
    assert len(told(ALONE, config, "config-alone")) == 1


def test_where_a_neighbour_agrees_nothing_is_told() -> None:
    """The embedding is most likely as wide as the last norm; the config says the same."""
    tensors = {**vector("model.norm", 512), **layouts.at("model.embed_tokens", layouts.mlx(1024, 512))}

    assert counted(tensors, {"quantization": TRUE}).total.parameters == 1024 * 512 + 512
    assert alone(tensors, TRUE) == []


@pytest.mark.parametrize("section", [{}, FALSE])
def test_what_is_likely_counts_where_no_config_may_speak(section: Mapping[str, object]) -> None:
    tensors = {**BOTH, **vector("model.norm", 512), **layouts.at("model.embed_tokens", layouts.mlx(1024, 512))}

    found = counted(tensors, {"quantization": section})

    (embedding,) = [row for row in found.rows if row.kind.example == "model.embed_tokens.weight"]
    assert embedding.parameters == 1024 * 512


def test_what_is_likely_does_not_single_a_module_out() -> None:
    """An embedding twice as wide as the norms: read as they suggest it would be of 8 bits, where all others are of 4."""
    tensors = {**BOTH, **vector("model.norm", 512), **layouts.at("model.embed_tokens", layouts.mlx(1024, 1024))}

    without, beside = counted(tensors), counted(tensors, {"quantization": TRUE})

    assert without.total.unexplained == WORDS + 1024 * 128
    assert beside.total.parameters == 512 * 512 + 512 * 1024 + 1024 * 1024 + 1024
    assert alone(tensors, TRUE) == [
        (
            "1,572,864 parameters in 2 modules, such as 'model.embed_tokens', are counted at 4 bits by what the config "
            "alone says: no tensor proves or refutes it"
        )
    ]


def test_a_proven_module_speaks_for_the_same_one_in_other_layers() -> None:
    """5 bits in groups of 64 have one reading, 4 in groups of 64 have three."""
    tensors: Shapes = {
        **layouts.at("model.layers.0.mlp.odd_proj", layouts.mlx(512, 1024, 5)),
        **layouts.at("model.layers.1.mlp.odd_proj", layouts.mlx(512, 1024, 4)),
    }

    found = counted(tensors, {"quantization": TRUE, "hidden_size": 3})

    assert found.total.parameters == 2 * 512 * 1024
    assert {one.evidence for one in found.explained} == {"header", "neighbour"}
