"""What PEFT, LyCORIS, kohya's sd-scripts, diffusers and ComfyUI call the tensors of an adapter: leaf -> method, part.

By the ``prefix`` of PEFT's tuners (``peft/tuners/*/model.py``) and the ``weight_list`` of LyCORIS
(``lycoris/modules/*.py``). Files of each that PEFT 0.21 wrote stand in ``fixtures/real/quantized``.
"""

from collections.abc import Iterator

_TABLE = """
lora      lora_A:A lora_B:B lora_embedding_A:A lora_embedding_B:B lora_down:down lora_up:up lora_mid:mid
adalora   lora_E:E ranknum:ranknum
dora      lora_magnitude_vector:magnitude dora_scale:magnitude
loha      hada_w1_a:w1_a hada_w1_b:w1_b hada_w2_a:w2_a hada_w2_b:w2_b hada_t1:t1 hada_t2:t2
lokr      lokr_w1:w1 lokr_w1_a:w1_a lokr_w1_b:w1_b lokr_w2:w2 lokr_w2_a:w2_a lokr_w2_b:w2_b lokr_t2:t2
ia3       ia3_l:l
vera      vera_lambda_b:lambda_b vera_lambda_d:lambda_d vera_A:A vera_B:B
randlora  randlora_A:A randlora_B:B randlora_lambda:lambda randlora_gamma:gamma
oft       oft_R:R oft_blocks:blocks oft_diag:diag
boft      boft_R:R boft_s:s
hra       hra_u:u
c3a       c3a_kernel:kernel
fourierft fourierft_spectrum:spectrum
waveft    waveft_spectrum:spectrum
vblora    vblora_logits_A:logits_A vblora_logits_B:logits_B vblora_vector_bank:vector_bank
miss      miss_block:block
bone      bone_block:block
prompt    prompt_embeddings:embeddings
ln_tuning ln_tuning_layers:weight
trainable_tokens trainable_tokens_delta:delta
diff      diff:diff diff_b:diff_b reshape_weight:reshape_weight set_weight:set_weight
"""


def _entries() -> Iterator[tuple[str, tuple[str, str]]]:
    for line in _TABLE.strip().splitlines():
        method, *leaves = line.split()
        for leaf, _, part in (word.partition(":") for word in leaves):
            yield leaf, (method, part)


LEAVES: dict[str, tuple[str, str]] = dict(_entries())
"""The method and the part that each leaf shows."""

FLAT_LEAVES = {
    "alpha": ("lora", "alpha"),
    **{leaf: ("glora", leaf) for leaf in ("a1", "a2", "b1", "b2")},
    **{leaf: ("norm", leaf) for leaf in ("w_norm", "b_norm")},
}
"""Leaves too short to mean anything but behind a name that is flattened as kohya's sd-scripts do it."""
