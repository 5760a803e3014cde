from collections.abc import Iterator
from pathlib import Path

import pytest

from ckptinspect.analysis.count import count
from ckptinspect.analysis.folding import indices_text
from ckptinspect.analysis.lines import Line
from ckptinspect.analysis.order import rank
from ckptinspect.analysis.tree import pruned, tree
from ckptinspect.errors import RefError
from ckptinspect.model import Checkpoint, Tally
from ckptinspect.opening import open_checkpoint
from ckptinspect.report.tree import text_of
from tests.checkpoints import (
    Tensors,
    bloom_1b4_zh,
    checkpoint_in_parts,
    checkpoint_of,
    decoder,
    llama_3_1_8b,
    matrix,
    qwen2_vl_7b,
    small_deepseek,
    vector,
)

REAL = Path(__file__).parents[3] / "fixtures" / "real"
VISUAL = """\
  patch_embed.proj | Conv3d(3, 1280, kernel_size=(2, 14, 14), bias=False)
  blocks (0-31) | 32 x
    norm1, norm2 | LayerNorm(1280)
    attn.qkv | Linear(in_features=1280, out_features=3840, bias=True)
    attn.proj | Linear(in_features=1280, out_features=1280, bias=True)
    mlp.fc1 | Linear(in_features=1280, out_features=5120, bias=True)
    mlp.fc2 | Linear(in_features=5120, out_features=1280, bias=True)
  merger
    ln_q | LayerNorm(1280)
    mlp.0 | Linear(in_features=5120, out_features=5120, bias=True)
    mlp.2 | Linear(in_features=5120, out_features=3584, bias=True)
"""
QWEN2 = """\
  embed_tokens | Embedding(152064, 3584)
  layers (0-27) | 28 x
    input_layernorm, post_attention_layernorm | RMSNorm(3584)
    self_attn.q_proj | Linear(in_features=3584, out_features=3584, bias=True)
    self_attn.k_proj, v_proj | Linear(in_features=3584, out_features=512, bias=True)
    self_attn.o_proj | Linear(in_features=3584, out_features=3584, bias=False)
    mlp.gate_proj, up_proj | Linear(in_features=3584, out_features=18944, bias=False)
    mlp.down_proj | Linear(in_features=18944, out_features=3584, bias=False)
  norm | RMSNorm(3584)
"""
HEAD = "lm_head | Linear(in_features=3584, out_features=152064, bias=False)\n"
LLAMA = """\
model
  embed_tokens | Embedding(128256, 4096)
  layers (0-31) | 32 x
    input_layernorm, post_attention_layernorm | RMSNorm(4096)
    self_attn.q_proj, o_proj | Linear(in_features=4096, out_features=4096, bias=False)
    self_attn.k_proj, v_proj | Linear(in_features=4096, out_features=1024, bias=False)
    mlp.gate_proj, up_proj | Linear(in_features=4096, out_features=14336, bias=False)
    mlp.down_proj | Linear(in_features=14336, out_features=4096, bias=False)
  norm | RMSNorm(4096)
lm_head | Linear(in_features=4096, out_features=128256, bias=False)
"""
BLOOM = """\
transformer
  word_embeddings | Embedding(46145, 2048)
  word_embeddings_layernorm | LayerNorm(2048)
  h (0-23) | 24 x
    input_layernorm | LayerNorm(2048)
    self_attention.query_key_value | Linear(in_features=2048, out_features=6144, bias=True)
    self_attention.dense | Linear(in_features=2048, out_features=2048, bias=True)
    post_attention_layernorm | LayerNorm(2048)
    mlp.dense_h_to_4h | Linear(in_features=2048, out_features=8192, bias=True)
    mlp.dense_4h_to_h | Linear(in_features=8192, out_features=2048, bias=True)
  ln_f | LayerNorm(2048)
lm_head | tied to transformer.word_embeddings: not stored
"""
DEEPSEEK = """\
model
  embed_tokens | Embedding(1000, 256)
  layers (0-1) | 2 x
    input_layernorm | RMSNorm(256)
    self_attn.kv_a_proj_with_mqa | Linear(in_features=256, out_features=96, bias=False, weight_scale_inv=(1, 2))
    self_attn.kv_a_layernorm | RMSNorm(64)
    self_attn.kv_b_proj | Linear(in_features=64, out_features=512, bias=False, weight_scale_inv=(4, 1))
    mlp.gate_proj, up_proj | Linear(in_features=256, out_features=768, bias=False, weight_scale_inv=(6, 2))
    mlp.down_proj | Linear(in_features=768, out_features=256, bias=False, weight_scale_inv=(2, 6))
  layers (2-4) | 3 x
    input_layernorm | RMSNorm(256)
    self_attn.kv_a_proj_with_mqa | Linear(in_features=256, out_features=96, bias=False, weight_scale_inv=(1, 2))
    self_attn.kv_a_layernorm | RMSNorm(64)
    self_attn.kv_b_proj | Linear(in_features=64, out_features=512, bias=False, weight_scale_inv=(4, 1))
    mlp.gate | Linear(in_features=256, out_features=4, bias=False)
    mlp.gate.e_score_correction_bias | Parameter(4)
    mlp.experts (0-3) | 4 x
      gate_proj, up_proj | Linear(in_features=256, out_features=128, bias=False, weight_scale_inv=(1, 2))
      down_proj | Linear(in_features=128, out_features=256, bias=False, weight_scale_inv=(2, 1))
    mlp.shared_experts.gate_proj, up_proj | Linear(in_features=256, out_features=128, bias=False, weight_scale_inv=(1, 2))
    mlp.shared_experts.down_proj | Linear(in_features=128, out_features=256, bias=False, weight_scale_inv=(2, 1))
  norm | RMSNorm(256)
lm_head | Linear(in_features=256, out_features=1000, bias=False)
model.layers.5
  embed_tokens | Embedding(1000, 256) not counted: copies of embedding and head in the MTP layers
  enorm, hnorm, input_layernorm | RMSNorm(256)
  eh_proj | Linear(in_features=512, out_features=256, bias=False)
  self_attn.kv_a_proj_with_mqa | Linear(in_features=256, out_features=96, bias=False, weight_scale_inv=(1, 2))
  self_attn.kv_a_layernorm | RMSNorm(64)
  self_attn.kv_b_proj | Linear(in_features=64, out_features=512, bias=False, weight_scale_inv=(4, 1))
  mlp.gate | Linear(in_features=256, out_features=4, bias=False)
  mlp.gate.e_score_correction_bias | Parameter(4)
  mlp.experts (0-3) | 4 x
    gate_proj, up_proj | Linear(in_features=256, out_features=128, bias=False, weight_scale_inv=(1, 2))
    down_proj | Linear(in_features=128, out_features=256, bias=False, weight_scale_inv=(2, 1))
  mlp.shared_experts.gate_proj, up_proj | Linear(in_features=256, out_features=128, bias=False, weight_scale_inv=(1, 2))
  mlp.shared_experts.down_proj | Linear(in_features=128, out_features=256, bias=False, weight_scale_inv=(2, 1))
  shared_head.head | Linear(in_features=256, out_features=1000, bias=False) not counted: copies of embedding and head in the MTP layers
"""


def of(tensors: Tensors, module: str | None = None) -> Line:
    return tree_of(checkpoint_of(tensors), module)


def tree_of(checkpoint: Checkpoint, module: str | None = None) -> Line:
    return tree(checkpoint, count(checkpoint), module)


def picture(root: Line) -> str:
    """The lines below the root; `28 x` and what a module is behind the name."""
    return "".join(f"{line}\n" for child in root.children for line in lines(child, ""))


def lines(line: Line, indent: str) -> Iterator[str]:
    times = f"{line.repeat} x" if line.indices else ""
    module = text_of(line.module) if line.module is not None else ""
    yield " | ".join(word for word in (indent + line.name, f"{times} {module}".strip()) if word)
    for child in line.children:
        yield from lines(child, f"{indent}  ")


def every(line: Line) -> Iterator[Line]:
    yield line
    for child in line.children:
        yield from every(child)


def find(root: Line, name: str) -> Line:
    return next(line for line in every(root) if line.name == name)


def test_the_tree_of_qwen2_vl_is_the_one_that_print_model_shows() -> None:
    root = tree_of(qwen2_vl_7b())

    assert picture(root) == f"visual\n{VISUAL}model\n{QWEN2}{HEAD}"
    assert root.tally.parameters == 8_291_375_616
    assert {line.name: line.tally.parameters for line in root.children} == {
        "visual": 675_759_104,
        "model": 7_070_619_136,
        "lm_head": 544_997_376,
    }
    assert find(root, "patch_embed.proj").tally.parameters == 1_505_280
    assert find(root, "blocks (0-31)").tally.parameters == 629_678_080
    assert find(root, "merger").tally.parameters == 44_575_744


def test_the_newer_layout_of_qwen2_vl_gives_the_same_tree_under_its_own_paths() -> None:
    root = tree_of(qwen2_vl_7b("model.visual", "model.language_model"))

    assert picture(root) == f"model.visual\n{VISUAL}model.language_model\n{QWEN2}{HEAD}"
    assert [line.tally.parameters for line in root.children] == [675_759_104, 7_070_619_136, 544_997_376]


def test_the_tree_of_llama_joins_equal_siblings() -> None:
    root = tree_of(llama_3_1_8b())

    assert picture(root) == LLAMA
    assert root.tally.parameters == 8_030_261_248
    assert find(root, "self_attn.k_proj, v_proj").paths == (
        "model.layers.0.self_attn.k_proj",
        "model.layers.0.self_attn.v_proj",
    )
    assert find(root, "self_attn.k_proj, v_proj").tally.parameters == 32 * 2 * 1024 * 4096


def test_the_tree_of_bloom_has_the_head_that_is_not_stored() -> None:
    root = tree_of(bloom_1b4_zh())

    assert picture(root) == BLOOM
    assert root.tally.parameters == 1_303_111_680
    assert find(root, "lm_head").tally == Tally()
    assert find(root, "self_attention.query_key_value").tally.parameters == 302_137_344


def test_dense_layers_experts_and_the_mtp_layer_are_runs_of_their_own() -> None:
    root = tree_of(small_deepseek())

    assert picture(root) == DEEPSEEK
    assert find(root, "model").tally + find(root, "lm_head").tally + find(root, "model.layers.5").tally == root.tally
    assert find(root, "mlp.experts (0-3)").tally.nbytes == 3 * 4 * (3 * 128 * 256 + 3 * 2 * 4)


def test_one_module_alone_has_its_own_tree() -> None:
    root = tree_of(small_deepseek(), "mtp")

    assert [line.name for line in root.children] == ["model.layers.5"]
    assert "experts (0-3)" in picture(root)
    assert [line.name for line in tree_of(qwen2_vl_7b(), "visual").children] == ["visual"]


def test_a_module_that_there_is_not_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(RefError) as raised:
        tree_of(qwen2_vl_7b(), "audio")

    assert str(raised.value) == "no module 'audio' in it; choose one of visual, model, lm_head"


def test_a_tree_cut_off_keeps_its_sums() -> None:
    root = tree_of(llama_3_1_8b())

    assert picture(pruned(root, 1)) == "model\nlm_head | Linear(in_features=4096, out_features=128256, bias=False)\n"
    assert pruned(root, 1).children[0].tally == root.children[0].tally
    assert pruned(root, 0).children == ()


def test_layers_that_alternate_fold_into_two_lines() -> None:
    tensors = vector("model.norm", 8)
    for number in range(24):
        mixer = "self_attn.q_proj" if number % 2 else "mamba.in_proj"
        tensors |= matrix(f"model.layers.{number}.{mixer}", 8, 8)

    assert picture(of(tensors)) == (
        "model\n"
        "  layers (0, 2, 4, …, 22) | 12 x\n"
        "    mamba.in_proj | Linear(in_features=8, out_features=8, bias=False)\n"
        "  layers (1, 3, 5, …, 23) | 12 x\n"
        "    self_attn.q_proj | Linear(in_features=8, out_features=8, bias=False)\n"
        "  norm | RMSNorm(8)\n"
    )


def test_layers_that_are_missing_are_missing_in_the_line() -> None:
    tensors = decoder("model", layers=9, vocab=10, hidden=8, kv=4, ffn=12)
    tensors = {name: entry for name, entry in tensors.items() if ".layers.4." not in name}

    assert find(of(tensors), "layers (0-3, 5-8)").repeat == 8


@pytest.mark.parametrize(
    ("indices", "text"),
    [
        ((0,), "0"),
        (range(28), "0-27"),
        ((0, 1, 60), "0-1, 60"),
        (range(0, 24, 2), "0, 2, 4, …, 22"),
        ([number for number in range(48) if number % 6 != 5], "0-4, 6-10, 12-16, …, 42-46"),
    ],
)
def test_indices_are_written_in_spans(indices: tuple[int, ...], text: str) -> None:
    assert indices_text(indices) == text


def test_repeats_inside_repeats_fold_and_items_that_differ_stand_apart() -> None:
    tensors: Tensors = {}
    for stage, width in enumerate((4, 8)):
        for layer in range(3):
            into = width * 2 if layer else width
            for part, (rows, columns) in enumerate([(width, into), (width * 2, width)]):
                name = f"encoder.stages.{stage}.layers.{layer}.layer.{part}.convolution"
                tensors |= vector(name, rows, columns, 3, 3)
    tensors |= vector("encoder.stages.0.layers.0.shortcut.convolution", 8, 4, 1, 1)

    assert picture(of(tensors)) == (
        "encoder\n"
        "  stages.0\n"
        "    layers.0.shortcut.convolution | Conv2d(4, 8, kernel_size=(1, 1), bias=False)\n"
        "    layers.0.layer.0.convolution | Conv2d(4, 4, kernel_size=(3, 3), bias=False)\n"
        "    layers.0.layer.1.convolution | Conv2d(4, 8, kernel_size=(3, 3), bias=False)\n"
        "    layers (1-2) | 2 x\n"
        "      layer.0.convolution | Conv2d(8, 4, kernel_size=(3, 3), bias=False)\n"
        "      layer.1.convolution | Conv2d(4, 8, kernel_size=(3, 3), bias=False)\n"
        "  stages.1\n"
        "    layers.0.layer.0.convolution | Conv2d(8, 8, kernel_size=(3, 3), bias=False)\n"
        "    layers.0.layer.1.convolution | Conv2d(8, 16, kernel_size=(3, 3), bias=False)\n"
        "    layers (1-2) | 2 x\n"
        "      layer.0.convolution | Conv2d(16, 8, kernel_size=(3, 3), bias=False)\n"
        "      layer.1.convolution | Conv2d(8, 16, kernel_size=(3, 3), bias=False)\n"
    )


def test_items_that_own_a_weight_themselves_share_a_line() -> None:
    tensors: Tensors = {}
    for number in range(31):
        tensors |= matrix(f"talker.codec_embedding.{number}", 2048, 64)

    assert picture(of(tensors)) == "talker.codec_embedding (0-30) | 31 x Embedding(2048, 64)\n"


def test_items_beside_other_modules_fold_all_the_same() -> None:
    tensors = vector("model.blocks.norm", 4)
    for number in range(3):
        tensors |= matrix(f"model.blocks.{number}.fc1", 8, 4)

    assert picture(of(tensors)) == (
        "model.blocks\n"
        "  (0-2) | 3 x\n"
        "    fc1 | Linear(in_features=4, out_features=8, bias=False)\n"
        "  norm | RMSNorm(4)\n"
    )


def kinds(tensors: Tensors) -> dict[str, str]:
    return {path: text_of(line.module) for line in every(of(tensors)) if line.module for path in line.paths}


def test_a_norm_is_known_by_its_bias_its_statistics_and_its_neighbours() -> None:
    statistics: Tensors = {f"net.a.bn.running_{what}": ("F32", (8,)) for what in ("mean", "var")}
    statistics["net.a.bn.num_batches_tracked"] = ("I64", ())
    found = kinds(
        {
            **vector("net.a.conv", 8, 4, 3, 3),
            **vector("net.a.bn", 8, bias=8),
            **statistics,
            **vector("net.b.conv", 8, 4, 3, 3),
            **vector("net.b.norm", 8, bias=8),
            **vector("net.c.norm", 8, bias=8),
            **vector("net.d.norm", 8),
            **vector("net.e.slope", 8),
        }
    )

    assert found["net.a.bn"] == "BatchNorm2d(8)"
    assert found["net.b.norm"] == "GroupNorm(num_channels=8)"
    assert found["net.c.norm"] == "LayerNorm(8)"
    assert found["net.d.norm"] == "RMSNorm(8)"
    assert found["net.e.slope.weight"] == "Parameter(8)"


def test_gamma_and_beta_are_a_layer_norm() -> None:
    found = kinds({"bert.LayerNorm.gamma": ("F32", (8,)), "bert.LayerNorm.beta": ("F32", (8,))})

    assert found["bert.LayerNorm"] == "LayerNorm(8)"


def test_what_is_stored_in_by_out_is_a_conv1d_of_gpt2_and_so_is_the_square_beside_it() -> None:
    found = kinds(
        {
            **vector("h.0.attn.c_attn", 8, 24, bias=24),
            **vector("h.0.attn.c_proj", 8, 8, bias=8),
            "h.0.attn.bias": ("F32", (1, 1, 16, 16)),
        }
    )

    assert found["h.0.attn.c_attn"] == "Conv1D(nf=24, nx=8)"
    assert found["h.0.attn.c_proj"] == "Conv1D(nf=8, nx=8)"
    assert found["h.0.attn.bias"] == "Buffer(1, 1, 16, 16)"


def test_of_a_depthwise_convolution_only_the_channels_of_a_group_are_known() -> None:
    found = kinds(
        {
            **vector("net.conv1d", 16, 1, 4, bias=16),
            **vector("net.conv2", 16, 8, 3, bias=16),
            **vector("net.up", 16, 8, 2, 2, bias=8),
            **vector("net.down", 16, 8, 2, 2, bias=5),
        }
    )

    assert found["net.conv1d"] == "Conv1d(1 per group, 16, kernel_size=(4,))"
    assert found["net.conv2"] == "Conv1d(8, 16, kernel_size=(3,))"
    assert found["net.up"] == "ConvTranspose2d(16, 8, kernel_size=(2, 2))"
    assert found["net.down.weight"] == "Parameter(16, 8, 2, 2)"


def test_an_embedding_is_told_by_its_name() -> None:
    found = kinds(
        {
            **matrix("model.embed_tokens", 9, 4),
            **matrix("model.embed_proj", 9, 4),
            **matrix("model.time_embed", 9, 4, bias=True),
            **matrix("lm_head", 9, 4),
        }
    )

    assert found["model.embed_tokens"] == "Embedding(9, 4)"
    assert found["model.embed_proj"] == "Linear(in_features=4, out_features=9, bias=False)"
    assert found["model.time_embed"] == "Linear(in_features=4, out_features=9, bias=True)"
    assert found["lm_head"] == "Linear(in_features=4, out_features=9, bias=False)"


def test_experts_in_one_tensor_and_an_adapter_are_what_their_shapes_say() -> None:
    found = kinds(
        {
            "model.layers.0.mlp.experts.gate_up_proj": ("BF16", (4, 16, 8)),
            "model.layers.0.mlp.experts.down_proj": ("F8_E4M3", (4, 8, 8)),
            "model.layers.0.mlp.experts.down_proj_scale_inv": ("F32", (4, 1, 1)),
            **matrix("model.layers.0.q_proj.lora_A", 2, 8),
            **matrix("model.layers.0.q_proj.lora_B", 16, 2),
        }
    )

    assert found["model.layers.0.mlp.experts.gate_up_proj"] == "Parameter(4, 16, 8)"
    assert found["model.layers.0.mlp.experts.down_proj"] == "Parameter(4, 8, 8, scale_inv=(4, 1, 1))"
    assert found["model.layers.0.q_proj.lora_A"] == "Linear(in_features=8, out_features=2, bias=False)"
    assert found["model.layers.0.q_proj.lora_B"] == "Linear(in_features=2, out_features=16, bias=False)"


def test_a_tied_head_that_is_stored_all_the_same_is_drawn_and_not_counted() -> None:
    tensors = matrix("model.embed_tokens", 9, 4) | matrix("lm_head", 9, 4) | vector("model.norm", 4)
    root = tree_of(checkpoint_of(tensors, {"tie_word_embeddings": True}))

    assert picture(root).splitlines()[-1] == (
        "lm_head | Linear(in_features=4, out_features=9, bias=False) not counted: tied weights, stored again"
    )
    assert (find(root, "lm_head").tally.parameters, find(root, "lm_head").tally.nbytes) == (0, 72)


def test_each_component_of_a_pipeline_is_a_top_level_line() -> None:
    unet = vector("conv_in", 8, 4, 3, 3, bias=8) | vector("conv_norm_out", 8, bias=8)
    root = tree_of(checkpoint_in_parts({"text_encoder": matrix("text_model.fc1", 4, 4), "unet": unet}))

    assert picture(root) == (
        "unet\n"
        "  conv_in | Conv2d(4, 8, kernel_size=(3, 3))\n"
        "  conv_norm_out | GroupNorm(num_channels=8)\n"
        "text_encoder\n"
        "  text_model.fc1 | Linear(in_features=4, out_features=4, bias=False)\n"
    )
    assert find(root, "conv_in").paths == ("unet.conv_in",)


def test_a_language_model_keeps_its_path_though_other_modules_stand_below_it() -> None:
    tensors = decoder("model", layers=2, vocab=10, hidden=8, kv=4, ffn=12)
    tensors |= matrix("model.vision_tower.fc1", 8, 8) | matrix("model.vision_tower.fc2", 4, 8)
    tensors |= matrix("model.mm_projector.0", 8, 4)

    assert [line.name for line in of(tensors).children] == ["model.vision_tower", "model.mm_projector.0", "model"]


@pytest.mark.parametrize(
    "names",
    [
        ["", ".", "..", ".lead", "trail.", "a..b", "../../etc/passwd"],
        ["weight", "bias"],
        ["0", "0.1.2", "1", "00.weight", "x.0", "x.00", "x.1"],
        ["a", "a.weight", "a.b", "a.b.weight"],
        [".".join("abcdefghij" * 20), ".".join("x" * 5000), "x" * 100_000],
        ["a.0", "a.0.weight", "a.1.weight", "a.weight"],
        ["a\nb.weight", "\x1b[31m.weight", "日本.weight", "a, b.weight"],
    ],
)
def test_a_name_may_be_anything_and_the_sums_are_right_all_the_same(names: list[str]) -> None:
    checkpoint = checkpoint_of(dict.fromkeys(names, ("F32", (2, 3))))
    counted = count(checkpoint)
    root = tree(checkpoint, counted)

    assert root.tally == counted.total
    assert root.tally.tensors == len(names)
    assert_sums(root)


def test_a_checkpoint_without_tensors_has_a_root_alone() -> None:
    root = of({})

    assert (root.children, root.tally) == ((), Tally())


def test_equal_siblings_share_a_line_only_as_long_as_it_can_be_read() -> None:
    names = [f"a.projection_with_a_long_name_{letter}" for letter in "abcdef"]
    tensors: Tensors = {}
    for name in names:
        tensors |= matrix(name, 4, 4)

    widths = [len(line.names) for line in every(of(tensors)) if line.module]

    assert widths == [2, 2, 2]


def test_the_order_is_that_of_a_forward_pass() -> None:
    block = ["mlp", "norm2", "attn", "norm1"]
    assert sorted(block, key=rank) == ["norm1", "attn", "norm2", "mlp"]
    attention = ["v_proj", "o_proj", "k_proj", "q_norm", "q_proj", "k_norm"]
    assert sorted(attention, key=rank) == ["q_proj", "q_norm", "k_proj", "k_norm", "v_proj", "o_proj"]
    model = ["norm", "lm_head", "layers", "embed_tokens"]
    assert sorted(model, key=rank) == ["embed_tokens", "layers", "norm", "lm_head"]
    unet = ["up_blocks", "conv_out", "mid_block", "conv_norm_out", "conv_in", "down_blocks"]
    assert sorted(unet, key=rank) == ["conv_in", "down_blocks", "mid_block", "up_blocks", "conv_norm_out", "conv_out"]


@pytest.mark.parametrize("snapshot", sorted(REAL.glob("*.snap")), ids=lambda path: path.stem)
def test_on_every_real_checkpoint_children_sum_to_their_parent_and_the_root_to_the_count(snapshot: Path) -> None:
    checkpoint = open_checkpoint(snapshot, names=True)
    counted = count(checkpoint)
    root = tree(checkpoint, counted)

    assert root.tally == counted.total
    assert_sums(root)


def assert_sums(line: Line) -> None:
    if line.children:
        assert sum((child.tally for child in line.children), Tally()) == line.tally
        for child in line.children:
            assert_sums(child)
