from pathlib import Path

import pytest

from ckptinspect.analysis.count import Count, count
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
