"""What ``diff`` says first, for every rule: of small models whose figures can be worked out by hand.

The model of most tests is a Llama of 4 layers: hidden size 64, keys and values of 32, feed-forward 96, 1000 tokens.
Parameters: 2 * 64,000 (embedding and head) + 64 (norm) + 4 * 30,848 (layers) = 251,456; in BF16 502,912 bytes.
A layer has 2 * 64 (norms) + 3 * 64 * 96 (feed-forward) + 2 * 64 * 64 + 2 * 32 * 64 (attention).
"""

import pytest

from ckptinspect.analysis.diff import Diff, diff
from ckptinspect.model import Checkpoint
from tests.checkpoints import Tensors, checkpoint_in_parts, checkpoint_of, decoder, fp8, gated, matrix, vector

LLAMA = {"model_type": "llama", "tie_word_embeddings": False}
PROJECTIONS = tuple(f"{word}_proj.weight" for word in ("q", "k", "v", "o", "gate", "up", "down"))


def llama(layers: int = 4, vocab: int = 1000, hidden: int = 64, kv: int = 32, ffn: int = 96) -> Tensors:
    model = decoder("model", layers=layers, vocab=vocab, hidden=hidden, kv=kv, ffn=ffn)
    return model | matrix("lm_head", vocab, hidden)


def compared(old: Tensors | Checkpoint, new: Tensors | Checkpoint, *, ignore_dtype: bool = False) -> Diff:
    left, right = (checkpoint_of(side, LLAMA) if isinstance(side, dict) else side for side in (old, new))
    return diff(left, right, ignore_dtype=ignore_dtype)


def said(old: Tensors | Checkpoint, new: Tensors | Checkpoint) -> str:
    return compared(old, new).sentence


def cast(tensors: Tensors, code: str, ending: str = "") -> Tensors:
    return {name: (code if name.endswith(ending) else was, shape) for name, (was, shape) in tensors.items()}


def without(tensors: Tensors, *parts: str) -> Tensors:
    return {name: form for name, form in tensors.items() if not any(part in name for part in parts)}


def renamed(tensors: Tensors, old: str, new: str) -> Tensors:
    return {name.replace(old, new): form for name, form in tensors.items()}


def reshaped(tensors: Tensors, ending: str, *shape: int) -> Tensors:
    return {name: (code, shape if name.endswith(ending) else was) for name, (code, was) in tensors.items()}


def gptq(tensors: Tensors, *endings: str, bits: int = 4, group: int = 32) -> Tensors:
    """The matrices with these endings as GPTQModel packs them."""
    found: Tensors = {}
    for name, (code, shape) in tensors.items():
        if not name.endswith(endings):
            found[name] = code, shape
            continue
        rows, columns = shape
        path = name.removesuffix(".weight")
        found |= {
            f"{path}.qweight": ("I32", (columns * bits // 32, rows)),
            f"{path}.qzeros": ("I32", (columns // group, rows * bits // 32)),
            f"{path}.scales": ("F16", (columns // group, rows)),
            f"{path}.g_idx": ("I32", (columns,)),
        }
    return found


def lora(tensors: Tensors, *endings: str, rank: int = 8, before: str = "") -> Tensors:
    """An adapter for the matrices with these endings, as PEFT names it."""
    found: Tensors = {}
    for name, (_, shape) in tensors.items():
        if name.endswith(endings):
            path = before + name.removesuffix(".weight")
            found[f"{path}.lora_A.weight"] = "F32", (rank, shape[1])
            found[f"{path}.lora_B.weight"] = "F32", (shape[0], rank)
    return found


def mixture(experts: int) -> Tensors:
    """The model with experts, one by one and in FP8, in the place of its feed-forward."""
    tensors = without(llama(), ".mlp.")
    for layer in range(4):
        name = f"model.layers.{layer}.mlp"
        tensors |= matrix(f"{name}.gate", experts, 64)
        for expert in range(experts):
            tensors |= gated(f"{name}.experts.{expert}", 128, hidden=64)
    return tensors


# nothing, or dtypes alone


def test_a_fine_tune_that_keeps_every_shape_is_no_difference() -> None:
    found = compared(llama(), llama())

    assert found.sentence == "no difference in names, dtypes and shapes (39 tensors, 251,456 parameters, 502.91 kB)"
    assert found.equal


def test_a_cast() -> None:
    assert said(cast(llama(), "F32"), llama()) == "cast from F32 to BF16: same 251,456 parameters, 1.01 MB → 502.91 kB"


def test_a_cast_of_some_tensors() -> None:
    assert said(llama(), cast(llama(), "F32", "norm.weight")) == (
        "9 tensors cast from BF16 to F32: same 251,456 parameters, 502.91 kB → 504.06 kB"
    )


def test_a_cast_that_is_not_to_be_looked_at() -> None:
    found = compared(cast(llama(), "F32"), llama(), ignore_dtype=True)

    assert found.sentence == "no difference in names and shapes (39 tensors, 251,456 parameters, 1.01 MB)"
    assert len(found.ignored) == 39


def test_nothing_at_all() -> None:
    assert said({}, {}) == "nothing to compare"


# other names


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("model.", "model.language_model.", "same model under other names (38 of 39 tensors renamed)"),
        ("model.", "", "same model under other names (38 of 39 tensors renamed)"),
        ("", "module._orig_mod.", "same model under other names (39 tensors renamed)"),
        (".mlp.", ".feed_forward.", "same model under other names (12 of 39 tensors renamed)"),
    ],
)
def test_another_name(old: str, new: str, sentence: str) -> None:
    other = {name.replace(old, new, 1) if old else new + name: form for name, form in llama().items()}

    assert said(llama(), other) == sentence
    assert said(other, llama()) == sentence


def test_names_that_have_nothing_in_common_are_paired_in_the_order_of_a_forward_pass() -> None:
    native = matrix("tok_embeddings", 1000, 64) | vector("norm", 64) | matrix("output", 1000, 64)
    for number in range(4):
        name = f"layers.{number}"
        native |= vector(f"{name}.attention_norm", 64) | vector(f"{name}.ffn_norm", 64)
        native |= matrix(f"{name}.attention.wq", 64, 64) | matrix(f"{name}.attention.wk", 32, 64)
        native |= matrix(f"{name}.attention.wv", 32, 64) | matrix(f"{name}.attention.wo", 64, 64)
        native |= matrix(f"{name}.feed_forward.w1", 96, 64) | matrix(f"{name}.feed_forward.w2", 64, 96)
        native |= matrix(f"{name}.feed_forward.w3", 96, 64)

    found = compared(llama(), native)
    pairs = {change.before[0].kind.example: change.after[0].kind.example for change in found.changes}

    assert found.sentence == "same model under other names (39 tensors renamed)"
    assert pairs["model.layers.3.self_attn.q_proj.weight"] == "layers.3.attention.wq.weight"
    assert pairs["model.layers.3.self_attn.o_proj.weight"] == "layers.3.attention.wo.weight"
    assert pairs["model.layers.3.self_attn.v_proj.weight"] == "layers.3.attention.wv.weight"
    assert pairs["model.layers.3.mlp.gate_proj.weight"] == "layers.3.feed_forward.w1.weight"
    assert pairs["model.layers.3.mlp.down_proj.weight"] == "layers.3.feed_forward.w2.weight"
    assert pairs["model.layers.3.mlp.up_proj.weight"] == "layers.3.feed_forward.w3.weight"
    assert pairs["model.layers.3.post_attention_layernorm.weight"] == "layers.3.ffn_norm.weight"


def test_other_models_of_the_same_layers_are_not_paired_by_their_order() -> None:
    other = renamed(renamed(llama(vocab=1200), "model.", "transformer."), "_proj", "_map")

    assert said(llama(), renamed(other, "norm", "scaling")).startswith("nothing in common (")


def test_a_component_of_a_pipeline_against_its_own_repository() -> None:
    pipeline = checkpoint_in_parts({"text_encoder": llama(), "unet": matrix("conv_in", 8, 4)})

    assert said(pipeline, llama()) == (
        "39 tensors renamed; unet removed (32 parameters): 251,488 → 251,456 parameters, 502.98 kB → 502.91 kB"
    )


# quantization


def test_a_quantization() -> None:
    # Half a byte a weight; for 32 of them 2 bytes of scale and half a byte of zero point; 4 bytes for each input.
    weights = 4 * 30_720
    packed = weights // 2 + weights // 32 * 5 // 2 + 4 * 4 * (6 * 64 + 96)

    found = compared(llama(), gptq(llama(), *PROJECTIONS))

    assert found.sentence == "quantized to 4 bits (GPTQ): same 251,456 parameters, 502.91 kB → 335.87 kB"
    assert found.after.total.nbytes == 2 * (251_456 - weights) + packed == 335_872
    assert len(found.changes) == 28
    assert {len(change.after) for change in found.changes} == {4}


def test_what_was_cast_beside_a_quantization_is_an_aside() -> None:
    found = compared(llama(), cast(gptq(llama(), *PROJECTIONS), "F16", "norm.weight"))

    assert found.sentence == "quantized to 4 bits (GPTQ): same 251,456 parameters, 502.91 kB → 335.87 kB"
    assert found.verdict.asides == ("9 tensors cast from BF16 to F16",)


def test_a_dequantization() -> None:
    assert said(gptq(llama(), *PROJECTIONS), llama()) == (
        "dequantized from 4 bits (GPTQ) to BF16: same 251,456 parameters, 335.87 kB → 502.91 kB"
    )


def test_other_bits_and_other_groups() -> None:
    four, eight = gptq(llama(), *PROJECTIONS), gptq(llama(), *PROJECTIONS, bits=8)
    downs = [gptq(llama(), "down_proj.weight", group=group) for group in (32, 48)]

    assert said(four, eight).startswith("requantized from 4 bits (GPTQ) to 8 bits (GPTQ): same 251,456 parameters, ")
    assert said(*downs) == (
        "requantized in other groups (4 bits (GPTQ), groups of 32 → groups of 48): same 251,456 parameters, "
        "469.50 kB → 468.86 kB"
    )


def test_several_widths_in_one() -> None:
    mixed = gptq(gptq(llama(), "down_proj.weight", bits=8), *PROJECTIONS[:-1])

    assert said(llama(), mixed).startswith("quantized to 4 bits (GPTQ) and 8 bits (GPTQ): same 251,456 parameters, ")


def test_a_quantization_under_other_names() -> None:
    packed = renamed(gptq(llama(), *PROJECTIONS), "model.", "model.language_model.")

    assert said(llama(), packed) == (
        "same model under other names (10 of 39 tensors renamed); quantized to 4 bits (GPTQ): "
        "same 251,456 parameters, 502.91 kB → 335.87 kB"
    )


def test_scales_alone() -> None:
    scales: Tensors = {f"model.layers.{n}.self_attn.{x}_scale": ("F32", ()) for n in range(4) for x in "kv"}
    old = llama() | fp8("model.extra", 128, 128)

    assert said(old, old | scales) == (
        "8 quantization scales and maps added: same 267,840 parameters, 519.30 kB → 519.33 kB"
    )


# sizes


@pytest.mark.parametrize(
    ("vocab", "sentence"),
    [
        (1064, "vocabulary grew by 64 rows (1,000 → 1,064): 251,456 → 259,648 parameters, 502.91 kB → 519.30 kB"),
        (999, "vocabulary shrank by 1 row (1,000 → 999): 251,456 → 251,328 parameters, 502.91 kB → 502.66 kB"),
    ],
)
def test_a_vocabulary_of_another_size(vocab: int, sentence: str) -> None:
    assert said(llama(), llama(vocab=vocab)) == sentence


def test_a_vocabulary_that_grew_in_a_quantized_model() -> None:
    old, new = (gptq(llama(vocab=vocab), *PROJECTIONS) for vocab in (1000, 1064))

    assert said(old, new).startswith("vocabulary grew by 64 rows (1,000 → 1,064): 251,456 → 259,648 parameters, ")


def test_more_positions() -> None:
    old, new = (llama() | matrix("model.embed_positions", rows, 64) for rows in (128, 256))

    assert said(old, new).startswith("positions grew by 128 rows (128 → 256): 259,648 → 267,840 parameters, ")


def test_other_classes() -> None:
    old, new = (without(llama(), "lm_head") | matrix("score", rows, 64) for rows in (2, 5))

    assert said(old, new).startswith("classes grew by 3 rows (2 → 5): 187,584 → 187,776 parameters, ")


def test_a_pruned_feed_forward() -> None:
    assert said(llama(), llama(ffn=64)) == (
        "pruned (mlp width 96 → 64 in 4 layers): 251,456 → 226,880 parameters, 502.91 kB → 453.76 kB"
    )


def test_pruned_heads() -> None:
    assert said(llama(), llama(kv=16)) == (
        "pruned (attention width 32 → 16 in 4 layers): 251,456 → 243,264 parameters, 502.91 kB → 486.53 kB"
    )


def test_a_pruned_and_quantized_model() -> None:
    assert said(llama(), gptq(llama(ffn=64), *PROJECTIONS)).startswith(
        "quantized to 4 bits (GPTQ); pruned (mlp width 96 → 64 in 4 layers): 251,456 → 226,880 parameters, "
    )


def test_a_wider_model() -> None:
    assert said(llama(), llama(ffn=128)).startswith("widened (mlp width 96 → 128 in 4 layers): ")


def test_wider_here_and_narrower_there() -> None:
    assert said(llama(), llama(ffn=128, kv=16)).startswith(
        "resized (attention width 32 → 16, mlp width 96 → 128 in 4 layers): "
    )


def test_another_model_altogether() -> None:
    # 2 * 1,200 * 128 + 128 + 6 * (2 * 128 + 3 * 128 * 256 + 2 * 128 * 128 + 2 * 64 * 128) parameters
    assert said(llama(), llama(layers=6, vocab=1200, hidden=128, kv=64, ffn=256)) == (
        "everything differs (hidden size 64 → 128, vocabulary 1,000 → 1,200, 4 → 6 layers, attention width 32 → 64, "
        "mlp width 96 → 256): 251,456 → 1,193,600 parameters, 502.91 kB → 2.39 MB"
    )


def test_another_model_of_which_a_trace_is_the_same() -> None:
    trace = vector("model.scale", 7)

    assert said(llama() | trace, llama(hidden=128, kv=64, ffn=256) | trace).startswith("almost everything differs (")


def test_models_without_a_name_in_common() -> None:
    assert said(matrix("a.b", 8, 8), matrix("c.d.e", 9, 9)) == (
        "nothing in common (1 tensor removed, 1 added): 64 → 81 parameters, 128 B → 162 B"
    )


# layers, experts, modules


@pytest.mark.parametrize(
    ("gone", "sentence"),
    [
        ((3,), "1 layer removed (model.layers.3, of 4): 251,456 → 220,608 parameters, 502.91 kB → 441.22 kB"),
        ((1,), "1 layer missing (model.layers.1, of 4): 251,456 → 220,608 parameters, 502.91 kB → 441.22 kB"),
        ((2, 3), "2 layers removed (model.layers.2-3, of 4): 251,456 → 189,760 parameters, 502.91 kB → 379.52 kB"),
    ],
)
def test_layers_that_are_gone(gone: tuple[int, ...], sentence: str) -> None:
    assert said(llama(), without(llama(), *(f".layers.{number}." for number in gone))) == sentence


def test_layers_that_are_new() -> None:
    assert said(llama(), llama(layers=6)) == (
        "2 layers added (model.layers.4-5, to 4): 251,456 → 313,152 parameters, 502.91 kB → 626.30 kB"
    )


def test_a_layer_that_is_gone_under_other_names() -> None:
    assert said(llama(), renamed(llama(layers=3), "model.", "model.text.")) == (
        "29 of 30 tensors renamed; 1 layer removed (model.layers.3, of 4): "
        "251,456 → 220,608 parameters, 502.91 kB → 441.22 kB"
    )


def test_tensors_of_a_layer_are_no_layer() -> None:
    assert said(llama(), without(llama(), ".layers.3.mlp")) == (
        "3 tensors removed: 251,456 → 233,024 parameters, 502.91 kB → 466.05 kB"
    )


def test_pruned_experts() -> None:
    found = compared(mixture(8), mixture(6))

    assert found.sentence.startswith("2 of 8 experts removed in 4 layers: ")
    assert len(found.verdict.clauses[0].changes) == 4 * (2 * 6 + 1)


def test_more_experts() -> None:
    assert said(mixture(6), mixture(8)).startswith("2 experts added in 4 layers: ")


def test_experts_in_one_tensor() -> None:
    old, new = (
        without(llama(), ".mlp.") | {f"model.layers.{n}.mlp.experts.down_proj": ("BF16", (e, 64, 96)) for n in range(4)}
        for e in (8, 4)
    )

    assert said(old, new).startswith("pruned (experts 8 → 4 in 4 layers): ")


def test_experts_fused() -> None:
    listed, fused = without(llama(), ".mlp."), without(llama(), ".mlp.")
    for layer in range(4):
        name = f"model.layers.{layer}.mlp.experts"
        fused[f"{name}.gate_up_proj"] = "BF16", (3, 192, 64)
        fused[f"{name}.down_proj"] = "BF16", (3, 64, 96)
        for expert in range(3):
            listed |= matrix(f"{name}.{expert}.gate_proj", 96, 64) | matrix(f"{name}.{expert}.up_proj", 96, 64)
            listed |= matrix(f"{name}.{expert}.down_proj", 64, 96)

    assert said(listed, fused) == "experts fused (36 tensors into 8): same 398,912 parameters, 797.82 kB"
    assert said(fused, listed) == "experts split (8 tensors into 36): same 398,912 parameters, 797.82 kB"


def test_queries_keys_and_values_fused() -> None:
    fused = without(llama(), ".q_proj", ".k_proj", ".v_proj")
    for layer in range(4):
        fused |= matrix(f"model.layers.{layer}.self_attn.qkv_proj", 128, 64)

    assert said(llama(), fused) == "attention weights fused (12 tensors into 4): same 251,456 parameters, 502.91 kB"


def test_modules_that_are_new() -> None:
    tower = matrix("visual.patch_embed.proj", 32, 12) | matrix("multi_modal_projector.linear", 64, 32)

    assert said(llama(), llama() | tower) == (
        "visual and projector added (2,432 parameters): 251,456 → 253,888 parameters, 502.91 kB → 507.78 kB"
    )


def test_a_head_in_the_place_of_another() -> None:
    assert said(llama(), without(llama(), "lm_head") | matrix("score", 2, 64)) == (
        "lm_head removed (64,000 parameters); head added (128 parameters): "
        "251,456 → 187,584 parameters, 502.91 kB → 375.17 kB"
    )


# adapters


def test_an_adapter_beside_its_model() -> None:
    adapter = lora(llama(), *PROJECTIONS, before="base_model.model.")

    assert said(llama(), adapter).startswith("NEW is an adapter for OLD (LoRA of rank 8 on 28 modules): ")
    assert said(adapter, llama()).startswith("OLD is an adapter for NEW (LoRA of rank 8 on 28 modules): ")


def test_an_adapter_for_a_model_of_other_widths() -> None:
    adapter = lora(llama(), *PROJECTIONS, before="base_model.model.")
    # The keys and values of the other are half as wide: two modules in each of its layers.
    other: Tensors = {
        name: (dtype, (shape[0] // 2, shape[1]))
        if name.endswith(("k_proj.weight", "v_proj.weight"))
        else (dtype, shape)
        for name, (dtype, shape) in llama().items()
    }

    assert said(other, adapter).startswith(
        "NEW is an adapter for another model than OLD (LoRA of rank 8 on 28 modules, 8 of other shapes): "
    )
    assert said(adapter, other).startswith("OLD is an adapter for another model than NEW (")


def test_an_adapter_beside_another_model() -> None:
    adapter = lora(llama(), "q_proj.weight", "up_proj.weight") | lora(matrix("some.where", 8, 8), "weight", rank=4)

    assert said(llama(), adapter).startswith(
        "NEW is an adapter (LoRA of ranks 4 to 8 on 9 modules, of which OLD has 8): "
    )


def test_an_adapter_in_the_names_of_sd_scripts() -> None:
    flat: Tensors = {
        f"lora_unet_{name.removesuffix('.weight').replace('.', '_')}.lora_{way}.weight": ("F16", shape)
        for name in llama()
        if name.endswith("q_proj.weight")
        for way, shape in (("down", (8, 64)), ("up", (64, 8)))
    }

    assert said(llama(), flat).startswith("NEW is an adapter for OLD (LoRA of rank 8 on 4 modules): ")


def test_an_adapter_of_a_convolution_has_the_rank_and_not_the_kernel() -> None:
    model = vector("down_blocks.0.resnets.0.conv1", 64, 32, 3, 3) | matrix("conv_out", 8, 64)
    name = "lora_unet_down_blocks_0_resnets_0_conv1"
    adapter: Tensors = {
        f"{name}.lora_down.weight": ("F16", (16, 32, 3, 3)),
        f"{name}.lora_up.weight": ("F16", (64, 16, 1, 1)),
    }

    assert said(model, adapter).startswith("NEW is an adapter for OLD (LoRA of rank 16 on 1 module): ")


def test_an_adapter_beside_the_pipeline_that_it_is_for() -> None:
    module = "down_blocks.0.attentions.0.proj_in"
    pipeline = checkpoint_in_parts({"unet": matrix(module, 64, 64), "vae": matrix("encoder.conv_in", 8, 4)})
    flat = {
        name.replace(".", "_", name.count(".") - 2): form
        for name, form in lora(matrix(module, 64, 64), "weight").items()
    }
    flattened = {
        f"lora_unet_{name}".replace("lora_A", "lora_down").replace("lora_B", "lora_up"): form
        for name, form in flat.items()
    }

    for adapter in (flattened, lora(matrix(f"unet.{module}", 64, 64), "weight")):
        assert said(pipeline, adapter).startswith("NEW is an adapter for OLD (LoRA of rank 8 on 1 module): ")


def test_a_merged_adapter() -> None:
    """Before it is merged, PEFT keeps it beside the weight, which is then called ``base_layer``."""
    base = {f"base_model.model.{name.replace('q_proj.', 'q_proj.base_layer.')}": form for name, form in llama().items()}
    unmerged = base | lora(llama(), "q_proj.weight", before="base_model.model.")

    assert said(unmerged, llama()) == (
        "adapter merged or dropped (LoRA of rank 8 on 4 modules); 39 tensors renamed: "
        "255,552 → 251,456 parameters, 519.30 kB → 502.91 kB"
    )
    assert said(llama(), unmerged) == (
        "adapter added (LoRA of rank 8 on 4 modules); 39 tensors renamed: "
        "251,456 → 255,552 parameters, 502.91 kB → 519.30 kB"
    )


def test_an_adapter_of_another_rank() -> None:
    old, new = (lora(llama(), "q_proj.weight", rank=rank) for rank in (8, 16))

    assert said(old, new).startswith("adapter of another rank (8 → 16 on 4 modules): 4,096 → 8,192 parameters, ")


# what is no parameter, and the rest


def test_buffers() -> None:
    old = llama() | {f"model.layers.{n}.self_attn.rotary_emb.inv_freq": ("F32", (16,)) for n in range(4)}

    assert said(old, llama()) == "4 buffers removed: same 251,456 parameters, 503.17 kB → 502.91 kB"
    assert said(llama(), without(old, *(f"s.{n}.self_attn.rot" for n in range(1, 4)))).startswith("1 buffer added: ")


def test_a_tied_head_that_is_stored() -> None:
    tied = {"model_type": "llama", "tie_word_embeddings": True}
    stored, bare = (checkpoint_of(tensors, tied) for tensors in (llama(), without(llama(), "lm_head")))

    assert said(bare, stored) == (
        "1 stored copy of a tied weight added: same 187,456 parameters, 374.91 kB → 502.91 kB"
    )


def test_a_config_that_ties() -> None:
    tied = checkpoint_of(llama(), {"model_type": "llama", "tie_word_embeddings": True})

    assert said(llama(), tied) == "1 tensor counted otherwise: 251,456 → 187,456 parameters, 502.91 kB"


def test_weights_stored_the_other_way_round() -> None:
    assert said(llama(), reshaped(llama(), "gate_proj.weight", 64, 96)) == (
        "4 tensors transposed: same 251,456 parameters, 502.91 kB"
    )


def test_weights_under_another_shape() -> None:
    assert said(llama(), reshaped(llama(), "gate_proj.weight", 96, 64, 1)) == (
        "4 tensors reshaped: same 251,456 parameters, 502.91 kB"
    )


def test_whatever_has_no_rule() -> None:
    biases: Tensors = {f"model.layers.{n}.self_attn.q_proj.bias": ("BF16", (64,)) for n in range(4)}
    old = without(llama(), ".0.mlp.up_proj") | biases

    assert said(old, llama() | vector("model.extra", 3)) == (
        "4 biases removed and 2 tensors added: 245,568 → 251,459 parameters, 491.14 kB → 502.92 kB"
    )


def test_what_cannot_be_counted_is_at_least_so_much() -> None:
    assert said(llama(), llama() | {"model.packed": ("I32", (8, 8))}) == (
        "1 tensor added: 251,456 → at least 251,456 parameters, 502.91 kB → 503.17 kB"
    )
