from pathlib import Path

import pytest

from ckptinspect.analysis.count import Count, count
from ckptinspect.analysis.keys import keys_of
from ckptinspect.analysis.names import by_tensor, rows_by_tensor
from ckptinspect.analysis.notes import notes_on
from ckptinspect.errors import RefError
from ckptinspect.opening import open_checkpoint
from tests.folders import Shapes, write_json, write_safetensors


def counted(folder: Path, tensors: Shapes, config: object = None) -> Count:
    write_safetensors(folder / "model.safetensors", tensors)
    if config is not None:
        write_json(folder / "config.json", config)
    checkpoint = open_checkpoint(folder)
    found = count(checkpoint)
    assert by_tensor(checkpoint, found).total == found.total
    assert sum(elements for _, elements in found.decomposition) == found.total.parameters
    return found


@pytest.mark.parametrize(
    ("name", "code", "shape"),
    [
        ("h.0.attn.bias", "F32", (1, 1, 8, 8)),
        ("gpt_neox.layers.0.attention.bias", "BOOL", (1, 1, 8, 8)),
        ("gpt_neox.layers.0.attention.masked_bias", "F32", ()),
        ("model.layers.0.self_attn.rotary_emb.inv_freq", "F32", (64,)),
        ("text_model.embeddings.position_ids", "I64", (1, 77)),
        ("bert.embeddings.token_type_ids", "I64", (1, 512)),
        ("layer1.0.bn1.running_mean", "F32", (64,)),
        ("layer1.0.bn1.running_var", "F32", (64,)),
        ("layer1.0.bn1.num_batches_tracked", "I64", ()),
        ("layers.0.blocks.0.attn.relative_position_index", "I64", (49, 49)),
        ("betas", "F32", (1000,)),
        ("alphas_cumprod", "F32", (1000,)),
        ("final_logits_bias", "F32", (1, 100)),
        ("pos_encoder.pe", "F32", (500, 1, 8)),
        ("decoder.causal_mask", "BOOL", (8, 8)),
        ("quantizer.codebook.num_updates", "I64", ()),
        ("model.layers.3.ffn.gate.tid2eid", "I64", (100, 6)),
    ],
)
def test_a_buffer_is_no_parameter(tmp_path: Path, name: str, code: str, shape: tuple[int, ...]) -> None:
    found = counted(tmp_path, {name: (code, shape), "model.norm.weight": ("F32", (5,))})

    assert found.total.parameters == 5
    assert found.decomposition[1][0] == "buffers"


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("h.0.attn.c_attn.bias", (2304,)),
        ("model.layers.0.self_attn.bias", (8, 8)),
        ("encoder.layers.0.attn.bias", (2, 1, 8, 8)),
        ("bert.embeddings.token_type_embeddings.weight", (2, 8)),
        ("model.encoder.embed_positions.weight", (1500, 384)),
        ("betas.weight", (4, 4)),
        ("decoder.pe", (64, 8)),
        ("encoder.layers.0.prompt_mask", (8,)),
    ],
)
def test_what_only_looks_like_a_buffer_is_a_parameter(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    found = counted(tmp_path, {name: ("F32", shape)})

    assert found.total.parameters == found.total.stored


def test_what_the_class_never_loads_is_no_parameter(tmp_path: Path) -> None:
    name = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"

    found = counted(tmp_path, {name: ("F32", (32, 8)), "shared.weight": ("F32", (10, 4))})

    assert found.decomposition == (("stored elements", 296), ("weights that the model class does not load", -256))


def test_fp8_block_scales_are_no_parameters(tmp_path: Path) -> None:
    found = counted(
        tmp_path,
        {
            "model.layers.0.mlp.up_proj.weight": ("F8_E4M3", (256, 128)),
            "model.layers.0.mlp.up_proj.weight_scale_inv": ("F32", (2, 1)),
            "model.layers.0.mlp.experts.gate_up_proj": ("F8_E4M3", (4, 256, 128)),
            "model.layers.0.mlp.experts.gate_up_proj_scale_inv": ("F32", (4, 2, 1)),
        },
    )

    assert found.total.parameters == 256 * 128 + 4 * 256 * 128
    assert found.decomposition[1] == ("quantization scales and maps", -10)
    assert {unit.scheme for unit in found.explained} == {"fp8"}
    assert {unit.group_size for unit in found.explained} == {128}


def test_a_scale_without_its_weight_is_a_parameter_like_any_other(tmp_path: Path) -> None:
    found = counted(tmp_path, {"model.layers.0.mlp.up_proj.weight_scale_inv": ("F32", (2, 1))})

    assert found.total.parameters == 2


def test_a_learned_scale_is_not_taken_for_a_quantization_scale(tmp_path: Path) -> None:
    found = counted(tmp_path, {"block.0.attn.norm.scale": ("BF16", (8,)), "block.0.mlp.scales": ("BF16", (8,))})

    assert found.total.parameters == 16


def test_packed_weights_of_no_known_layout_are_unexplained_with_their_scales_set_apart(tmp_path: Path) -> None:
    name = "model.layers.0.mlp.up_proj"
    tensors: Shapes = {
        f"{name}.qweight": ("I32", (8, 4, 16)),
        f"{name}.qzeros": ("I32", (1, 8)),
        f"{name}.scales": ("F16", (1, 64)),
        f"{name}.g_idx": ("I32", (64,)),
        "model.norm.weight": ("F16", (64,)),
    }

    found = counted(tmp_path, tensors)

    assert (found.total.parameters, found.total.unexplained) == (64, 512)
    assert dict(found.decomposition) == {
        "stored elements": 712,
        "quantization scales and maps": -136,
        "not explained": -512,
    }


def test_the_copies_in_an_mtp_layer_are_not_counted_and_its_own_weights_are(tmp_path: Path) -> None:
    tensors: Shapes = {
        "model.embed_tokens.weight": ("BF16", (10, 4)),
        "model.layers.0.mlp.up_proj.weight": ("BF16", (4, 4)),
        "model.layers.1.mlp.up_proj.weight": ("BF16", (4, 4)),
        "model.layers.1.embed_tokens.weight": ("BF16", (10, 4)),
        "model.layers.1.shared_head.head.weight": ("BF16", (10, 4)),
        "model.layers.1.eh_proj.weight": ("BF16", (4, 8)),
        "lm_head.weight": ("BF16", (10, 4)),
    }
    config = {"num_hidden_layers": 1, "num_nextn_predict_layers": 1, "tie_word_embeddings": False}

    found = counted(tmp_path, tensors, config)
    modules = {key: tally.parameters for (key,), tally in found.by(lambda row: row.place.module).items()}

    assert modules == {"model": 56, "mtp": 48, "lm_head": 40}
    assert found.decomposition[1] == ("copies of embedding and head in the MTP layers", -80)


def test_scalars_empty_tensors_and_complex_numbers_count_as_numel_does(tmp_path: Path) -> None:
    found = counted(tmp_path, {"logit_scale": ("F32", ()), "empty": ("F32", (0, 768)), "freqs": ("C64", (3,))})

    assert found.total.parameters == 4


def test_every_tensor_of_a_hundred_kinds_finds_its_row(tmp_path: Path) -> None:
    tensors: Shapes = {f"part{'x' * n}.{m}.weight": ("F32", (n + 1,)) for n in range(100) for m in range(3)}
    write_safetensors(tmp_path / "model.safetensors", tensors)
    checkpoint = open_checkpoint(tmp_path)

    names = [tensor.name for tensor, _ in rows_by_tensor(checkpoint, count(checkpoint))]

    assert names == list(tensors)


def test_a_key_that_there_is_not_is_a_usage_error() -> None:
    with pytest.raises(RefError) as error:
        keys_of("module,deep:2")

    assert (
        str(error.value)
        == "--by: no key 'deep:2' to group by; choose from module, dtype, layer, role, base, shard, depth:N"
    )


@pytest.mark.parametrize("shape", [(), (5,), (0, 0)])
def test_an_fp8_weight_of_any_rank_has_its_scale(tmp_path: Path, shape: tuple[int, ...]) -> None:
    found = counted(tmp_path, {"a.weight": ("F8_E4M3", shape), "a.weight_scale_inv": ("F32", ())})

    assert found.decomposition[1] == ("quantization scales and maps", -1)
    assert found.explained[0].group_size is None


def test_so_many_kinds_that_some_have_no_name_still_find_their_rows(tmp_path: Path) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = [f"{a}{b}{c}{d}.{'x' * 400}" for a in letters for b in letters for c in letters for d in "ab"]
    found = counted(tmp_path, {name: ("F32", (number % 7,)) for number, name in enumerate(names)})

    assert found.total.tensors == len(names)
    assert any(not row.kind.example for row in found.rows)


def test_packed_integers_of_no_known_scheme_are_unexplained(tmp_path: Path) -> None:
    found = counted(tmp_path, {"model.layers.0.w.weight": ("U8", (4, 4)), "model.norm.weight": ("F32", (5,))})

    assert (found.total.parameters, found.total.unexplained) == (5, 16)


def test_whole_numbers_of_no_known_use_are_parameters_with_a_note(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", {"a.b": ("BOOL", (5,)), "a.c": ("I64", (2, 2))})
    checkpoint = open_checkpoint(tmp_path)
    found = count(checkpoint)

    assert found.total.parameters == 9
    assert [note.message for note in notes_on(checkpoint, found)] == [
        "9 elements of BOOL, I64 in 2 tensors of no known use are counted as parameters"
    ]


@pytest.mark.parametrize("prefix", ["model_ema.", "ema.", "ema_model."])
def test_an_ema_copy_counts_where_it_is_all_there_is(tmp_path: Path, prefix: str) -> None:
    copy: Shapes = {f"{prefix}blocks.0.weight": ("F32", (4, 4))}
    alone = counted(tmp_path, copy)
    beside = counted(tmp_path, {**copy, "blocks.0.weight": ("F32", (4, 4))})

    assert (alone.total.parameters, beside.total.parameters) == (16, 16)
    assert beside.decomposition[1] == ("EMA copy of the weights", -16)


def test_mtp_layers_without_a_config_are_told_by_their_leaves_across_nine_and_ten(tmp_path: Path) -> None:
    decoder: Shapes = {f"model.layers.{layer}.mlp.up_proj.weight": ("F32", (2, 2)) for layer in range(12)}
    draft: Shapes = {f"model.layers.{layer}.enorm.weight": ("F32", (2,)) for layer in (9, 10, 11)}
    found = counted(tmp_path, {**decoder, **draft})

    assert {module: tally.parameters for (module,), tally in found.by(lambda row: row.place.module).items()} == {
        "model": 36,
        "mtp": 18,
    }


def test_an_mtp_layer_s_copies_are_found_though_they_stand_in_two_shards(tmp_path: Path) -> None:
    copy: Shapes = {
        "model.layers.1.embed_tokens.weight": ("F32", (10, 4)),
        "model.layers.1.enorm.weight": ("F32", (4,)),
    }
    write_safetensors(
        tmp_path / "model-00001-of-00002.safetensors", {"model.embed_tokens.weight": ("F32", (10, 4)), **copy}
    )
    write_safetensors(tmp_path / "model-00002-of-00002.safetensors", copy)
    found = count(open_checkpoint(tmp_path))

    assert found.total.parameters == 44
    assert dict(found.decomposition)["copies of embedding and head in the MTP layers"] == -40


def packed_of_every_width(modules: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """As many packed modules of 4 bits in groups of 128, each of another width."""
    tensors: dict[str, tuple[str, tuple[int, ...]]] = {"model.norm.weight": ("BF16", (128,))}
    for number in range(modules):
        path, rows = f"model.layers.{number}.mlp.gate_proj", 8 * (number + 1)
        tensors |= {
            f"{path}.weight_packed": ("I32", (rows, 16)),
            f"{path}.weight_scale": ("BF16", (rows, 1)),
            f"{path}.weight_shape": ("I64", (2,)),
        }
    return tensors


PACKED = {
    "hidden_size": 128,
    "quantization_config": {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "config_groups": {"all": {"targets": ["Linear"], "weights": {"num_bits": 4, "group_size": 128}}},
    },
}


@pytest.mark.parametrize("config", [PACKED, None])
def test_packed_weights_beyond_the_limit_of_kinds_are_no_parameters_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: object
) -> None:
    monkeypatch.setattr("ckptinspect.kinds.MAX_BYTES", 50_000)
    tensors = packed_of_every_width(100)
    write_safetensors(tmp_path / "model.safetensors", tensors)
    if config is not None:
        write_json(tmp_path / "config.json", config)
    checkpoint = open_checkpoint(tmp_path)

    found = count(checkpoint)

    by_name = {tensor.name: row for tensor, row in rows_by_tensor(checkpoint, found)}
    # A row of 16 words holds 128 weights of 4 bits; whatever is counted is a whole module or the norm.
    weights = [row for name, row in by_name.items() if name.endswith("weight_packed")]
    assert {row.parameters for row in weights} <= {0} | {8 * number * 128 for number in range(1, 101)}
    stored, unexplained = sum(row.tally.stored for row in weights), sum(row.tally.unexplained for row in weights)
    # Without a config nothing tells their widths.
    assert 0 < unexplained < stored if config is not None else unexplained == stored
    assert found.total.parameters == 128 + sum(row.parameters for row in weights)
    assert sum(elements for _, elements in found.decomposition) == found.total.parameters
    reason = "too few of the tensors are alike to tell which scales belong to which weight"
    assert any(reason in note.message for note in notes_on(checkpoint, found) if note.code == "unexplained")


def test_unlike_tensors_of_floats_are_parameters_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ckptinspect.kinds.MAX_BYTES", 2_000)
    tensors = {f"{'x' * number}.weight": ("F32", (number, 2)) for number in range(1, 31)}

    found = counted(tmp_path, tensors)

    # 2 * (1 + 2 + … + 30)
    assert (found.total.parameters, found.total.unexplained) == (930, 0)
