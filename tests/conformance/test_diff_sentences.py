"""What ``diff`` says first of pairs of real checkpoints, written down before it could say anything.

Parameters are those of known.json; bytes its ``tensor_bytes`` in decimal units.
"""

import json
import re
from functools import cache
from pathlib import Path

import pytest

from ckptinspect.analysis.diff import Diff, diff
from ckptinspect.model import Checkpoint
from ckptinspect.opening import open_checkpoint
from tests.checkpoints import checkpoint_of

REAL = Path(__file__).parents[2] / "fixtures" / "real"
QUANTIZED = REAL / "quantized"
BASES = json.loads((QUANTIZED / "bases.json").read_text())
KNOWN = json.loads((QUANTIZED / "known.json").read_text())
MODELS = sorted(name for name, known in KNOWN.items() if known["kind"] == "model")
ADAPTERS = sorted(name for name, known in KNOWN.items() if known["kind"] == "adapter" and known.get("base") in BASES)
# SINQ drops the biases of what it quantizes.
FEWER = {"sinq-4bit-bias"}

LLAMA = "Llama-3.1-8B-Instruct"
SENTENCES = [
    # one model under two layouts
    (
        "Qwen2-VL-7B-Instruct",
        "Qwen2-VL-7B-Instruct.newlayout",
        "same model under other names (729 of 730 tensors renamed)",
    ),
    (
        "llava-1.5-7b-hf",
        "llava-1.5-7b-hf.newlayout",
        "same model under other names (686 tensors renamed)",
    ),
    (
        "gpt2",
        "gpt2.newlayout",
        (
            "same model under other names (148 tensors renamed); 12 buffers removed: "
            "same 124,439,808 parameters, 548.09 MB → 497.76 MB"
        ),
    ),
    (
        "bloom-1b4-zh",
        "bloom-1b4-zh.noprefix",
        (
            "same model under other names (293 tensors renamed); cast from F16 to F32: "
            "same 1,303,111,680 parameters, 2.61 GB → 5.21 GB"
        ),
    ),
    # other storage
    (LLAMA, f"{LLAMA}.GPTQ-INT4", "quantized to 4 bits (GPTQ): same 8,030,261,248 parameters, 16.06 GB → 5.73 GB"),
    (LLAMA, f"{LLAMA}.AWQ-INT4", "quantized to 4 bits (AWQ): same 8,030,261,248 parameters, 16.06 GB → 5.73 GB"),
    (LLAMA, f"{LLAMA}.mlx-4bit", "quantized to 4 bits (MLX): same 8,030,261,248 parameters, 16.06 GB → 4.52 GB"),
    (LLAMA, f"{LLAMA}.FP8-block", "quantized to 8 bits (FP8): same 8,030,261,248 parameters, 16.06 GB → 9.08 GB"),
    (
        f"{LLAMA}.FP8-block",
        LLAMA,
        "dequantized from 8 bits (FP8) to BF16: same 8,030,261,248 parameters, 9.08 GB → 16.06 GB",
    ),
    (
        f"{LLAMA}.GPTQ-INT4",
        f"{LLAMA}.AWQ-INT4",
        "requantized from 4 bits (GPTQ) to 4 bits (AWQ): same 8,030,261,248 parameters, 5.73 GB (-4.98 MB)",
    ),
    (
        "gpt-oss-20b.bf16",
        "gpt-oss-20b",
        "quantized to 4 bits (MXFP4): same 20,914,757,184 parameters, 41.83 GB → 13.76 GB",
    ),
    # the same parameters in other tensors
    (
        "Mixtral-8x7B",
        "Mixtral-8x7B.fused",
        (
            "same model under other names (32 of 995 tensors renamed); experts fused (768 tensors into 64): "
            "same 46,702,792,704 parameters, 93.41 GB"
        ),
    ),
    (
        "gpt-oss-20b",
        "gpt-oss-20b.original",
        (
            "same model under other names (315 of 459 tensors renamed); attention weights fused (144 tensors into 48): "
            "same 20,914,757,184 parameters, 13.76 GB"
        ),
    ),
    # what was built on a model
    (
        "Llama-2-7b-hf",
        "llava-1.5-7b-hf",
        (
            "291 tensors renamed; vocabulary grew by 64 rows (32,000 → 32,064); visual and projector added "
            "(324,487,168 parameters); 32 buffers removed: "
            "6,738,415,616 → 7,063,427,072 parameters, 13.48 GB → 14.13 GB"
        ),
    ),
    (
        LLAMA,
        "lora-llama-3.1-8b-r16",
        (
            "NEW is an adapter for OLD (LoRA of rank 16 on 224 modules): "
            "8,030,261,248 → 41,943,040 parameters, 16.06 GB → 167.77 MB"
        ),
    ),
    (
        # Its keys and values are 1,024 wide, not 4,096, and its MLP 14,336, not 11,008: five modules in 32 layers.
        "Llama-2-7b-hf",
        "lora-llama-3.1-8b-r16",
        (
            "NEW is an adapter for another model than OLD (LoRA of rank 16 on 224 modules, 160 of other shapes): "
            "6,738,415,616 → 41,943,040 parameters, 13.48 GB → 167.77 MB"
        ),
    ),
    # other models
    (
        "Qwen2-7B-Instruct",
        LLAMA,
        (
            "everything differs (hidden size 3,584 → 4,096, vocabulary 152,064 → 128,256, 28 → 32 layers, "
            "attention width 512 → 1,024, mlp width 18,944 → 14,336): "
            "7,615,616,512 → 8,030,261,248 parameters, 15.23 GB → 16.06 GB"
        ),
    ),
    (
        "gpt2",
        "resnet-50",
        (
            "nothing in common (160 tensors removed, 320 added): "
            "124,439,808 → 25,557,032 parameters, 548.09 MB → 102.44 MB"
        ),
    ),
]


@cache
def opened(name: str) -> Checkpoint:
    return open_checkpoint(REAL / f"{name}.snap")


def compared(old: str, new: str) -> Diff:
    return diff(opened(old), opened(new))


@pytest.mark.parametrize(("old", "new", "sentence"), SENTENCES)
def test_it_begins_with_its_sentence(old: str, new: str, sentence: str) -> None:
    assert compared(old, new).sentence == sentence


@pytest.mark.parametrize("name", sorted(path.stem for path in REAL.glob("*.snap")))
def test_a_checkpoint_is_equal_to_itself(name: str) -> None:
    assert compared(name, name).equal


def against_its_base(name: str) -> Diff:
    """What a library wrote, against the tiny model that it was given, in BF16."""
    new = open_checkpoint(QUANTIZED / f"{name}.snap")
    shapes = {tensor: ("BF16", tuple(shape)) for tensor, shape in BASES[KNOWN[name]["base"]].items()}
    return diff(checkpoint_of(shapes, dict(new.config.values)), new)


@pytest.mark.parametrize("name", MODELS)
def test_what_every_library_did_to_a_model_is_a_quantization(name: str) -> None:
    found = against_its_base(name)

    assert re.search(r"(^|; )quantized to [0-9.]+ bits \([A-Za-z0-9 :-]+\)", found.sentence)
    assert (f"same {KNOWN[name]['parameters']:,} parameters, " in found.sentence) is (name not in FEWER)
    assert not [change for change in found.changes if any(row.parameters for row in change.after) and not change.before]


@pytest.mark.parametrize("name", ADAPTERS)
def test_what_every_library_keeps_of_an_adapter_is_an_adapter(name: str) -> None:
    assert against_its_base(name).sentence.startswith("NEW is an adapter")
