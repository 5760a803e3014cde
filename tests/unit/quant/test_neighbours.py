"""What the tensors around a module say of its widths, and that towers do not speak for each other."""

import pytest

from ckptinspect.model import Config, merged
from ckptinspect.quant.neighbours import Neighbours
from tests import layouts
from tests.checkpoints import checkpoint_of, decoder, matrix, vector
from tests.folders import Shapes


def neighbours(tensors: Shapes, **config: object) -> Neighbours:
    headers = [shard.header for shard in checkpoint_of(tensors).shards if shard.header is not None]
    return Neighbours(merged(kind for header in headers for kind in header.kinds), Config(config))


LLAMA = decoder("model", layers=2, vocab=1000, hidden=512, kv=128, ffn=1024)
NORMS = {name: entry for name, entry in LLAMA.items() if "norm" in name}


@pytest.mark.parametrize(
    ("path", "widths"),
    [
        ("model.layers.1.self_attn.q_proj", {512}),
        ("model.layers.1.mlp.up_proj", {512}),
        ("model.layers.7.mlp.experts.3.gate_proj", {512}),
        ("model.embed_tokens", {512}),
        ("lm_head", {512}),
        ("model.layers.1.mlp.somebody", set()),
        ("visual.blocks.1.attn.qkv", set()),
    ],
)
def test_what_reads_the_hidden_state_is_as_wide_as_the_norms(path: str, widths: set[int]) -> None:
    assert neighbours(NORMS).inputs(path) == widths


def test_what_takes_from_a_packed_neighbour_is_as_wide_as_that_gives() -> None:
    layer = "model.layers.0"
    for layout in (layouts.gptq, layouts.ct_pack, layouts.mlx, layouts.int8):
        tensors = {
            **layouts.at(f"{layer}.mlp.gate_proj", layout(1024, 512)),
            **layouts.at(f"{layer}.mlp.up_proj", layout(1024, 512)),
            **layouts.at(f"{layer}.self_attn.q_proj", layout(256, 512)),
        }
        around = neighbours(tensors)

        assert around.inputs(f"{layer}.mlp.down_proj") == {1024}
        assert around.inputs(f"{layer}.self_attn.o_proj") == {256}


def test_a_gate_in_the_queries_is_no_width_of_the_output() -> None:
    tensors = layouts.at("model.layers.0.self_attn.q_proj", layouts.gptq(512, 256))

    assert neighbours(tensors).inputs("model.layers.0.self_attn.o_proj") == {512}
    assert neighbours(tensors, attn_output_gate=True).inputs("model.layers.0.self_attn.o_proj") == {256}


def test_a_tower_does_not_speak_for_another() -> None:
    """The vision tower is half as wide as the language model: its 4 bits must not pass for 2."""
    tensors = NORMS | vector("vision_tower.encoder.layers.0.odd", 256)

    assert neighbours(tensors).inputs("vision_tower.encoder.layers.0.self_attn.q_proj") == set()


def test_layers_that_are_not_quantized_speak_for_those_that_are() -> None:
    tensors = matrix("model.layers.0.mlp.odd_proj", 64, 48)

    assert neighbours(tensors).inputs("model.layers.1.mlp.odd_proj") == {48}
    assert neighbours(tensors).outputs("model.layers.1.mlp.odd_proj") == {64}


@pytest.mark.parametrize(
    ("path", "widths"),
    [
        ("model.layers.0.mlp.down_proj", {1024, 300}),
        ("model.layers.0.self_attn.o_proj", {256}),
        ("model.layers.0.self_attn.q_proj", {512}),
    ],
)
def test_the_config_has_widths_of_its_own(path: str, widths: set[int]) -> None:
    config = {
        "text_config": {
            "hidden_size": 512,
            "intermediate_size": 1024,
            "moe_intermediate_size": 300,
            "num_attention_heads": 4,
            "head_dim": 64,
        }
    }

    assert neighbours({}, **config).claimed(path) == widths
    assert 512 * 1024 in neighbours({}, **config).claimed_products("model.layers.0.mlp.gate_proj")
