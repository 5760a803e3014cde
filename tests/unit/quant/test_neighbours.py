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

    beside = layouts.at("model.layers.1.linear_attn.in_proj_qkvz", layouts.gptq(1024, 256))

    assert neighbours(tensors).inputs("model.layers.0.self_attn.o_proj") == {512}
    assert neighbours({**tensors, **beside}).inputs("model.layers.0.self_attn.o_proj") == {256}


def test_a_gate_that_only_the_config_knows_of_leaves_both_widths() -> None:
    tensors = layouts.at("model.layers.0.self_attn.q_proj", layouts.gptq(512, 256))
    near = neighbours(tensors, attn_output_gate=True).near("model.layers.0.self_attn.o_proj")

    assert near.sure == {512, 256}
    assert not near.likely


def test_a_tower_does_not_speak_for_another() -> None:
    """The vision tower is half as wide as the language model: its 4 bits must not pass for 2."""
    tensors = NORMS | vector("vision_tower.encoder.layers.0.odd", 256)

    assert neighbours(tensors).inputs("vision_tower.encoder.layers.0.self_attn.q_proj") == set()


def mla(
    heads: int = 4, nope: int = 128, rope: int = 64, values: int = 96, ranks: tuple[int, int] = (384, 256)
) -> Shapes:
    """An attention over compressed keys and values of 512 channels, all of it packed."""
    at = "model.layers.0.self_attn"
    queries, keys = ranks
    packed = {
        "q_a_proj": (queries, 512),
        "q_b_proj": (heads * (nope + rope), queries),
        "kv_a_proj_with_mqa": (keys + rope, 512),
        "kv_b_proj": (heads * (nope + values), keys),
        "o_proj": (512, heads * values),
    }
    tensors = vector(f"{at}.q_a_layernorm", queries) | vector(f"{at}.kv_a_layernorm", keys)
    for word, shape in packed.items():
        tensors |= layouts.at(f"{at}.{word}", layouts.mlx(*shape, group=32))
    return tensors


@pytest.mark.parametrize(("word", "inputs"), [("q_b_proj", 384), ("kv_b_proj", 256)])
def test_what_expands_is_as_wide_as_the_norm_in_between(word: str, inputs: int) -> None:
    assert neighbours(mla()).inputs(f"model.layers.0.self_attn.{word}") == {inputs}


def test_without_that_norm_the_module_that_compresses_tells() -> None:
    tensors = {name: entry for name, entry in mla().items() if "q_a_layernorm" not in name}

    assert neighbours(tensors).inputs("model.layers.0.self_attn.q_b_proj") == {384}


def test_the_heads_that_all_widths_allow_tell_what_the_output_takes() -> None:
    """768 queries and 896 expanded are 4 heads of 128 + 64 and 128 + 96; or 2 of 320 + 64 and 320 + 128; or 8 of 32 + 64
    and 32 + 80. One head would be too large, and 16 leave nothing beside 64.
    """
    near = neighbours(mla()).near("model.layers.0.self_attn.o_proj", (512, 48))

    assert near.sure == {4 * 96, 2 * 128, 8 * 80}


def test_the_same_where_keys_and_values_are_stacked_by_heads() -> None:
    at = "model.layers.0.self_attn"
    tensors = {name: entry for name, entry in mla().items() if "kv_b_proj" not in name}
    stacks = {
        **layouts.at(f"{at}.embed_q", layouts.mlx(256, 128, outer=(4,))),
        **layouts.at(f"{at}.unembed_out", layouts.mlx(96, 256, outer=(4,))),
    }
    around = neighbours({**tensors, **stacks})

    assert around.near(f"{at}.embed_q", (4, 256, 16)).sure == {128}
    assert around.inputs(f"{at}.unembed_out") == {256}
    assert around.inputs(f"{at}.o_proj") == {4 * 96}


def packed(path: str, outputs: int, inputs: int) -> Shapes:
    return layouts.at(path, layouts.mlx(outputs, inputs))


LAYER = "model.layers.0"


@pytest.mark.parametrize(
    ("beside", "word", "inputs"),
    [
        (packed(f"{LAYER}.mlp.gate_up_proj", 2048, 512), "mlp.down_proj", {1024}),
        (packed(f"{LAYER}.mlp.switch_mlp.up_proj", 768, 512), "mlp.switch_mlp.down_proj", {768}),
        (packed(f"{LAYER}.mlp.fc1", 2048, 512), "mlp.fc2", {2048}),
        (packed(f"{LAYER}.feed_forward.key", 2048, 512), "feed_forward.value", {2048}),
        (packed(f"{LAYER}.intermediate.dense", 2048, 512), "output.dense", {2048}),
        (packed(f"{LAYER}.attention.self.query", 768, 512), "attention.output.dense", {768}),
        (packed(f"{LAYER}.self_attn.qkv_proj", 1536, 512), "self_attn.o_proj", {512}),
        (packed(f"{LAYER}.self_attn.q_proj", 768, 512), "self_attn.o_proj", {768}),
        ({f"{LAYER}.mamba.A_log": ("F32", (1024, 16))}, "mamba.out_proj", {1024}),
        (packed(f"{LAYER}.mlp.fc1_latent_proj", 256, 512), "mlp.experts.7.up_proj", {256}),
        (packed(f"{LAYER}.linear_attn.in_proj_z", 768, 512), "linear_attn.out_proj", {768}),
    ],
)
def test_what_takes_from_a_neighbour_is_as_wide_as_that_gives(beside: Shapes, word: str, inputs: set[int]) -> None:
    tensors = {**vector(f"{LAYER}.input_layernorm", 512), **beside}

    assert neighbours(tensors).inputs(f"{LAYER}.{word}") == inputs


def test_mamba_2_leaves_its_width_in_what_it_projects() -> None:
    """in_proj gives z, x, B, C and a step for each of 16 heads: 1024 + (1024 + 2 * 128) + 16; conv1d x, B and C."""
    tensors: Shapes = {
        **packed(f"{LAYER}.mixer.in_proj", 1024 + 1280 + 16, 512),
        f"{LAYER}.mixer.conv1d.weight": ("BF16", (1280, 1, 4)),
        f"{LAYER}.mixer.A_log": ("F32", (16,)),
    }

    assert neighbours(tensors).inputs(f"{LAYER}.mixer.out_proj") == {1024}


def test_a_gate_may_take_half_of_what_a_single_matrix_gives() -> None:
    near = neighbours(packed(f"{LAYER}.mlp.fc1", 2048, 512)).near(f"{LAYER}.mlp.fc2")

    assert near.sure == {2048, 1024}
    assert near.likely == {2048}


@pytest.mark.parametrize("word", ["encoder_attn.k_proj", "crossattention.self.value", "EncDecAttention.k"])
def test_keys_and_values_from_elsewhere_are_not_as_wide_as_the_layer(word: str) -> None:
    assert neighbours(vector(f"{LAYER}.input_layernorm", 512)).inputs(f"{LAYER}.{word}") == set()


def test_a_norm_inside_a_module_is_not_that_of_its_layer() -> None:
    tensors = vector(f"{LAYER}.norm", 512) | vector(f"{LAYER}.mixer.norm", 1024) | vector(f"{LAYER}.mixer.q_norm", 64)

    assert neighbours(tensors).inputs(f"{LAYER}.mixer.q_proj") == {512}


def test_a_path_of_many_thousand_words_is_not_looked_at() -> None:
    path = ".".join(["0"] * 20_000)

    assert neighbours(vector(path, 512)).inputs(f"{path}.q_proj") == set()


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


def test_values_narrower_than_keys_leave_less_to_the_output() -> None:
    """MiMo-V2: heads of 192 for queries and keys, of 128 for values; 4 of them, 2 of keys."""
    at = f"{LAYER}.self_attn"
    tensors = {
        **packed(f"{at}.q_proj", 4 * 192, 512),
        **packed(f"{at}.k_proj", 2 * 192, 512),
        **packed(f"{at}.v_proj", 2 * 128, 512),
    }

    assert neighbours(tensors).inputs(f"{at}.o_proj") == {4 * 128}


def test_keys_of_no_rows_tell_nothing() -> None:
    at = f"{LAYER}.self_attn"
    tensors: Shapes = {
        **packed(f"{at}.q_proj", 768, 512),
        **packed(f"{at}.v_proj", 256, 512),
        f"{at}.k_proj.weight": ("BF16", (0, 512)),
    }

    assert neighbours(tensors).inputs(f"{at}.o_proj") == set()
