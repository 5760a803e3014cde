import pytest

from ckptinspect.analysis.active import Active, active
from ckptinspect.analysis.count import count
from ckptinspect.model import Checkpoint
from tests.checkpoints import Tensors, checkpoint_of, matrix, small_deepseek
from tests.estimating import real


def of(checkpoint: Checkpoint) -> Active:
    return active(count(checkpoint), checkpoint.config)


@pytest.mark.parametrize(
    ("name", "per_token", "embedding"),
    [
        # Published: 12.9 B; 3.6 B without the embedding
        ("Mixtral-8x7B", 12_879_925_248, 131_072_000),
        ("Mixtral-8x7B.fused", 12_879_925_248, 131_072_000),
        ("gpt-oss-20b.bf16", 4_187_440_704, 579_133_440),
        ("Llama-3.1-8B-Instruct", 8_030_261_248, 525_336_576),
        # Tied: the embedding is the head as well
        ("gpt2", 124_439_808, 786_432),
        ("Qwen2-0.5B", 494_032_768, 0),
        # Of text alone
        ("Qwen2-VL-7B-Instruct", 7_615_616_512, 544_997_376),
    ],
)
def test_what_a_token_uses(name: str, per_token: int, embedding: int) -> None:
    found = of(real(name))

    assert found.per_token == per_token
    assert found.lookup == embedding


def test_gpt_oss_without_its_embedding_is_what_its_card_says() -> None:
    found = of(real("gpt-oss-20b.bf16"))

    assert found.per_token is not None
    assert found.per_token - found.lookup == 3_608_307_264


def small(**config: object) -> Checkpoint:
    checkpoint = small_deepseek()
    tensors = {tensor.name: (tensor.dtype.code, tensor.shape) for tensor in checkpoint.tensors}
    return checkpoint_of(tensors, {**checkpoint.config.values, **config})


def test_routed_shared_and_dense_sum_to_the_whole() -> None:
    found = of(small(num_experts_per_tok=2))
    # 3 layers of 4 experts, 3 matrices of 128 by 256; a shared one in each layer
    assert found.routed == 3 * 4 * 3 * 128 * 256
    assert found.shared == 3 * 3 * 128 * 256
    assert found.total == count(small()).by(lambda row: row.place.module)[("model",)].parameters + 1000 * 256
    assert found.per_token == found.dense + found.shared + found.routed // 2
    assert found.used_of_routed == found.routed // 2


def test_how_many_experts_a_token_uses_stands_in_the_config_alone() -> None:
    found = of(small())

    assert found.per_token is None
    assert found.reason == "the config does not say how many experts a token uses (num_experts_per_tok)"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"num_experts_per_tok": 5}, "the config has a token use 5 of 4 experts"),
        ({"num_experts_per_tok": 2, "zero_expert_num": 1}, "some of the experts that a token is sent to do nothing"),
        ({"num_experts_per_tok": True}, "the config does not say how many experts a token uses"),
        ({"num_experts_per_tok": [2, 2]}, "the config does not say how many experts a token uses"),
    ],
)
def test_what_the_header_does_not_bear_out_is_not_counted(config: dict[str, object], reason: str) -> None:
    found = of(small(**config))

    assert found.per_token is None
    assert found.reason.startswith(reason)


def test_the_routers_say_how_many_experts_there_are() -> None:
    found = of(small(num_experts_per_tok=1, n_routed_experts=None))

    assert (found.experts, found.chosen) == (4, 1)


def test_the_routers_count_where_the_config_has_another_number() -> None:
    found = of(small(num_experts_per_tok=2, n_routed_experts=5))

    assert (found.experts, found.per_token) == (4, of(small(num_experts_per_tok=2)).per_token)
    assert found.disagreement == "the config says 5 experts, and the routers have 4: the routers count"


def test_a_number_of_experts_that_divides_the_tensors_of_all_layers_is_not_believed() -> None:
    """Four experts in each of two layers are eight tensors of a kind."""
    tensors: Tensors = {}
    for layer in range(2):
        tensors |= matrix(f"model.layers.{layer}.mlp.gate", 4, 8)
        for expert in range(4):
            tensors |= matrix(f"model.layers.{layer}.mlp.experts.{expert}.up_proj", 16, 8)
    found = of(checkpoint_of(tensors, {"num_experts": 8, "num_experts_per_tok": 2}))

    assert (found.experts, found.used_of_routed) == (4, 2 * 2 * 16 * 8)


def test_neither_config_nor_routers() -> None:
    tensors: Tensors = {}
    for expert in range(3):
        tensors |= matrix(f"model.layers.0.mlp.experts.{expert}.up_proj", 8, 4)

    assert of(checkpoint_of(tensors)).reason == "neither config nor routers say how many experts there are"


def test_an_embedding_of_encoder_and_decoder_is_only_looked_up_where_the_head_is_another() -> None:
    tensors = matrix("shared", 10, 4) | matrix("lm_head", 10, 4)
    for stack in ("encoder", "decoder"):
        tensors |= matrix(f"{stack}.block.0.layer.0.SelfAttention.q", 4, 4)
    config = {"model_type": "t5", "tie_word_embeddings": False}

    assert of(checkpoint_of(tensors, config)).lookup == 40
    assert of(checkpoint_of(tensors, {"model_type": "t5"})).lookup == 0


def test_packed_experts_are_no_guess() -> None:
    found = of(real("gpt-oss-20b"))

    assert found.per_token in {None, 4_187_440_704}
    assert bool(found.reason) == (found.per_token is None)
