import pytest

from ckptinspect.analysis.count import count
from ckptinspect.analysis.expected import disagreements
from ckptinspect.model import Config
from tests.estimating import REAL, real


def sentences(name: str, **config: object) -> list[str]:
    checkpoint = real(name)
    changed = Config({**checkpoint.config.values, **config})
    return [disagreement.sentence for disagreement in disagreements(count(checkpoint), changed)]


@pytest.mark.parametrize("name", sorted(path.stem for path in REAL.glob("*.snap")))
def test_no_real_checkpoint_disagrees_with_its_config(name: str) -> None:
    assert sentences(name) == []


@pytest.mark.parametrize(
    ("name", "config", "sentence"),
    [
        (
            "Llama-3.1-8B-Instruct",
            {"num_key_value_heads": 32},
            (
                "the config says num_key_value_heads*head_dim = 4,096, and the header has 1,024 rows in "
                "'model.layers.0.self_attn.k_proj.weight' and 63 more"
            ),
        ),
        (
            "Llama-3.1-8B-Instruct",
            {"num_hidden_layers": 33},
            "the config says num_hidden_layers = 33, and the header has 32 layers",
        ),
        (
            "Llama-3.1-8B-Instruct",
            {"hidden_size": 2048},
            "the config says hidden_size = 2,048, and the header has 4,096 columns in 'model.embed_tokens.weight' and 225 more",
        ),
        (
            "Llama-3.1-8B-Instruct",
            {"vocab_size": 128000},
            "the config says vocab_size = 128,000, and the header has 128,256 rows in 'model.embed_tokens.weight' and 1 more",
        ),
        (
            "Llama-2-7b-hf",
            {"num_attention_heads": 33, "num_key_value_heads": 33, "head_dim": None},
            (
                "the config says num_attention_heads = 33, and the header has 4,096 rows for them in "
                "'model.layers.0.self_attn.q_proj.weight' and 31 more"
            ),
        ),
        (
            "Llama-3.1-8B-Instruct",
            {"num_attention_heads": 5, "head_dim": None},
            (
                "the config says num_attention_heads = 5, and the header has 4,096 rows for them in "
                "'model.layers.0.self_attn.q_proj.weight' and 31 more"
            ),
        ),
        (
            "gpt2",
            {"n_head": 7},
            (
                "the config says n_head = 7, and the header has 2,304 rows for them in "
                "'h.0.attn.c_attn.weight' and 11 more"
            ),
        ),
        (
            # Half of what the queries have, which with a gate beside them would be all; and half of what o_proj takes
            "Llama-3.1-8B-Instruct",
            {"head_dim": 64, "num_key_value_heads": 16},
            (
                "the config says num_attention_heads*head_dim = 2,048, and the header has 4,096 columns in "
                "'model.layers.0.self_attn.o_proj.weight' and 63 more"
            ),
        ),
        (
            # LLaMA's 4 * dim, which is not its feed-forward's width
            "Llama-2-7b-hf",
            {"intermediate_size": 16384},
            (
                "the config says intermediate_size = 16,384, and the header has 11,008 columns in "
                "'model.layers.0.mlp.down_proj.weight' and 95 more"
            ),
        ),
        (
            "gpt2",
            {"vocab_size": 50000},
            "the config says vocab_size = 50,000, and the header has 50,257 rows in 'wte.weight'",
        ),
        (
            "Mixtral-8x7B",
            {"num_local_experts": 16},
            (
                "the config says num_local_experts = 16, and the header has 8 rows in "
                "'model.layers.0.block_sparse_moe.gate.weight' and 31 more"
            ),
        ),
        (
            "Mixtral-8x7B.fused",
            {"intermediate_size": 16384},
            (
                "the config says intermediate_size = 16,384, and the header has 14,336 features in "
                "'model.layers.0.mlp.experts.down_proj' and 31 more"
            ),
        ),
        (
            "Qwen2-VL-7B-Instruct",
            {"text_config": {"model_type": "qwen2_vl_text", "num_hidden_layers": 30}},
            "the config says num_hidden_layers = 30, and the header has 28 layers",
        ),
    ],
)
def test_every_disagreement_is_named(name: str, config: dict[str, object], sentence: str) -> None:
    assert sentence in sentences(name, **config)


def test_where_all_agrees_but_one_that_one_is_all_that_is_said() -> None:
    assert len(sentences("Llama-3.1-8B-Instruct", num_key_value_heads=4)) == 1
    assert len(sentences("gpt-oss-20b.bf16", num_local_experts=64)) == 1


def test_families_with_defaults_of_their_own_prove_nothing() -> None:
    assert sentences("Llama-3.1-8B-Instruct", model_type="gemma3_text", hidden_size=1) == []
    assert sentences("Llama-3.1-8B-Instruct", model_type=None, hidden_size=1) == []


def test_a_config_of_nonsense_is_no_crash() -> None:
    nonsense = {
        "hidden_size": True,
        "num_hidden_layers": -1,
        "num_attention_heads": 0,
        "head_dim": 2**62,
        "vocab_size": [],
    }

    assert all(isinstance(sentence, str) for sentence in sentences("Llama-3.1-8B-Instruct", **nonsense))
