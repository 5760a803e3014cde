"""Figures by hand: 2 FLOPs a parameter and token, 4 * S^2 * E for the pairs of a layer."""

import pytest

from ckptinspect.analysis.estimate.asked import Asked
from tests.checkpoints import checkpoint_of, llama_3_1_8b, matrix
from tests.decoders import jamba, mla, qwen3_next, rwkv_4
from tests.estimating import figures, real, values

EACH, FORWARD = "forward per token", "forward"


@pytest.mark.parametrize(("batch", "sequence"), [(1, 1024), (8, 512)])
def test_gpt_2_computes_what_is_worked_out_by_hand(batch: int, sequence: int) -> None:
    # E = 768, N = 12, V = 50257: N * (24*B*S*E^2 + 4*B*S^2*E) + 2*B*S*E*V
    found = values(real("gpt2"), "flops", Asked(batch=batch, sequence=sequence))
    blocks = 12 * (24 * batch * sequence * 768**2 + 4 * batch * sequence**2 * 768)
    forward = blocks + 2 * batch * sequence * 768 * 50257

    assert found[FORWARD] == forward
    assert found["forward, in multiply-adds"] == forward // 2
    assert found["training step"] == 3 * forward
    assert found["training step, checkpointed"] == 4 * forward
    assert found["forward, full attention"] == 12 * 4 * batch * sequence**2 * 768


def test_a_token_is_multiplied_with_all_matrices_and_no_embedding() -> None:
    # Llama-3.1-8B: 8,030,261,248 less the embedding (525,336,576) and 65 norms of 4096
    found = values(llama_3_1_8b(), "flops")

    assert found[EACH] == 2 * (8_030_261_248 - 525_336_576 - 65 * 4096)
    # Grouped queries have as many pairs as others: 32 heads of 128
    assert found["forward, full attention"] == 32 * 4 * 4096**2 * 4096


def test_the_next_token_costs_more_behind_more_text() -> None:
    # 4 * context * heads * head size, for each layer
    found = values(llama_3_1_8b(), "flops", Asked(context=1000))
    assert found["one more token"] == (found[EACH] or 0) + 32 * 4 * 1000 * 4096


def test_a_token_is_multiplied_with_the_experts_that_it_is_sent_to() -> None:
    # Mixtral: two of eight experts of 3 * 4096 * 14336, in 32 layers
    dense = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 8 * 4096) + 4096 * 32000
    for name in ("Mixtral-8x7B", "Mixtral-8x7B.fused"):
        assert values(real(name), "flops")[EACH] == 2 * (dense + 32 * 2 * 3 * 4096 * 14336)


def test_the_biases_of_fused_experts_multiply_nothing() -> None:
    # gpt-oss-20b: attention 24 * (4096 + 2*512 + 4096) * 2880, router 24 * 32 * 2880, head; 4 of 32 experts
    dense = 24 * (4096 + 1024 + 4096) * 2880 + 24 * 32 * 2880 + 201088 * 2880
    experts = 24 * 4 * (2880 * 5760 + 2880 * 2880)
    assert values(real("gpt-oss-20b.bf16"), "flops")[EACH] == 2 * (dense + experts)


def test_a_window_bounds_what_a_token_sees() -> None:
    found = values(real("gpt-oss-20b.bf16"), "flops", Asked(sequence=1000))
    assert found["forward, sliding attention"] == 12 * 4 * 1000 * 128 * 4096
    assert found["forward, full attention"] == 12 * 4 * 1000 * 1000 * 4096
    short = values(real("gpt-oss-20b.bf16"), "flops", Asked(sequence=100))
    assert short["forward, sliding attention"] == short["forward, full attention"]


def test_latent_attention_multiplies_over_unequal_widths() -> None:
    # DeepSeek-V3: 128 heads of 192 for scores and of 128 for values
    found = figures(mla(), "flops", Asked(sequence=100))
    assert found["forward, latent attention"].value == 61 * 2 * 100 * 100 * 128 * (192 + 128)
    assert found["forward, latent attention"].exact
    assert not found["one more token"].exact


def test_states_are_counted_and_said_to_be_estimates() -> None:
    found = figures(jamba(), "flops", Asked(sequence=100))
    assert found["forward, Mamba"].value == 28 * 100 * 7 * 8192 * 16
    assert not found["forward, Mamba"].exact
    assert not found[FORWARD].exact
    # Qwen3-Next: 8 * 32 heads * 128 * 128 for each token of a delta net; its pairs go by o_proj, not by the gated q_proj
    found = figures(qwen3_next(), "flops", Asked(sequence=100))
    assert found["forward, gated delta net"].value == 36 * 100 * 8 * 4096 * 128
    assert found["forward, full attention"].value == 12 * 4 * 100 * 100 * 4096


def test_an_encoder_and_its_decoder_see_different_tokens() -> None:
    # T5-small: 6 * (4*512*512 + 2*512*2048) on either side; cross attention 6 * 2*512*512 for each
    found = values(real("t5-small"), "flops", Asked(sequence=100))
    block = 6 * (4 * 512 * 512 + 2 * 512 * 2048)
    cross = 6 * 2 * 512 * 512

    assert found["forward per source token"] == 2 * (block + cross)
    assert found["forward per target token"] == 2 * (block + cross + 32128 * 512)
    assert found["forward, source full attention"] == 6 * 4 * 100 * 100 * 512
    assert found["forward, target cross attention"] == 6 * 4 * 100 * 100 * 512


def test_an_encoder_alone_is_computed_once() -> None:
    # BERT: 12 * 12 * 768^2, the transform and the tied decoder of its masked head; the pooler sees one token
    found = values(real("bert-base-uncased"), "flops")

    assert found[EACH] == 2 * (12 * 12 * 768**2 + 768 * 768 + 30522 * 768)
    assert "one more token" not in found


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("resnet-50", "what a convolution or a picture costs depends on its size, which no header has"),
        ("vit-base-patch16-224", "what a convolution or a picture costs depends on its size, which no header has"),
        ("lora-llama-3.1-8b-r16", "it is an adapter: what is computed is the base model's"),
        ("weird-names", "no layers of a language model are in it"),
    ],
)
def test_what_has_no_count_says_why(name: str, reason: str) -> None:
    assert figures(real(name), "flops")[EACH].reason == reason


def test_a_mixture_without_a_config_is_not_guessed() -> None:
    tensors = matrix("model.layers.0.self_attn.q_proj", 8, 8) | matrix("model.layers.0.mlp.gate", 4, 8)
    for expert in range(4):
        tensors |= matrix(f"model.layers.0.mlp.experts.{expert}.up_proj", 16, 8)
    reason = figures(checkpoint_of(tensors, {"model_type": "novel"}), "flops")[EACH].reason

    assert reason == "the config does not say how many experts a token uses (num_experts_per_tok)"


def test_what_is_computed_in_an_unknown_way_is_not_counted() -> None:
    found = figures(rwkv_4(), "flops")

    assert found[EACH].value == 2 * 12 * (5 * 768 * 768 + 2 * 768 * 3072)
    assert found[FORWARD].reason == "what RWKV-4 computes for each token is not to be seen"
