"""An adapter held against its base: what fits is no finding, under whichever names it is written."""

import pytest

from ckptinspect.analysis.adapter_fit import misfits_in, modules_of
from ckptinspect.model import Checkpoint
from tests.checkpoints import checkpoint_in_parts, checkpoint_of, decoder, matrix
from tests.estimating import real
from tests.folders import Shapes

LLAMA = checkpoint_of(
    decoder("model", layers=2, vocab=320, hidden=64, kv=32, ffn=128),
    {"model_type": "llama", "tie_word_embeddings": True},
)
Q = "model.layers.0.self_attn.q_proj"


def pair(module: str, outputs: int, inputs: int, *, names: str = "lora_A.weight lora_B.weight") -> Shapes:
    """An adapter of rank 4."""
    down, up = names.split()
    return {f"{module}.{down}": ("F32", (4, inputs)), f"{module}.{up}": ("F32", (outputs, 4))}


def told(adapter: Shapes, base: Checkpoint = LLAMA) -> list[str]:
    (shard,) = checkpoint_of(adapter).shards
    assert shard.header is not None
    found = misfits_in(shard.header.tensors, modules_of(base))
    assert [misfit.name for misfit in found] == sorted(misfit.name for misfit in found)
    return [misfit.why for misfit in found]


@pytest.mark.parametrize(
    "adapter",
    [
        pair(f"base_model.model.{Q}", 64, 64),
        pair(Q, 64, 64, names="lora_A.default.weight lora_B.default.weight"),
        pair(Q, 64, 64, names="lora_down.weight lora_up.weight"),
        pair("lora_te_" + Q.replace(".", "_"), 64, 64, names="lora_down.weight lora_up.weight"),
        # An embedding's matrices: [rank, rows] and [columns, rank]
        pair("model.embed_tokens", 64, 320, names="lora_embedding_A lora_embedding_B"),
        # Tied, and not stored
        pair("lm_head", 320, 64),
        {f"{Q}.alpha": ("F32", ())},
    ],
)
def test_what_fits_is_no_finding(adapter: Shapes) -> None:
    assert told(adapter) == []


@pytest.mark.parametrize(
    ("adapter", "why"),
    [
        (pair(Q, 64, 128), f"'{Q}' is [64, 64] in the base, [64, 128] in the adapter"),
        (
            pair(Q, 32, 64, names="lora_down.weight lora_up.weight"),
            f"'{Q}' is [64, 64] in the base, [32, 64] in the adapter",
        ),
        (pair("model.layers.2.mlp.up_proj", 128, 64), "the base has no 'model.layers.2.mlp.up_proj'"),
        (
            pair("model.embed_tokens", 64, 300, names="lora_embedding_A lora_embedding_B"),
            "'model.embed_tokens' is [320, 64] in the base, [300, 64] in the adapter",
        ),
    ],
)
def test_what_does_not_fit_is_told(adapter: Shapes, why: str) -> None:
    assert told(adapter) == [why]


def test_a_weight_that_is_stored_the_other_way_round_is_compared_as_it_is_applied() -> None:
    # Conv1D of GPT-2: [768, 2304] with a bias of 2304
    assert told(pair("h.0.attn.c_attn", 2304, 768), real("gpt2")) == []
    assert told(pair("transformer.h.0.attn.c_attn", 2304, 768), real("gpt2.newlayout")) == []
    assert told(pair("h.0.attn.c_attn", 768, 2304), real("gpt2")) == [
        "'h.0.attn.c_attn' is [2304, 768] in the base, [768, 2304] in the adapter"
    ]


def test_packed_weights_are_compared_by_what_they_stand_for() -> None:
    base = real("Llama-3.1-8B-Instruct.AWQ-INT4")

    assert told(pair(Q, 4096, 4096), base) == []
    assert told(pair(Q, 4096, 2048), base) == [f"'{Q}' is [4096, 4096] in the base, [4096, 2048] in the adapter"]


def test_fused_experts_are_a_module_without_a_weight() -> None:
    tensors: Shapes = {"model.layers.0.mlp.experts.gate_up_proj": ("BF16", (4, 64, 32))}

    assert told(pair("model.layers.0.mlp.experts", 64, 64), checkpoint_of(tensors)) == []


def test_a_component_of_a_pipeline_may_stand_in_front() -> None:
    module = "down_blocks.0.attentions.0.proj_in"
    base = checkpoint_in_parts({"unet": matrix(module, 64, 64), "vae": matrix("encoder.conv_in", 8, 8)})

    assert told(pair(f"unet.{module}", 64, 64), base) == []
    assert (
        told(
            pair("lora_unet_down_blocks_0_attentions_0_proj_in", 64, 64, names="lora_down.weight lora_up.weight"), base
        )
        == []
    )
    assert len(told(pair(f"unet.{module}", 64, 32), base)) == 1
