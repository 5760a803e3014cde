"""What speaks of quantization beside a config.json: ModelOpt's own file, and ComfyUI's metadata."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from ckptinspect.analysis.count import count
from ckptinspect.analysis.notes import notes_on
from ckptinspect.analysis.quantized import COMFY_KEY
from ckptinspect.model import Config
from ckptinspect.opening import open_checkpoint
from ckptinspect.quant.beside import comfy_section
from ckptinspect.quant.claims import Claims
from tests import layouts
from tests.checkpoints import checkpoint_of
from tests.folders import Shapes, write_json, write_safetensors
from tests.quantized import NORM, PATH

CODE = "quantization-config"
# 16 words a scale: 4 bits in groups of 128, or 8 bits in groups of 64, and nothing around it tells which.
OPEN: Shapes = layouts.at(PATH, layouts.mlx(512, 1024, bits=4, group=128))
NVFP4: Shapes = {**layouts.at(PATH, layouts.nvfp4_modelopt(512, 512)), NORM: ("BF16", (512,))}


def modelopt(**section: object) -> dict[str, object]:
    return {"producer": {"name": "modelopt", "version": "0.47.0"}, "quantization": section}


def figures(config: Config) -> set[tuple[int | None, int | None]]:
    return {(claim.bits, claim.group_size) for claim in Claims(config).about(PATH)}


def opened(
    folder: Path, tensors: Shapes, config: Mapping[str, object] | None, beside: Mapping[str, object] | None
) -> tuple[int, int, list[str]]:
    """The parameters, the unexplained elements, and what is said of the quantization of a folder of these files."""
    write_safetensors(folder / "model.safetensors", tensors)
    if config is not None:
        write_json(folder / "config.json", config)
    if beside is not None:
        write_json(folder / "hf_quant_config.json", beside)
    checkpoint = open_checkpoint(folder)
    counted = count(checkpoint)
    said = [note.message for note in notes_on(checkpoint, counted) if note.code == CODE]
    return counted.total.parameters, counted.total.unexplained, said


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"quant_algo": "NVFP4", "group_size": 16}, {(4, 16)}),
        ({"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}, {(8, None)}),
        ({"quant_algo": "W4A16_AWQ", "group_size": 64}, {(4, 64)}),
        ({"quant_algo": "mxfp4"}, {(4, 32)}),
        (
            {"quant_algo": "MIXED_PRECISION", "quantized_layers": {PATH: {"quant_algo": "FP8"}}},
            {(8, None), (None, None)},
        ),
    ],
)
def test_the_file_of_modelopt_speaks_where_the_config_does_not(
    section: dict[str, object], expected: set[tuple[int | None, int | None]]
) -> None:
    assert figures(Config({"model_type": "llama"}, modelopt(**section))) == expected


@pytest.mark.parametrize("beside", [{}, {"quantization": 4}, {"quantization": {}}, {"quant_algo": "FP8"}])
def test_a_file_that_says_nothing_of_quantization_is_no_witness(beside: dict[str, object]) -> None:
    assert not Claims(Config({}, beside))


def test_modules_that_the_file_of_modelopt_excludes_are_left_out() -> None:
    claims = Claims(Config({}, modelopt(quant_algo="FP8", exclude_modules=["lm_head", "model.layers.0.self_attn*"])))

    assert claims.leaves_out("lm_head")
    assert claims.leaves_out("model.layers.0.self_attn.q_proj")
    assert not claims.leaves_out("model.layers.1.self_attn.q_proj")


def test_a_packing_that_the_headers_leave_open_is_decided_by_the_file_of_modelopt(tmp_path: Path) -> None:
    for name in ("alone", "with", "without"):
        (tmp_path / name).mkdir()
    beside = modelopt(quant_algo="INT4_AWQ", group_size=128)

    assert opened(tmp_path / "alone", OPEN, None, beside)[:2] == (512 * 1024, 0)
    assert opened(tmp_path / "with", OPEN, {"model_type": "x"}, beside)[:2] == (512 * 1024, 0)
    assert opened(tmp_path / "without", OPEN, {"model_type": "x"}, None)[:2] == (0, 512 * 128)


def test_the_config_comes_before_the_file_of_modelopt_and_the_contradiction_is_told(tmp_path: Path) -> None:
    config = {"quantization": {"bits": 8, "group_size": 64}}

    parameters, unexplained, said = opened(tmp_path, OPEN, config, modelopt(quant_algo="INT4_AWQ", group_size=128))

    assert (parameters, unexplained) == (512 * 512, 0)
    assert said == [
        f"the config says 8 bits, and hf_quant_config.json 4 (1 module, such as '{PATH}'): the config counts"
    ]


def test_the_headers_come_before_both(tmp_path: Path) -> None:
    for name in ("file", "both", "agreed"):
        (tmp_path / name).mkdir()
    beside, config = modelopt(quant_algo="FP8"), {"quantization_config": {"quant_algo": "NVFP4", "group_size": 16}}
    where = f"(1 module, such as '{PATH}')"

    assert opened(tmp_path / "file", NVFP4, {}, beside) == (
        512 * 512 + 512,
        0,
        [f"hf_quant_config.json says 8 bits, and the headers show 4 {where}: the headers count"],
    )
    assert opened(tmp_path / "both", NVFP4, config, beside) == (
        512 * 512 + 512,
        0,
        [f"the config says 4 bits, and hf_quant_config.json 8 {where}: the headers count"],
    )
    assert opened(tmp_path / "agreed", NVFP4, config, modelopt(quant_algo="NVFP4", group_size=16))[2] == []


def test_a_broken_file_of_modelopt_costs_a_note(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", NVFP4)
    (tmp_path / "hf_quant_config.json").write_text("[")

    checkpoint = open_checkpoint(tmp_path)

    assert [note.code for note in checkpoint.notes] == ["config-unreadable"]
    assert count(checkpoint).total.parameters == 512 * 512 + 512


def comfy(**layers: object) -> dict[str, str]:
    return {COMFY_KEY: json.dumps({"format_version": "1.0", "layers": layers})}


def told(tensors: Shapes, metadata: Mapping[str, str]) -> tuple[int, list[str]]:
    checkpoint = checkpoint_of(tensors, None, metadata)
    counted = count(checkpoint)
    return counted.total.parameters, [note.message for note in notes_on(checkpoint, counted) if note.code == CODE]


def test_what_comfyui_says_of_a_layer_is_held_against_the_headers() -> None:
    tensors = layouts.at(PATH, layouts.nvfp4_comfy(512, 512))

    assert told(tensors, comfy(**{PATH: {"format": "nvfp4"}})) == (512 * 512, [])
    assert told(tensors, comfy(**{PATH: {"format": "float8_e4m3fn"}})) == (
        512 * 512,
        [f"the metadata says 8 bits, and the headers show 4 (1 module, such as '{PATH}'): the headers count"],
    )
    assert told(tensors, comfy(**{"other.module": {"format": "float8_e4m3fn"}})) == (512 * 512, [])


def test_what_comfyui_says_decides_what_the_headers_leave_open() -> None:
    entry = {"format": "int8_blockwise", "group_size": 64}

    assert told(OPEN, comfy(**{PATH: entry})) == (512 * 512, [])


def test_layers_that_comfyui_names_and_no_tensor_shows_are_told() -> None:
    tensors: Shapes = {f"{PATH}.weight": ("BF16", (64, 64))}

    assert told(tensors, comfy(**{PATH: {"format": "nvfp4"}})) == (
        64 * 64,
        [
            (
                "the metadata says that the weights are quantized ('comfyui'), and no tensor shows it: "
                "they are counted as they are stored"
            )
        ],
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"layers": []}',
        '{"layers": {"a": 1}}',
        '{"layers": {"a": {"format": 4}}}',
        '{"layers": {"a": {"format": "unheard-of"}}}',
        '{"layers": {"a": {"format": ["nvfp4"], "group_size": 16}}}',
        '{"layers": ' + " " * 10_000_000 + '{"a": {"format": "nvfp4"}}}',
    ],
)
def test_metadata_that_says_nothing_is_no_witness(text: str) -> None:
    assert not comfy_section([text])
