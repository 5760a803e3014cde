"""Whole checkpoints, by kind: an example, the elements of one such tensor, how many there are."""

from collections import Counter

import pytest

from ckptinspect.naming.base import Naming

Kinds = list[tuple[str, int, int]]

QWEN2_VL_7B: Kinds = [
    ("lm_head.weight", 544997376, 1),
    ("model.embed_tokens.weight", 544997376, 1),
    ("model.layers.0.input_layernorm.weight", 3584, 28),
    ("model.layers.0.mlp.down_proj.weight", 67895296, 28),
    ("model.layers.0.mlp.gate_proj.weight", 67895296, 28),
    ("model.layers.0.mlp.up_proj.weight", 67895296, 28),
    ("model.layers.0.post_attention_layernorm.weight", 3584, 28),
    ("model.layers.0.self_attn.k_proj.bias", 512, 28),
    ("model.layers.0.self_attn.k_proj.weight", 1835008, 28),
    ("model.layers.0.self_attn.o_proj.weight", 12845056, 28),
    ("model.layers.0.self_attn.q_proj.bias", 3584, 28),
    ("model.layers.0.self_attn.q_proj.weight", 12845056, 28),
    ("model.layers.0.self_attn.v_proj.bias", 512, 28),
    ("model.layers.0.self_attn.v_proj.weight", 1835008, 28),
    ("model.norm.weight", 3584, 1),
    ("visual.blocks.0.attn.proj.bias", 1280, 32),
    ("visual.blocks.0.attn.proj.weight", 1638400, 32),
    ("visual.blocks.0.attn.qkv.bias", 3840, 32),
    ("visual.blocks.0.attn.qkv.weight", 4915200, 32),
    ("visual.blocks.0.mlp.fc1.bias", 5120, 32),
    ("visual.blocks.0.mlp.fc1.weight", 6553600, 32),
    ("visual.blocks.0.mlp.fc2.bias", 1280, 32),
    ("visual.blocks.0.mlp.fc2.weight", 6553600, 32),
    ("visual.blocks.0.norm1.bias", 1280, 64),
    ("visual.blocks.0.norm1.weight", 1280, 64),
    ("visual.merger.ln_q.bias", 1280, 1),
    ("visual.merger.ln_q.weight", 1280, 1),
    ("visual.merger.mlp.0.bias", 5120, 1),
    ("visual.merger.mlp.0.weight", 26214400, 1),
    ("visual.merger.mlp.2.bias", 3584, 1),
    ("visual.merger.mlp.2.weight", 18350080, 1),
    ("visual.patch_embed.proj.weight", 1505280, 1),
]
LLAVA_1_5_7B: Kinds = [
    ("language_model.lm_head.weight", 131334144, 1),
    ("language_model.model.embed_tokens.weight", 131334144, 1),
    ("language_model.model.layers.0.input_layernorm.weight", 4096, 32),
    ("language_model.model.layers.0.mlp.down_proj.weight", 45088768, 32),
    ("language_model.model.layers.0.mlp.gate_proj.weight", 45088768, 32),
    ("language_model.model.layers.0.mlp.up_proj.weight", 45088768, 32),
    ("language_model.model.layers.0.post_attention_layernorm.weight", 4096, 32),
    ("language_model.model.layers.0.self_attn.k_proj.weight", 16777216, 32),
    ("language_model.model.layers.0.self_attn.o_proj.weight", 16777216, 32),
    ("language_model.model.layers.0.self_attn.q_proj.weight", 16777216, 32),
    ("language_model.model.layers.0.self_attn.v_proj.weight", 16777216, 32),
    ("language_model.model.norm.weight", 4096, 1),
    ("multi_modal_projector.linear_1.bias", 4096, 2),
    ("multi_modal_projector.linear_1.weight", 4194304, 1),
    ("multi_modal_projector.linear_2.weight", 16777216, 1),
    ("vision_tower.vision_model.embeddings.class_embedding", 1024, 1),
    ("vision_tower.vision_model.embeddings.patch_embedding.weight", 602112, 1),
    ("vision_tower.vision_model.embeddings.position_embedding.weight", 590848, 1),
    ("vision_tower.vision_model.encoder.layers.0.layer_norm1.bias", 1024, 48),
    ("vision_tower.vision_model.encoder.layers.0.layer_norm1.weight", 1024, 48),
    ("vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias", 4096, 24),
    ("vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight", 4194304, 24),
    ("vision_tower.vision_model.encoder.layers.0.mlp.fc2.bias", 1024, 24),
    ("vision_tower.vision_model.encoder.layers.0.mlp.fc2.weight", 4194304, 24),
    ("vision_tower.vision_model.encoder.layers.0.self_attn.k_proj.bias", 1024, 24),
    ("vision_tower.vision_model.encoder.layers.0.self_attn.k_proj.weight", 1048576, 24),
    ("vision_tower.vision_model.encoder.layers.0.self_attn.out_proj.bias", 1024, 24),
    ("vision_tower.vision_model.encoder.layers.0.self_attn.out_proj.weight", 1048576, 24),
    ("vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.bias", 1024, 24),
    ("vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.weight", 1048576, 24),
    ("vision_tower.vision_model.encoder.layers.0.self_attn.v_proj.bias", 1024, 24),
    ("vision_tower.vision_model.encoder.layers.0.self_attn.v_proj.weight", 1048576, 24),
    ("vision_tower.vision_model.post_layernorm.bias", 1024, 1),
    ("vision_tower.vision_model.post_layernorm.weight", 1024, 1),
    ("vision_tower.vision_model.pre_layrnorm.bias", 1024, 1),
    ("vision_tower.vision_model.pre_layrnorm.weight", 1024, 1),
]
BLOOM_1B4_ZH: Kinds = [
    ("h.0.input_layernorm.bias", 2048, 24),
    ("h.0.input_layernorm.weight", 2048, 24),
    ("h.0.mlp.dense_4h_to_h.bias", 2048, 24),
    ("h.0.mlp.dense_4h_to_h.weight", 16777216, 24),
    ("h.0.mlp.dense_h_to_4h.bias", 8192, 24),
    ("h.0.mlp.dense_h_to_4h.weight", 16777216, 24),
    ("h.0.post_attention_layernorm.bias", 2048, 24),
    ("h.0.post_attention_layernorm.weight", 2048, 24),
    ("h.0.self_attention.dense.bias", 2048, 24),
    ("h.0.self_attention.dense.weight", 4194304, 24),
    ("h.0.self_attention.query_key_value.bias", 6144, 24),
    ("h.0.self_attention.query_key_value.weight", 12582912, 24),
    ("ln_f.bias", 2048, 1),
    ("ln_f.weight", 2048, 1),
    ("word_embeddings.weight", 94504960, 1),
    ("word_embeddings_layernorm.bias", 2048, 1),
    ("word_embeddings_layernorm.weight", 2048, 1),
]
BERT_BASE: Kinds = [
    ("bert.embeddings.LayerNorm.beta", 768, 1),
    ("bert.embeddings.LayerNorm.gamma", 768, 1),
    ("bert.embeddings.position_embeddings.weight", 393216, 1),
    ("bert.embeddings.token_type_embeddings.weight", 1536, 1),
    ("bert.embeddings.word_embeddings.weight", 23440896, 1),
    ("bert.encoder.layer.0.attention.output.LayerNorm.beta", 768, 12),
    ("bert.encoder.layer.0.attention.output.LayerNorm.gamma", 768, 12),
    ("bert.encoder.layer.0.attention.output.dense.bias", 768, 12),
    ("bert.encoder.layer.0.attention.output.dense.weight", 589824, 12),
    ("bert.encoder.layer.0.attention.self.key.bias", 768, 12),
    ("bert.encoder.layer.0.attention.self.key.weight", 589824, 12),
    ("bert.encoder.layer.0.attention.self.query.bias", 768, 12),
    ("bert.encoder.layer.0.attention.self.query.weight", 589824, 12),
    ("bert.encoder.layer.0.attention.self.value.bias", 768, 12),
    ("bert.encoder.layer.0.attention.self.value.weight", 589824, 12),
    ("bert.encoder.layer.0.intermediate.dense.bias", 3072, 12),
    ("bert.encoder.layer.0.intermediate.dense.weight", 2359296, 12),
    ("bert.encoder.layer.0.output.LayerNorm.beta", 768, 12),
    ("bert.encoder.layer.0.output.LayerNorm.gamma", 768, 12),
    ("bert.encoder.layer.0.output.dense.bias", 768, 12),
    ("bert.encoder.layer.0.output.dense.weight", 2359296, 12),
    ("bert.pooler.dense.bias", 768, 1),
    ("bert.pooler.dense.weight", 589824, 1),
    ("cls.predictions.bias", 30522, 1),
    ("cls.predictions.transform.LayerNorm.beta", 768, 1),
    ("cls.predictions.transform.LayerNorm.gamma", 768, 1),
    ("cls.predictions.transform.dense.bias", 768, 1),
    ("cls.predictions.transform.dense.weight", 589824, 1),
    ("cls.seq_relationship.bias", 2, 1),
    ("cls.seq_relationship.weight", 1536, 1),
]


def elements_by(kinds: Kinds, key: str) -> dict[str, int]:
    naming = Naming([name for name, _, _ in kinds])
    totals: Counter[str] = Counter()
    for name, elements, count in kinds:
        totals[str(getattr(naming.place(name), key))] += elements * count
    return dict(totals)


def renamed(kinds: Kinds, *prefixes: tuple[str, str]) -> Kinds:
    """The same tensors in the other layout: of each name, the first of the prefixes that it has."""
    found = []
    for name, elements, count in kinds:
        old, new = next(((old, new) for old, new in prefixes if name.startswith(old)), ("", ""))
        found.append((new + name.removeprefix(old), elements, count))
    return found


@pytest.mark.parametrize(
    "kinds",
    [QWEN2_VL_7B, renamed(QWEN2_VL_7B, ("visual.", "model.visual."), ("model.", "model.language_model."))],
    ids=["as published", "as transformers names it"],
)
def test_qwen2_vl_7b_adds_up_in_either_layout(kinds: Kinds) -> None:
    assert elements_by(kinds, "module") == {
        "lm_head": 544_997_376,
        "model": 7_070_619_136,
        "visual": 675_759_104,
    }


@pytest.mark.parametrize(
    "kinds",
    [
        LLAVA_1_5_7B,
        renamed(
            LLAVA_1_5_7B,
            ("language_model.lm_head.", "lm_head."),
            ("language_model.model.", "model.language_model."),
            ("vision_tower.vision_model.", "model.vision_tower."),
            ("multi_modal_projector.", "model.multi_modal_projector."),
        ),
    ],
    ids=["as published", "as transformers names it"],
)
def test_llava_7b_adds_up_in_either_layout(kinds: Kinds) -> None:
    assert elements_by(kinds, "module") == {
        "visual": 303_507_456,
        "projector": 20_979_712,
        "model": 6_607_605_760,
        "lm_head": 131_334_144,
    }


@pytest.mark.parametrize("kinds", [BLOOM_1B4_ZH, renamed(BLOOM_1B4_ZH, ("", "transformer."))], ids=["bare", "prefixed"])
def test_bloom_adds_up_by_role_as_counted_by_hand(kinds: Kinds) -> None:
    assert elements_by(kinds, "module") == {"model": 1_303_111_680}
    assert elements_by(kinds, "role") == {
        "embedding": 94_504_960,
        "norm": 204_800,
        "attention": 402_849_792,
        "mlp": 805_552_128,
    }


def test_bert_base_adds_up_by_module_and_by_role() -> None:
    assert elements_by(BERT_BASE, "module") == {"model": 109_482_240, "lm_head": 622_650, "head": 1_538}
    assert elements_by(BERT_BASE, "role") == {
        "embedding": 23_835_648,
        "norm": 39_936,
        "attention": 28_348_416,
        "mlp": 56_669_184,
        "head": 622_652,
        "other": 590_592,
    }
