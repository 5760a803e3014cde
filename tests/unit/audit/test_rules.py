"""Single rules where their fixture does not go: what must not be said, and what else must."""

from pathlib import Path

import pytest

from tests.audits import findings_in, subjects_of
from tests.folders import Shapes, write_json, write_safetensors, write_sharded

W: Shapes = {"w": ("F32", (4,))}
PT = {"format": "pt"}


def rules(folder: Path, *select: str) -> list[tuple[str, str]]:
    return [(finding.rule, str(finding.severity)) for finding in findings_in(folder, *select)]


def layers(numbers: list[int], prefix: str = "model.layers") -> dict[str, tuple[str, tuple[int, ...]]]:
    return {
        f"{prefix}.{number}.{name}": ("BF16", (8, 8) if "proj" in name else (8,))
        for number in numbers
        for name in ("mlp.up_proj.weight", "input_layernorm.weight")
    }


def test_a_stale_index_beside_a_single_file_does_less_harm(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", W, PT)
    write_json(tmp_path / "model.safetensors.index.json", {"weight_map": {"w": "model-00001-of-00002.safetensors"}})

    assert rules(tmp_path, "CK3") == [("CK302", "warning")]


def test_an_index_of_a_single_file_is_as_good_as_any(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", W, PT)
    write_json(tmp_path / "model.safetensors.index.json", {"weight_map": {"w": "model.safetensors"}})

    assert rules(tmp_path, "CK3", "CK7") == []


def test_a_numbered_set_with_a_hole_is_missing_a_shard_without_any_index(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model-00001-of-00003.safetensors", W, PT)
    write_safetensors(tmp_path / "model-00003-of-00003.safetensors", {"v": W["w"]}, PT)
    (finding,) = findings_in(tmp_path, "CK301")

    assert finding.message == "1 of 3 shards of the set is not there: model-00002-of-00003.safetensors"


def test_what_is_left_over_of_another_set_is_no_missing_shard(tmp_path: Path) -> None:
    write_sharded(tmp_path, {"model-00001-of-00002.safetensors": W, "model-00002-of-00002.safetensors": {"v": W["w"]}})
    write_safetensors(tmp_path / "model-00001-of-00004.safetensors", W, PT)

    assert rules(tmp_path, "CK3", "CK7") == [("CK702", "warning")]


def test_an_overlay_that_the_index_settles_is_a_warning(tmp_path: Path) -> None:
    one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    write_safetensors(tmp_path / one, {**W, "v": W["w"]}, PT)
    write_safetensors(tmp_path / two, W, PT)
    write_json(tmp_path / "model.safetensors.index.json", {"weight_map": {"w": two, "v": one}})

    assert ("CK306", "warning") in rules(tmp_path, "CK3")
    assert "error" not in {severity for _, severity in rules(tmp_path, "CK3")}


def test_slices_of_a_distributed_checkpoint_are_no_tensor_in_two_shards(tmp_path: Path) -> None:
    for rank in range(2):
        info = f'{{"w":{{"saved_offsets":[{4 * rank}]}}}}'
        path = tmp_path / f"shard-0000{rank}-model-00001-of-00001.safetensors"
        write_safetensors(path, W, {**PT, "DCP_SHARDING_INFO": info})

    assert rules(tmp_path, "CK3") == []


@pytest.mark.parametrize("size", [32, 32.0, "32"])
def test_a_size_is_right_however_it_is_written(size: object, tmp_path: Path) -> None:
    shards = {"model-00001-of-00002.safetensors": W, "model-00002-of-00002.safetensors": {"v": W["w"]}}
    write_sharded(tmp_path, shards, total_size=size)

    assert rules(tmp_path, "CK307") == []


def test_a_size_of_the_files_is_told_as_such(tmp_path: Path) -> None:
    shards = {"model-00001-of-00002.safetensors": W, "model-00002-of-00002.safetensors": {"v": W["w"]}}
    write_sharded(tmp_path, shards)
    size = sum(path.stat().st_size for path in tmp_path.glob("*.safetensors"))
    write_sharded(tmp_path, shards, total_size=size)
    (finding,) = findings_in(tmp_path, "CK307")

    assert finding.message == (
        f"the index says {size} bytes, which is the size of the files with their headers; the tensors take 32"
    )


@pytest.mark.parametrize("said", [True, None, [], "many", 1e400])
def test_a_claim_that_is_no_number_is_no_claim(said: object, tmp_path: Path) -> None:
    write_sharded(tmp_path, {"model-00001-of-00001.safetensors": W}, total_size=said)

    assert rules(tmp_path, "CK307") == []


def test_a_gap_is_an_error_only_where_everything_was_read(tmp_path: Path) -> None:
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    write_sharded(tmp_path, {names[0]: layers([0, 1, 3]), names[1]: layers([4, 5])})
    assert rules(tmp_path, "CK6") == [("CK603", "error"), ("CK609", "info")]

    (tmp_path / names[1]).write_bytes(b"")
    assert ("CK603", "error") not in rules(tmp_path, "CK6")


@pytest.mark.parametrize(
    "tensors",
    [
        # An audio codec: convolutions, residual blocks, and activations without weights between them.
        {
            f"encoder.layers.{number}.{'block.1.conv' if number % 3 == 1 else 'conv'}.weight": ("F32", (4, 4, 3))
            for number in (0, 1, 3, 4, 6, 7, 9, 10, 12)
        },
        # A Sequential called layers.
        {f"layers.{number}.weight": ("F32", (4, 4)) for number in (0, 2, 4, 6, 8)},
        # Three is no stack, and a number may be a name.
        layers([0, 2, 3]),
        layers([100, 200, 300, 400]),
        # An adapter of chosen layers.
        {f"base_model.model.model.layers.{n}.q_proj.lora_A.weight": ("F32", (2, 8)) for n in (0, 1, 2, 5, 9)},
    ],
    ids=["codec", "sequential", "three", "hundreds", "adapter"],
)
def test_numbers_with_gaps_are_not_always_layers(tensors: Shapes, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", tensors, PT)

    assert rules(tmp_path, "CK603", "CK604") == []


def test_a_gap_in_a_tower_shows_though_the_language_model_is_whole(tmp_path: Path) -> None:
    write_safetensors(
        tmp_path / "model.safetensors", layers([0, 1, 2, 3]) | layers([0, 1, 2, 4, 5], "visual.blocks"), PT
    )
    write_json(tmp_path / "config.json", {"num_hidden_layers": 4})
    (finding,) = findings_in(tmp_path, "CK603")

    assert finding.message == "visual.blocks.3 is not there, of 6 layers"


def test_stacks_are_read_off_the_names_only_where_the_config_leaves_doubt(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", layers([0, 1, 2, 3]), PT)
    write_json(tmp_path / "config.json", {"num_hidden_layers": 4})
    (subject,) = subjects_of(tmp_path)

    assert subject.components[0].stacks == ()


def test_widths_of_uncommon_models_are_not_judged(tmp_path: Path) -> None:
    config = {"hidden_size": 8, "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 99}
    write_safetensors(tmp_path / "model.safetensors", layers([0, 1, 2, 3]), PT)
    write_json(tmp_path / "config.json", {**config, "model_type": "llama4_text"})
    assert rules(tmp_path, "CK605") == []

    write_json(tmp_path / "config.json", {**config, "model_type": "llama"})
    assert rules(tmp_path, "CK605") == [("CK605", "error")]


def test_one_layer_of_another_width_is_told_of(tmp_path: Path) -> None:
    config = {"hidden_size": 8, "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 8}
    tensors = layers([0, 1, 2, 3]) | {"model.layers.4.mlp.up_proj.weight": ("BF16", (16, 8))}
    write_safetensors(tmp_path / "model.safetensors", tensors, PT)
    write_json(tmp_path / "config.json", {**config, "model_type": "llama"})
    (finding,) = findings_in(tmp_path, "CK605")

    assert finding.message == (
        "the config says intermediate_size = 8, and the header has 16 rows in 'model.layers.4.mlp.up_proj.weight'"
    )


def test_only_a_trainers_own_pickles_are_information(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", W, PT)
    (tmp_path / "training_args.bin").write_bytes(b"PK")
    assert rules(tmp_path, "CK8") == [("CK801", "info")]

    (tmp_path / "pytorch_model.bin").write_bytes(b"PK")
    assert rules(tmp_path, "CK8") == [("CK801", "warning")]


def test_a_cut_header_is_a_cut_file(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "model.safetensors", W)
    path.write_bytes(path.read_bytes()[:40])
    (finding,) = findings_in(tmp_path, "CK1", "CK2")

    assert (finding.rule, finding.message) == ("CK101", "the header claims 56 bytes, but only 32 follow in the file")


@pytest.mark.parametrize("content", [b"abc\x01", b"\xff" * 5])
def test_too_few_bytes_for_a_header_are_a_cut_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)

    assert rules(tmp_path, "CK1", "CK2") == [("CK101", "error")]


def test_a_single_file_beside_its_pipeline_is_the_same_twice(tmp_path: Path) -> None:
    write_json(tmp_path / "model_index.json", {"_class_name": "P", "unet": ["diffusers", "UNet2DConditionModel"]})
    write_safetensors(tmp_path / "unet" / "diffusion_pytorch_model.safetensors", {"w": ("F32", (4000,))}, PT)
    write_safetensors(tmp_path / "v1-5-pruned.safetensors", {"w": ("F32", (4000,))}, PT)
    write_safetensors(tmp_path / "lora.safetensors", W, PT)
    (finding,) = findings_in(tmp_path, "CK7")

    assert (finding.rule, finding.message) == (
        "CK703",
        "1 file (16.10 kB) of weights that are there as safetensors: v1-5-pruned.safetensors",
    )


def test_an_adapter_in_a_repository_of_a_model_is_told_of_by_itself(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_safetensors(tmp_path / name / "adapter_model.safetensors", W, PT)
        write_json(tmp_path / name / "adapter_config.json", {"base_model_name_or_path": "C:\\models\\llama"})

    assert [(f.rule, f.path, f.message) for f in findings_in(tmp_path, "CK6")] == [
        ("CK610", f"{name}/adapter_config.json", "the base model is a folder of another machine: 'C:\\models\\llama'")
        for name in ("a", "b")
    ]


def test_a_header_longer_than_clients_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    raw = b"{}" + b" " * 25_000_006
    path.write_bytes(len(raw).to_bytes(8, "little") + raw)
    (finding,) = findings_in(tmp_path, "CK206")

    assert (finding.severity, finding.message) == (
        "warning",
        "the header takes 25,000,008 bytes; clients of the Hub read 25,000,000",
    )


def test_small_files_of_which_nothing_could_be_had_are_unread_and_not_wrong(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", W, PT)
    for name in ("config.json", "model.safetensors.index.json"):
        (tmp_path / name).symlink_to("nowhere")

    assert [(f.rule, f.path, f.message) for f in findings_in(tmp_path, "CK1", "CK3", "CK6")] == [
        ("CK107", name, "it could not be read: a link to a file that is not there")
        for name in ("config.json", "model.safetensors.index.json")
    ]
