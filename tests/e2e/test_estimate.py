"""``estimate`` as people run it, with the figures that others have published for the same models."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import FIXTURES, ROOT, ckptinspect
from tests.folders import Shapes, write_safetensors

REAL = FIXTURES / "real"


def estimates(name: str, *arguments: object) -> dict[tuple[str, str], dict[str, Any]]:
    ran = ckptinspect("estimate", REAL / f"{name}.snap", "-f", "json", *arguments)
    assert (ran.code, ran.err) == (0, "")
    return {(item["group"], item["quantity"]): item for item in ran.data["estimates"]}


@pytest.mark.parametrize(
    ("name", "group", "quantity", "value"),
    [
        ("Llama-3.1-8B-Instruct", "kv", "KV cache per token", 131_072),
        ("Llama-3.1-8B-Instruct", "lora", "trainable parameters", 41_943_040),
        ("lora-llama-3.1-8b-r16", "lora", "trainable parameters", 41_943_040),
        ("Mixtral-8x7B", "parameters", "active per token", 12_879_925_248),
        ("gpt-oss-20b.bf16", "parameters", "active, without the embedding", 3_608_307_264),
        ("gpt2", "parameters", "parameters", 124_439_808),
        # 12 layers of 24 * 1024 * 768^2 + 4 * 1024^2 * 768, and 2 * 1024 * 768 * 50257 of the head
        ("gpt2", "flops", "forward", 291_648_307_200),
    ],
)
def test_published_figures(name: str, group: str, quantity: str, value: int) -> None:
    found = estimates(name)[group, quantity]

    assert found["value"] == value
    assert found["exact"]
    assert found["reason"] is None


DEEPSEEK_SUMS = """\
How the count comes about
684,531,386,000  stored elements
    -41,540,496  quantization scales and maps
 -1,853,358,080  copies of embedding and head in the MTP layers
───────────────
682,636,487,424  parameters
-11,610,068,224  multi-token prediction
───────────────
671,026,419,200  parameters without multi-token prediction

What a token uses
14,563,317,248  dense: all but experts
 2,554,331,136  shared experts
20,434,649,088  routed experts: 8 of 256, which hold 653,908,770,816 in all
──────────────
37,552,297,472  active per token
  -926,679,040  the embedding, of which it reads one row
──────────────
36,625,618,432  active per token without the embedding
"""


def test_deepseek_v3_from_its_91991_tensors(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, ROOT / "fixtures" / "deepseek_v3.py", tmp_path], check=True, cwd=ROOT, capture_output=True
    )
    ran = ckptinspect("estimate", tmp_path, "--only", "kv,parameters", "-f", "json")
    found = {item["quantity"]: item["value"] for item in ran.data["estimates"]}

    assert found["KV cache per token"] == 70_272
    assert found["active per token"] == 37_552_297_472
    shown = ckptinspect(tmp_path, "-f", "json").data
    assert shown["active_parameters"] == 37_552_297_472
    assert [(item["code"], item["elements"], item["formula"]) for item in shown["sums"]] == [
        ("without-mtp", 671_026_419_200, "682636487424 - 11610068224"),
        # 58 layers of 256 experts, each of 3 matrices of 2048 by 7168; one more in each that all tokens share
        ("active", 37_552_297_472, "14563317248 + 2554331136 + 653908770816 * 8 // 256"),
        ("active-without-embedding", 36_625_618_432, "37552297472 - 926679040"),
    ]
    assert DEEPSEEK_SUMS in ckptinspect(tmp_path, columns=80).out


def test_show_says_what_a_token_uses() -> None:
    assert ckptinspect(REAL / "Mixtral-8x7B.snap", "-f", "json").data["active_parameters"] == 12_879_925_248
    assert ckptinspect(REAL / "Llama-3.1-8B-Instruct.snap", "-f", "json").data["active_parameters"] is None
    out = ckptinspect(REAL / "Mixtral-8x7B.snap").out
    assert "12,879,925,248  active per token\n" in out
    assert "note:" not in out
    assert "active" not in ckptinspect(REAL / "Llama-3.1-8B-Instruct.snap").out


def test_show_says_why_it_is_not_known_what_a_token_uses(tmp_path: Path) -> None:
    tensors: Shapes = {
        "model.embed_tokens.weight": ("BF16", (100, 8)),
        "model.layers.0.mlp.gate.weight": ("BF16", (2, 8)),
        "model.layers.0.mlp.experts.0.up_proj.weight": ("BF16", (4, 8)),
        "model.layers.0.mlp.experts.1.up_proj.weight": ("BF16", (4, 8)),
    }
    write_safetensors(tmp_path / "model.safetensors", tensors)

    shown = ckptinspect(tmp_path, "-f", "json").data

    assert (shown["sums"], shown["active_parameters"]) == ([], None)
    assert [note["message"] for note in shown["notes"] if note["code"] == "active-unknown"] == [
        ("what a token uses is not known: the config does not say how many experts a token uses (num_experts_per_tok)")
    ]


def test_the_options_are_heard() -> None:
    found = estimates(
        "Llama-3.1-8B-Instruct",
        *("--context", 1000, "--batch", 4, "--kv-dtype", "fp8", "--rank", 8, "--targets", "q_proj,v_proj"),
        *("--dtype", "int4", "--tp", 8, "--recipe", "adam-8bit", "--devices", 64, "--zero", 2, "--sequence", 512),
    )

    assert found["kv", "KV cache per token"]["value"] == 65_536
    assert found["kv", "KV cache"]["value"] == 65_536 * 1000 * 4
    assert found["kv", "KV cache on the largest device"]["value"] == 65_536 // 8 * 1000 * 4
    assert found["lora", "trainable parameters"]["value"] == 3_407_872
    assert found["loading", "cast to INT4"]["value"] == 8_030_261_248 // 2
    assert [quantity for group, quantity in found if "ZeRO" in quantity] == ["model states, ZeRO stage 2"]
    assert found["flops", "forward, matrices"]["value"] == found["flops", "forward per token"]["value"] * 512 * 4


def test_only_some_sections() -> None:
    assert {group for group, _ in estimates("gpt2", "--only", "kv,loading")} == {"kv", "loading"}


def test_the_exit_code_says_whether_it_fits_anywhere() -> None:
    snapshot = REAL / "Llama-3.1-8B-Instruct.snap"
    assert ckptinspect("estimate", snapshot, "--fits", "16GB", "--only", "kv").code == 1
    ran = ckptinspect("estimate", snapshot, "--fits", "16GB,24GB", "--context", 8192, "--only", "kv", columns=80)
    assert ran.code == 0
    assert ran.out.split("\n\n", 1)[1].splitlines()[:5] == [
        "memory  fits     needs        of  longest context  largest batch",
        "16GB    no    18.33 GB  16.00 GB                0              0",
        "24GB    yes   18.33 GB  24.00 GB           51,481              6",
        "",
        "16GB: the weights alone take 16.06 GB of each device",
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--dtype", "bf17"),
            "error: --dtype: 'bf17' is no number format; write bf16, fp16, fp32, fp8, int8, int4 or a code",
        ),
        (("--fits", "lots"), "error: --fits: 'lots' is no size; write 24GB, 80GiB or 8x80GB, with commas between"),
        (
            ("--only", "memory"),
            "error: --only: no section 'memory'; choose from parameters, loading, kv, training, lora, flops, fits",
        ),
        (("--only", "fits"), "error: --only fits: nothing was named to fit into; name it: --fits 24GB"),
        (("--recipe", "adam"), "error: --recipe: no recipe 'adam'; choose one of adam-mixed,"),
        (("--tp", "0"), "error: --tp: 0 is too small; write 1 or more"),
        (("--batch", "0"), "error: --batch: 0 is too small; write 1 or more"),
        (("--rank", "0"), "error: --rank: 0 is too small; write 1 or more"),
        (("--context", "9" * 15), "error: --context: 999,999,999,999,999 is more than the 1,000,000,000,000 that"),
        (("--context", "9" * 30), f"error: --context: '{'9' * 30}' is too large; write a smaller number"),
        (("--zero", "4"), "error: --zero: 4 is no stage of ZeRO; choose one of 0, 1, 2, 3"),
        (("--context", "-5"), "error: "),
        (("--context", "1e9"), "error: --context: '1e9' is no whole number of 0 or more; write it in digits"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(arguments: tuple[str, str], sentence: str) -> None:
    ran = ckptinspect("estimate", REAL / "gpt2.snap", *arguments)

    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith(sentence)


def test_csv_and_jsonl_give_the_estimates() -> None:
    rows = list(csv.DictReader(io.StringIO(ckptinspect("estimate", REAL / "gpt2.snap", "-f", "csv").out)))
    lines = ckptinspect("estimate", REAL / "gpt2.snap", "-f", "jsonl").out.splitlines()

    assert len(rows) == len(lines)
    assert {"quantity", "value", "unit", "formula", "assumptions", "exact", "group"} <= set(rows[0])
    assert [json.loads(line)["quantity"] for line in lines] == [row["quantity"] for row in rows]
    assert ["; ".join(json.loads(line)["assumptions"]) for line in lines] == [row["assumptions"] for row in rows]


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv", "markdown", "html"])
def test_every_format_comes_out_the_same_twice(form: str) -> None:
    arguments = ("estimate", REAL / "gpt-oss-20b.bf16.snap", "-f", form, "--fits", "24GB,80GB")

    first, second = ckptinspect(*arguments), ckptinspect(*arguments)

    assert (first.code, first.err) == (0, "")
    assert first.out == second.out != ""


def test_a_hostile_config_is_no_bug_of_ours(tmp_path: Path) -> None:
    source = FIXTURES / "tiny-qwen2-vl"
    for path in source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = {
        "model_type": "\x1b[31mqwen2",
        "hidden_size": 2**62,
        "num_hidden_layers": -1,
        "num_attention_heads": True,
        "head_dim": 2**63 - 1,
        "layer_types": [{"a": []}, 1, None],
        "sliding_window": 2**62,
        "use_sliding_window": True,
        "max_position_embeddings": 2**63 - 1,
        "num_experts_per_tok": [1],
        "text_config": {"text_config": {"text_config": []}},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))

    ran = ckptinspect("estimate", tmp_path, "--fits", "24GB")

    assert ran.code == 1  # a text of 2^63 tokens fits nowhere
    assert "\x1b" not in ran.out
    assert ran.err == ""
