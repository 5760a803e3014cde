"""Modules that differ under one folded name, wherever their tensors stand."""

from pathlib import Path

import pytest

from ckptinspect.analysis.count import count
from ckptinspect.analysis.keys import KEYS
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.analysis.names import by_tensor, rows_by_tensor
from ckptinspect.opening import open_checkpoint
from ckptinspect.quant.units import needs_names
from tests import layouts
from tests.checkpoints import checkpoint_of, fp8
from tests.folders import Shapes, write_sharded
from tests.quantized import counted

# Experts whose three matrices differ, in layers of different widths; one layer is not quantized.
EXPERTS = {"w1": (256, 512), "w2": (512, 256), "w3": (256, 512)}


def mixed() -> tuple[dict[str, tuple[str, tuple[int, ...]]], int]:
    tensors: dict[str, tuple[str, tuple[int, ...]]] = {}
    parameters = 0
    for layer in range(6):
        name, bits = f"model.layers.{layer}", 8 if layer in {0, 5} else 4
        tensors[f"{name}.input_layernorm.weight"] = ("BF16", (512,))
        for expert in range(3):
            for word, (rows, columns) in EXPERTS.items():
                tensors |= layouts.at(f"{name}.mlp.experts.{expert}.{word}", layouts.gptq(rows, columns, bits))
        if layer == 3:
            tensors[f"{name}.self_attn.q_proj.weight"] = ("BF16", (512, 512))
        else:
            tensors |= layouts.at(f"{name}.self_attn.q_proj", layouts.gptq(512, 512, bits))
        parameters += 512 + 3 * 3 * 256 * 512 + 512 * 512
    return tensors, parameters


def test_modules_of_different_width_and_bits_are_each_counted_by_their_own_scales() -> None:
    tensors, parameters = mixed()

    found = counted(tensors)

    assert (found.total.parameters, found.total.unexplained) == (parameters, 0)
    assert sum(one.unit.modules or 0 for one in found.explained if one.unit) == 6 * 9 + 5


def test_each_tensor_has_the_parameters_of_its_own_module() -> None:
    tensors, _ = mixed()
    checkpoint = checkpoint_of(tensors)
    rows = {tensor.name: row for tensor, row in rows_by_tensor(checkpoint, count(checkpoint))}

    assert rows["model.layers.0.mlp.experts.0.w1.qweight"].parameters == 256 * 512
    assert rows["model.layers.0.mlp.experts.0.w2.qweight"].shape == (512, 256)
    assert rows["model.layers.1.mlp.experts.2.w2.qweight"].shape == (512, 256)
    assert rows["model.layers.3.self_attn.q_proj.weight"].shape is None
    assert rows["model.layers.4.self_attn.q_proj.scales"].meaning is Meaning.SCALE


def test_one_kind_stands_for_different_parameters_where_its_modules_differ() -> None:
    """64 words by 512: 4 bits of 512 inputs in one module, 8 bits of 256 in the other."""
    tensors = {
        **layouts.at("model.layers.0.mlp.fc", layouts.gptq(512, 512, 4)),
        **layouts.at("model.layers.1.mlp.fc", layouts.gptq(512, 256, 8)),
    }
    checkpoint = checkpoint_of(tensors)
    found = count(checkpoint)
    packed = [row for row in found.rows if row.kind.template.endswith("qweight")]

    assert len({row.kind.key for row in packed}) == 1
    assert sorted(row.parameters for row in packed) == [512 * 256, 512 * 512]
    assert found.total.parameters == 512 * 512 + 512 * 256
    assert by_tensor(checkpoint, found).total == found.total


@pytest.mark.parametrize("names", [True, False])
def test_a_modules_tensors_may_stand_in_different_shards(tmp_path: Path, names: bool) -> None:
    tensors, parameters = mixed()
    shards: dict[str, Shapes] = {
        f"model-{part + 1:05}-of-00003.safetensors": dict(list(tensors.items())[part::3]) for part in range(3)
    }
    checkpoint = open_checkpoint(write_sharded(tmp_path, shards), names=names)
    found = count(checkpoint)

    assert (found.total.parameters, found.total.unexplained) == (parameters, 0)
    shard_by_shard = count(checkpoint, by_shard=True)
    assert shard_by_shard.total == found.total
    for key in KEYS:
        tallies = by_tensor(checkpoint, shard_by_shard).by(key.of).values()
        assert sum(tally.parameters for tally in tallies) == parameters


def test_a_packed_module_that_stands_in_two_shards_counts_once(tmp_path: Path) -> None:
    tensors, parameters = mixed()
    again = {name: entry for name, entry in tensors.items() if ".layers.5." in name}
    shards: dict[str, Shapes] = {
        "model-00001-of-00002.safetensors": tensors,
        "model-00002-of-00002.safetensors": again,
    }
    checkpoint = open_checkpoint(write_sharded(tmp_path, shards))
    found = count(checkpoint)

    assert (found.total.parameters, found.total.unexplained) == (parameters, 0)
    assert by_tensor(checkpoint, found).total == found.total


def test_names_are_kept_only_where_they_tell_modules_apart() -> None:
    tensors, _ = mixed()
    alike: Shapes = {
        name: entry
        for layer in range(3)
        for name, entry in layouts.at(f"model.layers.{layer}.mlp.up_proj", layouts.gptq(512, 512)).items()
    }
    several_fp8 = fp8("layers.0.mlp.experts.0.w1", 256, 512) | fp8("layers.0.mlp.experts.0.w2", 512, 256)

    def header(named: Shapes) -> bool:
        return needs_names([shard.header for shard in checkpoint_of(named).shards if shard.header is not None])

    assert (header(tensors), header(alike), header(several_fp8)) == (True, False, False)


def test_a_packed_weight_without_its_scales_is_unexplained_and_takes_no_others() -> None:
    tensors = dict(layouts.at("layers.0.mlp.up_proj", layouts.gptq(512, 512)))
    tensors["layers.1.mlp.up_proj.qweight"] = ("I32", (64, 512))

    found = counted(tensors)

    assert (found.total.parameters, found.total.unexplained) == (512 * 512, 64 * 512)


def test_experts_that_are_stacked_are_counted_in_three_dimensions() -> None:
    words = {"qweight": ("I32", (8, 64, 512)), "scales": ("F16", (8, 4, 512)), "qzeros": ("I32", (8, 4, 64))}
    stacked: Shapes = {f"model.layers.0.mlp.experts.up_proj.{leaf}": entry for leaf, entry in words.items()}

    assert counted(stacked).total.parameters == 8 * 512 * 512


def test_scales_named_after_a_bare_parameter_are_its_own() -> None:
    name = "model.layers.0.mlp.experts"
    tensors: Shapes = {
        f"{name}.gate_up_proj": ("U8", (8, 1024, 256)),
        f"{name}.gate_up_proj_weight_scale": ("F8_E4M3", (8, 1024, 32)),
        f"{name}.gate_up_proj_weight_scale_2": ("F32", ()),
        f"{name}.gate_up_proj_input_scale": ("F32", ()),
        f"{name}.gate_up_proj_bias": ("BF16", (8, 1024)),
        f"{name}.down_proj": ("F8_E4M3", (8, 512, 512)),
        f"{name}.down_proj_scale": ("F32", (8, 512, 1)),
    }

    found = counted(tensors)

    assert found.total.parameters == 8 * 1024 * 512 + 8 * 1024 + 8 * 512 * 512
    assert {one.scheme for one in found.explained} == {"nvfp4", "fp8"}
