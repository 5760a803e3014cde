import json
import os
from pathlib import Path

import pytest

from ckptinspect.analysis.count import count
from ckptinspect.checkpoint import Reading
from ckptinspect.errors import HeaderError, IndexMismatchError, LayoutError, NotFoundError
from ckptinspect.model import Checkpoint
from ckptinspect.opening import open_checkpoint, open_checkpoint_async, open_reading
from ckptinspect.refs import parse_ref
from tests.folders import header_json, write_json, write_safetensors, write_sharded

A = {"model.layers.0.mlp.up_proj.weight": ("BF16", (4, 3)), "model.norm.weight": ("BF16", (4,))}
B = {"lm_head.weight": ("F32", (5, 4))}


def parameters(checkpoint: Checkpoint) -> int:
    return count(checkpoint).total.parameters


@pytest.fixture(params=[True, False], ids=["names", "kinds"])
def names(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_one_file(tmp_path: Path, names: bool) -> None:
    write_safetensors(tmp_path / "model.safetensors", A)

    checkpoint = open_checkpoint(tmp_path / "model.safetensors", names=names)

    assert (checkpoint.layout, checkpoint.via, parameters(checkpoint)) == ("single", "local", 16)


def test_only_the_header_of_a_file_is_read(tmp_path: Path) -> None:
    file = write_safetensors(tmp_path / "model.safetensors", A)
    header = int.from_bytes(file.read_bytes()[:8], "little")

    assert open_checkpoint(file).bytes_read == 8 + header


def test_sharded_by_index(tmp_path: Path, names: bool) -> None:
    write_sharded(tmp_path, {"model-00001-of-00002.safetensors": A, "model-00002-of-00002.safetensors": B})

    checkpoint = open_checkpoint(tmp_path, names=names)

    assert (checkpoint.layout, parameters(checkpoint)) == ("sharded", 36)


def test_an_index_file_stands_for_its_shards(tmp_path: Path) -> None:
    write_sharded(tmp_path, {"left.safetensors": A, "right.safetensors": B})
    write_safetensors(tmp_path / "stray.safetensors", B)

    checkpoint = open_checkpoint(tmp_path / "model.safetensors.index.json")

    assert [shard.path for shard in checkpoint.shards] == ["left.safetensors", "right.safetensors"]


def test_shards_without_an_index(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model-00001-of-00002.safetensors", A)
    write_safetensors(tmp_path / "model-00002-of-00002.safetensors", B)

    assert parameters(open_checkpoint(tmp_path)) == 36


def test_the_other_weights_of_a_folder_are_named_and_never_added(tmp_path: Path) -> None:
    for name in ("model", "model.fp16", "original/consolidated", "consolidated"):
        write_safetensors(tmp_path / f"{name}.safetensors", A)

    checkpoint = open_checkpoint(tmp_path)

    assert parameters(checkpoint) == 16
    assert checkpoint.alternatives == (
        "consolidated.safetensors",
        "model.fp16.safetensors",
        "original/consolidated.safetensors",
    )


def test_a_missing_shard_is_one_failed_row(tmp_path: Path, names: bool) -> None:
    write_sharded(tmp_path, {"model-00001-of-00002.safetensors": A, "model-00002-of-00002.safetensors": B})
    (tmp_path / "model-00002-of-00002.safetensors").unlink()

    checkpoint = open_checkpoint(tmp_path, names=names)

    assert parameters(checkpoint) == 16
    assert [str(shard.error) for shard in checkpoint.shards if shard.error] == [
        "model-00002-of-00002.safetensors: the shard is missing; fetch it: the checkpoint is not whole without it"
    ]


def test_a_broken_shard_is_one_failed_row(tmp_path: Path) -> None:
    write_sharded(tmp_path, {"model-00001-of-00002.safetensors": A, "model-00002-of-00002.safetensors": B})
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")

    failed = [shard.error for shard in open_checkpoint(tmp_path).shards if shard.error is not None]

    assert [str(error) for error in failed] == [
        "model-00002-of-00002.safetensors: a Git LFS pointer stands here, not the weights; fetch them with `git lfs pull`"
    ]


def test_where_nothing_can_be_read_the_reason_is_raised(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")

    with pytest.raises(HeaderError) as error:
        open_checkpoint(tmp_path)

    assert str(error.value) == "model.safetensors: the file is empty; fetch it again"


def test_a_truncated_file_says_how_much_is_missing(tmp_path: Path) -> None:
    file = write_safetensors(tmp_path / "model.safetensors", A)
    size = file.stat().st_size
    with file.open("r+b") as handle:
        handle.truncate(size - 10)

    with pytest.raises(LayoutError) as error:
        open_checkpoint(file)

    assert str(error.value) == (
        "model.safetensors: the tensors need 32 bytes of data, but the file has 22; "
        "the file is damaged or was not fetched whole; fetch it again"
    )


def test_an_index_that_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "model.safetensors.index.json", {"weight_map": {"w": "../../etc/passwd"}})

    with pytest.raises(IndexMismatchError) as error:
        open_checkpoint(tmp_path)

    assert str(error.value) == (
        "model.safetensors.index.json: the shard name '../../etc/passwd' leads out of the folder; "
        "do not load this checkpoint"
    )


def test_a_stale_index_costs_a_note(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model-00001-of-00001.safetensors", A)
    write_json(tmp_path / "model.safetensors.index.json", {"weight_map": {"w": "model-00001-of-00013.safetensors"}})

    checkpoint = open_checkpoint(tmp_path)

    assert parameters(checkpoint) == 16
    assert [note.message for note in checkpoint.notes] == [
        "model.safetensors.index.json was left aside: the index names 1 shard, none of which is there"
    ]


def test_a_stale_index_gives_way_to_files_of_free_names(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "a.safetensors", A)
    write_json(tmp_path / "model.safetensors.index.json", {"weight_map": {"w": "model-00001-of-00013.safetensors"}})
    write_json(tmp_path / "consolidated.safetensors.index.json", [])

    checkpoint = open_checkpoint(tmp_path)

    assert parameters(checkpoint) == 16
    assert [note.code for note in checkpoint.notes] == ["index-stale", "index-unreadable"]


def test_an_index_decides_over_files_of_free_names(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "a.safetensors", A)
    write_safetensors(tmp_path / "stray.safetensors", {"z": ("F32", (100,))})
    write_json(tmp_path / "model.safetensors.index.json", {"weight_map": dict.fromkeys(A, "a.safetensors")})

    checkpoint = open_checkpoint(tmp_path)

    assert parameters(checkpoint) == 16
    assert (checkpoint.layout, checkpoint.alternatives) == ("sharded", ("stray.safetensors",))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"])
def test_a_broken_config_costs_a_note_and_not_the_run(tmp_path: Path, content: bytes) -> None:
    write_safetensors(tmp_path / "model.safetensors", A)
    (tmp_path / "config.json").write_bytes(content)

    checkpoint = open_checkpoint(tmp_path)

    assert parameters(checkpoint) == 16
    assert [note.code for note in checkpoint.notes] == ["config-unreadable"] or checkpoint.config.values


def test_a_config_with_nan_and_infinity_is_read(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", A)
    (tmp_path / "config.json").write_text('{"time_step_limit": [0.0, Infinity], "x": NaN, "hidden_size": 4}')

    assert open_checkpoint(tmp_path).config.integer("hidden_size") == 4


@pytest.mark.parametrize("value", [True, -1, 1.5, "4", None, [4], {"a": 1}, 2**80])
def test_a_hostile_value_in_a_config_is_no_integer(tmp_path: Path, value: object) -> None:
    write_safetensors(tmp_path / "model.safetensors", A)
    write_json(tmp_path / "config.json", {"hidden_size": value, "architectures": value, "text_config": value})

    config = open_checkpoint(tmp_path).config

    assert config.integer("hidden_size") is None
    assert config.texts("architectures") == ()


def test_each_component_of_a_pipeline_is_a_module(tmp_path: Path) -> None:
    write_json(
        tmp_path / "model_index.json", {"_class_name": "P", "unet": ["diffusers", "U"], "vae": ["diffusers", "V"]}
    )
    write_safetensors(
        tmp_path / "unet" / "diffusion_pytorch_model.safetensors", {"conv_in.weight": ("F16", (4, 3, 3, 3))}
    )
    write_safetensors(tmp_path / "vae" / "diffusion_pytorch_model.safetensors", {"encoder.conv_in.bias": ("F16", (7,))})
    write_json(tmp_path / "vae" / "config.json", {"_class_name": "AutoencoderKL"})

    checkpoint = open_checkpoint(tmp_path)
    modules = count(checkpoint).by(lambda row: row.place.module)

    assert checkpoint.layout == "pipeline"
    assert {key: tally.parameters for (key,), tally in modules.items()} == {"unet": 108, "vae": 7}
    assert checkpoint.configs["vae"].text("_class_name") == "AutoencoderKL"


def test_a_tensor_that_stands_in_two_shards_counts_once(tmp_path: Path, names: bool) -> None:
    shards = {
        "model-00001-of-00002.safetensors": A,
        "model-00002-of-00002.safetensors": {**B, "model.norm.weight": ("BF16", (4,))},
    }
    write_sharded(tmp_path, shards)

    checkpoint = open_checkpoint(tmp_path, names=names)
    counted = count(checkpoint)

    assert counted.total.parameters == 36
    assert counted.decomposition == (("stored elements", 40), ("tensors that stand in another shard too", -4))
    assert [note.message for note in checkpoint.notes] == ["1 tensor in more than one shard: counted once"]


def test_slices_of_a_distributed_save_add_up_to_the_whole(tmp_path: Path) -> None:
    for rank, offset in ((0, 0), (1, 3)):
        sharding = json.dumps({"w": {"saved_offsets": [offset, 0]}, "same": {"saved_offsets": [0]}})
        write_safetensors(
            tmp_path / f"shard-{rank:05}-model-00001-of-00001.safetensors",
            {"w": ("F32", (3, 4)), "same": ("F32", (5,))},
            {"DCP_VERSION": "1", "DCP_SHARDING_INFO": sharding},
        )

    checkpoint = open_checkpoint(tmp_path)

    assert parameters(checkpoint) == 29


def test_files_of_free_names_with_no_tensor_in_common_are_parts(tmp_path: Path, names: bool) -> None:
    write_safetensors(tmp_path / "left.safetensors", A)
    write_safetensors(tmp_path / "right.safetensors", B)

    checkpoint = open_checkpoint(tmp_path, names=names)

    assert (checkpoint.layout, parameters(checkpoint)) == ("folder", 36)
    assert [note.code for note in checkpoint.notes] == ["no-index"]


def test_files_of_free_names_with_the_same_tensors_are_alternatives(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "style-a.safetensors", A)
    write_safetensors(tmp_path / "style-b.safetensors", {**A, **B})

    checkpoint = open_checkpoint(tmp_path)

    assert parameters(checkpoint) == 36
    assert checkpoint.alternatives == ("style-a.safetensors",)


def test_the_layers_of_multi_token_prediction_are_kept_apart_by_their_number(tmp_path: Path, names: bool) -> None:
    tensors = {f"model.layers.{layer}.mlp.up_proj.weight": ("BF16", (2, 2)) for layer in range(4)}
    write_safetensors(tmp_path / "model.safetensors", tensors)
    write_json(tmp_path / "config.json", {"num_hidden_layers": 3, "num_nextn_predict_layers": 1})

    modules = count(open_checkpoint(tmp_path, names=names)).by(lambda row: row.place.module)

    assert {key: tally.parameters for (key,), tally in modules.items()} == {"model": 12, "mtp": 4}


def test_without_a_config_their_leaves_tell(tmp_path: Path, names: bool) -> None:
    tensors = {f"model.layers.{layer}.mlp.up_proj.weight": ("BF16", (2, 2)) for layer in range(4)}
    shards = {
        "model-00001-of-00002.safetensors": tensors,
        "model-00002-of-00002.safetensors": {"model.layers.3.eh_proj.weight": ("BF16", (2, 4))},
    }
    write_sharded(tmp_path, shards)

    modules = count(open_checkpoint(tmp_path, names=names)).by(lambda row: row.place.module)

    assert {key: tally.parameters for (key,), tally in modules.items()} == {"model": 12, "mtp": 12}


def test_progress_counts_the_shards(tmp_path: Path) -> None:
    write_sharded(tmp_path, {"model-00001-of-00002.safetensors": A, "model-00002-of-00002.safetensors": B})
    told: list[tuple[int, int]] = []

    open_reading(parse_ref(str(tmp_path)), Reading(progress=lambda done, total: told.append((done, total))))

    assert told == [(1, 2), (2, 2)]


async def _opened(path: Path) -> Checkpoint:
    return await open_checkpoint_async(path)


def test_it_opens_in_an_event_loop_too(tmp_path: Path) -> None:
    import asyncio

    write_safetensors(tmp_path / "model.safetensors", A)

    assert parameters(asyncio.run(_opened(tmp_path))) == 16


def test_a_notebook_shows_the_tables(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", {"<script>alert(1)</script>.w": ("BF16", (4,)), **A})

    shown = open_checkpoint(tmp_path)._repr_html_()

    assert shown.count("<table") == shown.count("</table>") == 1
    assert '<td class="n">20</td>' in shown  # 16 parameters of A, and these 4
    assert "<script>" not in shown


def test_a_folder_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        open_checkpoint(tmp_path / "nothing")


def test_a_header_that_is_not_plain_gives_the_same_answer(tmp_path: Path) -> None:
    raw = header_json(A).replace(b"model.norm", b"model.n\\u006frm")
    (tmp_path / "model.safetensors").write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(32))

    assert [tensor.name for tensor in open_checkpoint(tmp_path).tensors] == list(A)


def test_tensors_that_the_index_names_and_no_shard_has_are_told(tmp_path: Path, names: bool) -> None:
    write_sharded(tmp_path, {"model-00001-of-00002.safetensors": A, "model-00002-of-00002.safetensors": B})
    write_safetensors(tmp_path / "model-00002-of-00002.safetensors", A)

    notes = {note.code: note.message for note in open_checkpoint(tmp_path, names=names).notes}

    assert notes == {
        "repeated-tensors": "2 tensors in more than one shard: counted once",
        "tensors-absent": "the index names 1 tensor that no shard has",
    }


def test_a_component_with_a_config_and_no_weights_is_told(tmp_path: Path) -> None:
    write_json(tmp_path / "model_index.json", {"unet": ["d", "U"], "vae": ["d", "V"], "scheduler": ["d", "S"]})
    write_safetensors(tmp_path / "unet" / "diffusion_pytorch_model.safetensors", {"conv_in.bias": ("F16", (7,))})
    write_json(tmp_path / "vae" / "config.json", {})
    write_json(tmp_path / "scheduler" / "scheduler_config.json", {})

    assert [note.message for note in open_checkpoint(tmp_path).notes] == [
        "the component vae has no safetensors file: it is not counted"
    ]


def test_an_index_beyond_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "other.safetensors", A)
    index = tmp_path / "model.safetensors.index.json"
    index.touch()
    os.truncate(index, 4_000_000_000)

    with pytest.raises(IndexMismatchError) as error:
        open_checkpoint(index)

    assert str(error.value) == (
        "model.safetensors.index.json: the index takes 4000000000 bytes, over the limit of 250000000; "
        "fetch it again, or name the shards' folder without it"
    )
