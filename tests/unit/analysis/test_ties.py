from pathlib import Path

import pytest

from ckptinspect.analysis.count import Count, count
from ckptinspect.analysis.notes import notes_on
from ckptinspect.opening import open_checkpoint
from tests.folders import Shapes, write_json, write_safetensors

EMBED: Shapes = {"model.embed_tokens.weight": ("BF16", (10, 4))}
HEAD: Shapes = {"lm_head.weight": ("BF16", (10, 4))}


def counted(folder: Path, tensors: Shapes, config: object = None, metadata: dict[str, str] | None = None) -> Count:
    write_safetensors(folder / "model.safetensors", tensors, metadata)
    if config is not None:
        write_json(folder / "config.json", config)
    return count(open_checkpoint(folder))


def told(found: Count) -> list[tuple[str, str, bool, str]]:
    return [(tie.name, tie.tied_to, tie.stored, tie.evidence) for tie in found.ties]


@pytest.mark.parametrize("config", [{"tie_word_embeddings": True}, {"text_config": {"tie_word_embeddings": True}}])
def test_a_head_that_is_stored_though_tied_counts_once(tmp_path: Path, config: object) -> None:
    found = counted(tmp_path, {**EMBED, **HEAD}, config)

    assert found.total.parameters == 40
    assert told(found) == [("lm_head.weight", "model.embed_tokens.weight", True, "config")]


@pytest.mark.parametrize(
    "config", [None, {}, {"tie_word_embeddings": False}, {"model_type": "llama"}, {"tie_word_embeddings": "yes"}]
)
def test_a_head_that_nobody_ties_counts_beside_the_embedding(tmp_path: Path, config: object) -> None:
    found = counted(tmp_path, {**EMBED, **HEAD}, config)

    assert (found.total.parameters, told(found)) == (80, [])


def test_the_top_of_the_config_has_the_word_over_its_sections(tmp_path: Path) -> None:
    config = {"tie_word_embeddings": False, "text_config": {"tie_word_embeddings": True}}

    assert counted(tmp_path, {**EMBED, **HEAD}, config).total.parameters == 80


def test_a_class_that_ties_by_default_needs_no_word(tmp_path: Path) -> None:
    found = counted(tmp_path, {**EMBED, **HEAD}, {"model_type": "gemma2"})

    assert (found.total.parameters, told(found)[0][3]) == (40, "class")


def test_a_head_of_another_shape_is_not_tied(tmp_path: Path) -> None:
    tensors: Shapes = {**EMBED, "lm_head.weight": ("BF16", (12, 4))}

    assert counted(tmp_path, tensors, {"tie_word_embeddings": True}).total.parameters == 88


def test_a_head_that_is_not_stored_is_told(tmp_path: Path) -> None:
    found = counted(tmp_path, EMBED, {"tie_word_embeddings": True, "architectures": ["Qwen2ForCausalLM"]})

    assert told(found) == [("lm_head.weight", "model.embed_tokens.weight", False, "config")]


def test_a_model_without_a_head_has_none_to_tie(tmp_path: Path) -> None:
    found = counted(tmp_path, EMBED, {"tie_word_embeddings": True, "architectures": ["Qwen2Model"]})

    assert told(found) == []


def test_an_alias_in_the_metadata_is_a_tie_with_its_evidence(tmp_path: Path) -> None:
    found = counted(tmp_path, EMBED, None, {"lm_head.weight": "model.embed_tokens.weight", "format": "pt"})

    assert told(found) == [("lm_head.weight", "model.embed_tokens.weight", False, "metadata")]


def test_t5_stores_its_shared_embedding_up_to_three_times(tmp_path: Path) -> None:
    tensors: Shapes = {
        "shared.weight": ("F32", (10, 4)),
        "encoder.embed_tokens.weight": ("F32", (10, 4)),
        "decoder.embed_tokens.weight": ("F32", (10, 4)),
        "lm_head.weight": ("F32", (10, 4)),
    }
    tied = counted(tmp_path, tensors, {"model_type": "t5"})
    untied = counted(tmp_path, tensors, {"model_type": "t5", "tie_word_embeddings": False})

    assert (tied.total.parameters, untied.total.parameters) == (40, 80)


@pytest.mark.parametrize(
    ("embedding", "model_type", "head"),
    [
        ("transformer.wte.weight", "gpt2", "lm_head.weight"),
        ("backbone.embeddings.weight", "mamba", "lm_head.weight"),
        ("model.decoder.embed_tokens.weight", "whisper", "proj_out.weight"),
        ("model.decoder.embed_tokens.weight", "opt", "lm_head.weight"),
        ("bert.embeddings.word_embeddings.weight", "bert", "cls.predictions.decoder.weight"),
    ],
)
def test_the_head_that_is_not_there_has_the_name_of_its_class(
    tmp_path: Path, embedding: str, model_type: str, head: str
) -> None:
    found = counted(tmp_path, {embedding: ("F32", (10, 4))}, {"model_type": model_type})

    assert [tie.name for tie in found.ties] == [head]


def test_positions_and_token_types_are_no_embedding_that_a_head_is_tied_to(tmp_path: Path) -> None:
    tensors: Shapes = {
        "vit.embeddings.position_embeddings": ("F32", (10, 4)),
        "bert.embeddings.token_type_embeddings.weight": ("F32", (10, 4)),
        "model.decoder.embed_positions.weight": ("F32", (10, 4)),
        **HEAD,
    }
    found = counted(tmp_path, tensors, {"tie_word_embeddings": True})

    assert (found.total.parameters, told(found)) == (160, [])


@pytest.mark.parametrize("top", [True, False])
def test_a_config_that_contradicts_itself_lets_a_stored_head_count_and_is_noted(tmp_path: Path, top: bool) -> None:
    config = {"tie_word_embeddings": top, "text_config": {"tie_word_embeddings": not top}}
    write_safetensors(tmp_path / "model.safetensors", {**EMBED, **HEAD})
    write_json(tmp_path / "config.json", config)
    checkpoint = open_checkpoint(tmp_path)
    found = count(checkpoint)

    assert (found.total.parameters, told(found)) == (80, [])
    (note,) = notes_on(checkpoint, found)
    assert note.message == (
        "the config ties the head at its top and not in its section for the text, or the other way round: "
        "a head that is stored counts"
    )


@pytest.mark.parametrize("top", [True, False])
def test_a_head_that_is_not_stored_is_tied_whichever_part_of_the_config_says_so(tmp_path: Path, top: bool) -> None:
    config = {"tie_word_embeddings": top, "text_config": {"tie_word_embeddings": not top}}

    assert told(counted(tmp_path, EMBED, config)) == [("lm_head.weight", "model.embed_tokens.weight", False, "config")]


@pytest.mark.parametrize(
    "metadata",
    [
        {"lm_head.weight": "no.such.weight"},
        {"note": "format"},
        {"model.layers.1.w": "model.layers.0.w"},
        {"model.embed_tokens.weight": "model.layers.0.w"},
    ],
)
def test_metadata_that_names_no_absent_alias_of_a_tensor_is_no_tie(tmp_path: Path, metadata: dict[str, str]) -> None:
    tensors: Shapes = {**EMBED, "model.layers.0.w": ("BF16", (3, 3)), "model.layers.1.w": ("BF16", (3, 3))}

    assert told(counted(tmp_path, tensors, None, metadata)) == []


def test_a_layer_that_shares_another_s_weight_is_a_tie_of_the_metadata(tmp_path: Path) -> None:
    tensors: Shapes = {"layers.0.w": ("BF16", (3, 3)), "norm.weight": ("BF16", (3,))}
    found = counted(tmp_path, tensors, None, {"layers.1.w": "layers.0.w"})

    assert told(found) == [("layers.1.w", "layers.0.w", False, "metadata")]


def test_every_name_of_t5_s_embedding_is_told_where_one_is_stored(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", {"shared.weight": ("F32", (10, 4))})
    write_json(tmp_path / "config.json", {"model_type": "t5"})
    checkpoint = open_checkpoint(tmp_path)

    (note,) = notes_on(checkpoint, count(checkpoint))
    assert note.message == (
        "'decoder.embed_tokens.weight', 'encoder.embed_tokens.weight' and 'lm_head.weight' are tied to "
        "'shared.weight' by its model class and not stored; counting them again would give 160"
    )


def test_bert_s_head_has_its_bias_under_two_names(tmp_path: Path) -> None:
    tensors: Shapes = {
        "bert.embeddings.word_embeddings.weight": ("F32", (10, 4)),
        "cls.predictions.bias": ("F32", (10,)),
    }
    absent = counted(tmp_path, tensors, {"model_type": "bert"})
    stored = counted(tmp_path, {**tensors, "cls.predictions.decoder.bias": ("F32", (10,))}, {"model_type": "bert"})

    assert told(absent)[0] == ("cls.predictions.decoder.bias", "cls.predictions.bias", False, "class")
    assert told(stored)[0] == ("cls.predictions.decoder.bias", "cls.predictions.bias", True, "class")
    assert (absent.total.parameters, stored.total.parameters) == (50, 50)


def test_a_tied_head_that_stands_in_two_shards_counts_once(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model-00001-of-00002.safetensors", {**EMBED, **HEAD})
    write_safetensors(tmp_path / "model-00002-of-00002.safetensors", HEAD)
    write_json(tmp_path / "config.json", {"tie_word_embeddings": True})
    found = count(open_checkpoint(tmp_path))

    assert found.total.parameters == 40
    assert dict(found.decomposition) == {
        "stored elements": 120,
        "tied weights, stored again": -40,
        "tensors that stand in another shard too": -40,
    }
