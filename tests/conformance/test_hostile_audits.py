"""Hostile files, indexes and whole folders: an audit of them ends in findings, each of them fit to be shown."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ckptinspect.audit.base import Audited
from ckptinspect.audit.choice import chosen
from ckptinspect.audit.rules import RULES
from ckptinspect.audit.run import Options, audit_one
from fixtures.build import HostileIndex, Recipe, Special, hostile, hostile_indexes, specials
from tests.audits import findings_in

ALL = Options(chosen(RULES), debug=True)
SMALL = [recipe for recipe in hostile() if not recipe.large]
INDEXES = list(hostile_indexes())
OF_FILES_AND_HEADERS = ("CK1", "CK2", "CK4", "CK8")


def named(item: Recipe | Special | HostileIndex) -> str:
    return item.name


@pytest.mark.parametrize("recipe", SMALL, ids=named)
def test_a_hostile_file_that_the_reference_refuses_is_an_error_and_no_other(recipe: Recipe, tmp_path: Path) -> None:
    recipe.grow(tmp_path / "model.safetensors")
    errors = {f.rule for f in findings_in(tmp_path, *OF_FILES_AND_HEADERS) if f.severity == "error"}

    twice = {"CK205"} if "duplicate-name" in recipe.notices else set()
    assert bool(errors - twice - {"CK211"}) == (not recipe.accepted)
    assert errors >= twice


@pytest.mark.parametrize("special", [s for s in specials() if s.kind not in {"unreadable", "folder"}], ids=named)
def test_what_is_no_file_is_told_of(special: Special, tmp_path: Path) -> None:
    special.grow(tmp_path / "model.safetensors")

    assert "CK107" in {finding.rule for finding in findings_in(tmp_path)}


@pytest.mark.parametrize("index", [index for index in INDEXES if index.name != "entries"], ids=named)
def test_a_hostile_index_ends_in_findings(index: HostileIndex, tmp_path: Path) -> None:
    index.grow(tmp_path / "it")
    result = audit_one(str(tmp_path / "it"), ALL)

    assert isinstance(result, Audited)
    for finding in result.findings:
        assert finding.message.isprintable()


def test_names_that_lead_out_of_the_folder_are_errors(tmp_path: Path) -> None:
    for index in INDEXES:
        if index.error is not None and "do not load" in index.error:
            index.grow(tmp_path / index.name)
            rules = {finding.rule for finding in findings_in(tmp_path / index.name)}
            assert "CK802" in rules, index.name


NAMES = st.sampled_from(
    [
        "model.safetensors",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model-00001-of-00003.safetensors",
        "model.fp16.safetensors",
        "adapter_model.safetensors",
        "sub/model.safetensors",
        "original/x.safetensors",
        "\x1b[31m.safetensors",
        "free.safetensors",
    ]
)
TENSOR_NAMES = st.sampled_from(
    [
        "model.embed_tokens.weight",
        "lm_head.weight",
        "model.layers.0.mlp.up_proj.weight",
        "model.layers.2.mlp.up_proj.weight",
        "model.layers.99999.mlp.up_proj.weight",
        "model.layers.0.mlp.up_proj.weight_scale_inv",
        "model.layers.0.mlp.up_proj.qweight",
        "model.layers.0.mlp.up_proj.scales",
        "base_model.model.model.layers.0.q_proj.lora_A.weight",
        "base_model.model.model.layers.0.q_proj.lora_B.weight",
        "h.0.attn.bias",
        "model_ema.decay",
        "",
        "\x1b[2J\u202e",
        "module._orig_mod.w",
        ".",
        "..layers..",
    ]
)
SHAPES = st.lists(st.sampled_from([0, 1, 2, 8, 1 << 62]), max_size=4)
ENTRIES = st.builds(
    lambda dtype, shape, begin, end: {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]},
    st.sampled_from(["F32", "BF16", "F8_E4M3", "U8", "I32", "U3", "F64", "I64"]),
    SHAPES,
    st.sampled_from([0, 4, 8, 1 << 63]),
    st.sampled_from([0, 4, 32, 1 << 42]),
)
METADATA = st.dictionaries(st.sampled_from(["format", "total_parameters", "prompt", "\x07"]), st.text(max_size=4))
HEADERS = st.builds(
    lambda tensors, metadata: json.dumps({"__metadata__": metadata, **tensors}).encode(),
    st.dictionaries(TENSOR_NAMES, ENTRIES, max_size=5),
    METADATA,
)
FILES = st.one_of(
    st.builds(lambda raw, data: len(raw).to_bytes(8, "little") + raw + b"\0" * data, HEADERS, st.integers(0, 40)),
    st.binary(max_size=40),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=4,
)
CONFIGS = st.dictionaries(
    st.sampled_from(
        [
            "vocab_size",
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "num_key_value_heads",
            "intermediate_size",
            "head_dim",
            "tie_word_embeddings",
            "text_config",
            "quantization_config",
            "architectures",
            "model_type",
            "dtype",
            "torch_dtype",
            "auto_map",
            "r",
            "base_model_name_or_path",
            "rank_pattern",
            "is_encoder_decoder",
            "num_nextn_predict_layers",
        ]
    ),
    st.one_of(VALUES, st.sampled_from(["llama", "fp8", "bfloat16", 4, 8, True, ["LlamaForCausalLM"], {"r": {}}])),
)
INDEX = st.builds(
    lambda weights, metadata: {"metadata": metadata, "weight_map": weights},
    st.dictionaries(TENSOR_NAMES, st.one_of(NAMES, st.sampled_from(["../x", "/etc/passwd", ""])), max_size=4),
    st.dictionaries(st.sampled_from(["total_size", "total_parameters"]), VALUES),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    files=st.dictionaries(NAMES, FILES, min_size=1, max_size=4),
    config=st.one_of(CONFIGS, VALUES),
    adapter=CONFIGS,
    index=st.one_of(st.none(), INDEX, VALUES),
)
def test_no_folder_makes_a_rule_fail(
    files: dict[str, bytes], config: object, adapter: object, index: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("it")
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "adapter_config.json").write_text(json.dumps(adapter))
    if index is not None:
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    result = audit_one(str(folder), ALL)

    assert isinstance(result, Audited)
    assert result == audit_one(str(folder), ALL)
    for finding in result.findings:
        assert finding.message.isprintable(), finding
        assert len(finding.message) < 2000, finding
        assert finding.wasted_bytes >= 0, finding
