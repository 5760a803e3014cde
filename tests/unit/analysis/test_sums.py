"""What follows the parameters: multi-token prediction apart, and what a token uses. Figures are those of the articles."""

import pytest

from ckptinspect.analysis.active import active
from ckptinspect.analysis.count import count
from ckptinspect.analysis.sums import Sum, used_by_a_token, without_drafts
from ckptinspect.model import Checkpoint
from tests.arithmetic import value_of
from tests.checkpoints import checkpoint_of, matrix, small_deepseek, vector
from tests.estimating import real


def sums(checkpoint: Checkpoint) -> dict[str, Sum]:
    counted = count(checkpoint)
    found = (*without_drafts(counted), *used_by_a_token(active(counted, checkpoint.config)))
    for each in found:
        assert value_of(each.formula) == each.elements
    return {each.code: each for each in found}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-oss-20b", {"active": 4_187_440_704, "active-without-embedding": 3_608_307_264}),
        ("gpt-oss-20b.bf16", {"active": 4_187_440_704, "active-without-embedding": 3_608_307_264}),
        ("Mixtral-8x7B", {"active": 12_879_925_248, "active-without-embedding": 12_748_853_248}),
        ("Llama-3.1-8B-Instruct", {}),
        ("gpt2", {}),
    ],
)
def test_the_sums_of_real_models(name: str, expected: dict[str, int]) -> None:
    assert {code: found.elements for code, found in sums(real(name)).items()} == expected


def test_the_parts_of_what_a_token_uses_are_dense_shared_and_routed() -> None:
    checkpoint = small_deepseek()
    config = {**checkpoint.config.values, "num_experts_per_tok": 2}
    tensors = {tensor.name: (tensor.dtype.code, tensor.shape) for tensor in checkpoint.tensors}
    found = sums(checkpoint_of(tensors, config))

    # 3 layers of 4 experts and a shared one, each of 3 matrices of 128 by 256
    shared, routed = 3 * 98_304, 3 * 4 * 98_304
    dense = found["without-mtp"].elements - shared - routed
    assert [(part.what, part.elements) for part in found["active"].parts] == [
        ("dense: all but experts", dense),
        ("shared experts", 294_912),
        ("routed experts: 2 of 4, which hold 1,179,648 in all", 589_824),
    ]
    assert found["active"].formula == f"{dense} + 294912 + 1179648 * 2 // 4"
    assert [part.elements for part in found["active-without-embedding"].parts][1:] == [-256_000]
    assert found["without-mtp"].parts[0].elements == count(checkpoint).total.parameters


def test_where_k_is_not_known_nothing_is_said_of_a_token() -> None:
    assert set(sums(small_deepseek())) == {"without-mtp"}


def test_a_tied_embedding_is_multiplied_with_and_is_not_taken_off() -> None:
    tensors = (
        matrix("model.embed_tokens", 100, 64) | vector("model.norm", 64) | matrix("model.layers.0.mlp.gate", 4, 64)
    )
    for expert in range(4):
        tensors |= matrix(f"model.layers.0.mlp.experts.{expert}.up_proj", 32, 64)
    config = {"model_type": "qwen3_moe", "num_experts": 4, "num_experts_per_tok": 1, "tie_word_embeddings": True}

    found = sums(checkpoint_of(tensors, config))

    assert {code: each.elements for code, each in found.items()} == {"active": 100 * 64 + 64 + 4 * 64 + 32 * 64}
