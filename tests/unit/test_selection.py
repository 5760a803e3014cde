import pytest

from ckptinspect.errors import IndexMismatchError, NotFoundError
from ckptinspect.index import Index
from ckptinspect.selection import needs_index, resolve, select, sets_in, single, without_weights
from ckptinspect.sources.base import File


def files(*paths: str) -> tuple[File, ...]:
    return tuple(File(path, 100) for path in paths)


@pytest.mark.parametrize(
    ("names", "layout", "counted"),
    [
        (["model.safetensors"], "single", ["model.safetensors"]),
        (["model.safetensors", "model.fp16.safetensors", "model.bf16.safetensors"], "single", ["model.safetensors"]),
        (["model.fp16.safetensors"], "single", ["model.fp16.safetensors"]),
        (["anything.safetensors"], "single", ["anything.safetensors"]),
        (
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
            "sharded",
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
        ),
        (
            ["model_00001-of-00001.safetensors", "consolidated.safetensors"],
            "sharded",
            ["model_00001-of-00001.safetensors"],
        ),
        (
            ["model-00001-of-00001.safetensors", "consolidated-00001-of-00001.safetensors"],
            "sharded",
            ["model-00001-of-00001.safetensors"],
        ),
        (["model.safetensors", "model-00001-of-00001.safetensors"], "single", ["model.safetensors"]),
        (["model.safetensors", "original/model.safetensors", "metal/model.safetensors"], "single", ["model.safetensors"]),
        (["adapter_model.safetensors", "adapter_config.json"], "adapter", ["adapter_model.safetensors"]),
        (["model.safetensors", "adapter_model.safetensors"], "single", ["model.safetensors"]),
        (["pytorch_lora_weights.safetensors"], "adapter", ["pytorch_lora_weights.safetensors"]),
        (["00001-of-000002.safetensors", "00002-of-000002.safetensors"], "sharded", ["00001-of-000002.safetensors", "00002-of-000002.safetensors"]),
        (["sub/model.safetensors", "README.md"], "single", ["sub/model.safetensors"]),
        (["model-1-of-2.safetensors", "model-2-of-2.safetensors"], "sharded", ["model-1-of-2.safetensors", "model-2-of-2.safetensors"]),
        (["model-00000-of-00002.safetensors", "model-00001-of-00002.safetensors"], "sharded", ["model-00000-of-00002.safetensors", "model-00001-of-00002.safetensors"]),
        (["llama-00001-of-00002.safetensors", "llama-00002-of-00002.safetensors", "extra.safetensors"], "sharded", ["llama-00001-of-00002.safetensors", "llama-00002-of-00002.safetensors"]),
        (["model.fp16.safetensors", "lora.safetensors"], "single", ["model.fp16.safetensors"]),
        (["llama-00001-of-00001.safetensors", "consolidated.safetensors"], "single", ["consolidated.safetensors"]),
        (["llama-00001-of-00001.safetensors", "model.fp16.safetensors"], "sharded", ["llama-00001-of-00001.safetensors"]),
        (["model-00001-of-00002.safetensors", "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"], "sharded", ["model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"]),
    ],
)  # fmt: skip
def test_one_set_is_counted(names: list[str], layout: str, counted: list[str]) -> None:
    selection = select(files(*names))

    assert selection.layout == layout
    assert [path for part in selection.parts for path in resolve(part, None, None).paths] == counted
    assert set(selection.weights) == {name for name in names if name.endswith(".safetensors")}


def test_an_index_of_a_known_name_comes_before_files_that_it_may_name() -> None:
    selection = select(files("model.safetensors.index.json", "a.safetensors", "b.safetensors", "c.safetensors"))

    assert selection.layout == "sharded"
    assert [part.chosen.index for part in selection.parts] == ["model.safetensors.index.json"]


def test_a_set_that_counts_from_nought_lacks_none() -> None:
    names = ["model-00000-of-00003.safetensors", "model-00002-of-00003.safetensors"]

    assert sets_in(names)[0].missing == ("model-00001-of-00003.safetensors",)


def test_the_shards_of_a_distributed_save_are_one_set() -> None:
    names = [f"sharded/shard-{rank:05}-model-0000{part}-of-00002.safetensors" for rank in (0, 1) for part in (1, 2)]

    selection = select(files(*names), "sharded")

    assert selection.layout == "sharded"
    assert list(resolve(selection.parts[0], None, None).paths) == names


def test_two_numbered_sets_are_alternatives_and_the_complete_one_counts() -> None:
    names = ["model-00001-of-00001.safetensors", "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors"]

    chosen = sets_in(names)[0]

    assert chosen.files == ("model-00001-of-00001.safetensors",)


def test_a_gap_in_the_numbers_is_a_missing_shard() -> None:
    chosen = sets_in(["model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"])[0]

    assert chosen.missing == ("model-00002-of-00003.safetensors",)


def test_a_number_of_shards_that_nobody_could_have_does_not_become_a_list() -> None:
    chosen = sets_in(["model-00001-of-999999.safetensors"])[0]

    assert len(chosen.missing) == 9_999


def test_each_component_of_a_pipeline_is_a_part() -> None:
    names = (
        "model_index.json",
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/model.safetensors",
        "scheduler/scheduler_config.json",
        "v1-5-pruned.safetensors",
    )

    selection = select(files(*names), pipeline=("unet", "text_encoder", "scheduler"))

    assert selection.layout == "pipeline"
    assert [(part.component, part.chosen.files) for part in selection.parts] == [
        ("unet", ("diffusion_pytorch_model.safetensors",)),
        ("text_encoder", ("model.safetensors",)),
    ]


def test_a_pipeline_inside_a_pipeline_goes_by_folder() -> None:
    names = ("model_index.json", "prior/model_index.json", "prior/prior/model.safetensors", "unet/model.safetensors")

    selection = select(files(*names), pipeline=("prior", "unet"))

    assert [part.component for part in selection.parts] == ["prior/prior", "unet"]


def test_sentence_transformers_modules_count_beside_the_model() -> None:
    names = ("model.safetensors", "modules.json", "2_Dense/model.safetensors", "1_Pooling/config.json")

    selection = select(files(*names), modules=("", "1_Pooling", "2_Dense"))

    assert [(part.component, part.folder) for part in selection.parts] == [("", ""), ("2_Dense", "2_Dense")]


def test_a_folder_that_is_named_twice_is_one_part() -> None:
    names = (
        "modules.json",
        "model.safetensors",
        "2_Dense/model.safetensors",
        "a/model_index.json",
        "a/b/model.safetensors",
    )

    dense = select(files(*names[:3]), modules=("", "2_Dense", "2_Dense"))
    nested = select(files(*names[3:]), pipeline=("a", "a/b"))

    assert [part.folder for part in dense.parts] == ["", "2_Dense"]
    assert [part.folder for part in nested.parts] == ["a/b"]


def test_a_model_with_a_folder_of_its_own_is_not_the_root_s() -> None:
    names = ("modules.json", "model.safetensors", "0_Transformer/model.safetensors")

    selection = select(files(*names), modules=("0_Transformer", "1_Pooling"))

    assert [(part.component, part.folder) for part in selection.parts] == [("", "0_Transformer")]


def test_a_component_in_another_format_is_named() -> None:
    names = ("unet/model.safetensors", "vae/diffusion_pytorch_model.bin", "scheduler/scheduler_config.json")

    assert without_weights(files(*names), "", ("unet", "vae", "scheduler")) == ["vae"]


def test_single_files_of_free_names_are_left_to_their_headers() -> None:
    selection = select(files("ae.safetensors", "flux1-dev.safetensors"))

    assert selection.free
    assert len(selection.parts) == 2


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "there is no safetensors file; check the spelling"),
        (
            ["pytorch_model.bin", "x.gguf"],
            "there is no safetensors file; it holds .bin, .gguf files, which are not read",
        ),
        (
            ["a/model.safetensors", "b/model.safetensors"],
            "there are safetensors files only in several folders below; name one of a, b",
        ),
    ],
)
def test_a_folder_without_weights_says_what_it_has(names: list[str], sentence: str) -> None:
    with pytest.raises(NotFoundError) as error:
        select(files(*names))

    assert str(error.value) == sentence


def test_a_complete_numbered_set_alone_speaks_for_itself() -> None:
    index = "model.safetensors.index.json"
    shards = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    alone = select(files(index, *shards))
    beside = select(files(index, *shards, "model_mtp.safetensors"))

    assert not needs_index(alone.parts[0], alone.weights)
    assert needs_index(beside.parts[0], beside.weights)


def test_an_index_decides_what_belongs() -> None:
    index = Index({"a": "model-00001-of-00001.safetensors", "b": "model_mtp.safetensors"}, {})
    present = {"model-00001-of-00001.safetensors": 1, "model_mtp.safetensors": 1, "stray.safetensors": 1}
    part = select(files("model.safetensors.index.json", *present)).parts[0]

    assert resolve(part, index, present).paths == ("model-00001-of-00001.safetensors", "model_mtp.safetensors")


def test_a_shard_that_the_index_names_and_the_folder_lacks_is_missing() -> None:
    index = Index({"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}, {})
    present = {"model-00001-of-00002.safetensors": 1}
    part = select(files("model.safetensors.index.json", *present)).parts[0]

    assert resolve(part, index, present).missing == ("model-00002-of-00002.safetensors",)


def test_an_index_of_other_shards_is_stale() -> None:
    index = Index({"a": "model-00001-of-00013.safetensors"}, {})
    present = {"model-00001-of-00001.safetensors": 1}
    part = select(files("model.safetensors.index.json", *present)).parts[0]

    with pytest.raises(IndexMismatchError):
        resolve(part, index, present)


def test_an_index_without_any_shard_is_an_error() -> None:
    part = single("model.safetensors.index.json").parts[0]

    with pytest.raises(IndexMismatchError) as error:
        resolve(part, Index({"a": "x.safetensors"}, {}), {})

    assert str(error.value) == (
        "model.safetensors.index.json: the index names 1 shard, none of which is there; "
        "fetch the shards, or name the folder that holds them"
    )
