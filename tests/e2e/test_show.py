import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import layouts
from tests.e2e.command import FIXTURES, ROOT, ckptinspect
from tests.folders import write_json, write_safetensors, write_sharded

TINY = FIXTURES / "tiny-qwen2-vl"
REAL = FIXTURES / "real"

QWEN = """\
fixtures/real/Qwen2-VL-7B-Instruct.snap: sharded, 4 files, 16.58 GB, via snapshot

module    dtype  tensors     parameters     share           bytes      size
visual    BF16       391    675,759,104    8.15 %   1,351,518,208   1.35 GB
model     BF16       338  7,070,619,136   85.28 %  14,141,238,272  14.14 GB
lm_head   BF16         1    544,997,376    6.57 %   1,089,994,752   1.09 GB
[header]                                                   79,512  79.51 kB
total                730  8,291,375,616  100.00 %  16,582,830,744  16.58 GB
"""

GPT2 = """\
fixtures/real/gpt2.snap: single, 1 file, 548.11 MB, via snapshot

module    dtype  tensors    parameters     share        bytes       size
model     F32        160   124,439,808  100.00 %  548,090,880  548.09 MB
lm_head                0  (38,597,376)                      0
[header]                                               14,352   14.35 kB
total                160   124,439,808  100.00 %  548,105,232  548.11 MB

How the count comes about
137,022,720  stored elements
-12,582,912  buffers
───────────
124,439,808  parameters

note: 'lm_head.weight' is tied to 'wte.weight' by the config and not stored;
      counting it again would give 163,037,184
"""


def test_a_ref_alone_shows_what_is_in_it() -> None:
    ran = ckptinspect("fixtures/real/Qwen2-VL-7B-Instruct.snap")

    assert (ran.code, ran.out, ran.err) == (0, QWEN, "")


def test_the_decomposition_says_why_two_numbers_differ() -> None:
    assert ckptinspect("show", "fixtures/real/gpt2.snap", columns=80).out == GPT2


def test_bloom_by_role_has_the_five_lines_that_people_add_up_by_hand() -> None:
    out = ckptinspect("show", "fixtures/real/bloom-1b4-zh.snap", "--by", "role", columns=200).out

    parameters = {line.split()[0]: line.split()[2] for line in out.splitlines()[3:8]}
    assert parameters == {
        "attention": "402,849,792",
        "embedding": "94,504,960",
        "mlp": "805,552,128",
        "norm": "204,800",
        "head": "(94,504,960)",
    }
    assert "total          293  1,303,111,680" in out
    assert "counting it again would give 1,397,616,640" in out


@pytest.mark.parametrize("name", ["Qwen2-VL-7B-Instruct", "Mixtral-8x7B", "stable-diffusion-v1-5", "weird-names"])
def test_every_line_fits_80_columns(name: str) -> None:
    ran = ckptinspect(f"fixtures/real/{name}.snap", columns=80)

    assert max(len(line) for line in ran.out.splitlines()) <= 80


def test_json_has_the_fields_of_the_contract() -> None:
    ran = ckptinspect(TINY, "-f", "json")
    answer = json.loads(ran.out)

    assert (answer["schema"], answer["kind"]) == ("ckptinspect/v1", "show")
    data = answer["data"]
    assert data["totals"] == {
        "file_bytes": 661176,
        "files": 2,
        "header_bytes": 8120,
        "parameters": 326528,
        "stored_elements": 326528,
        "tensor_bytes": 653056,
        "tensors": 82,
        "unexplained_elements": 0,
    }
    assert [(module["module"], module["parameters"]) for module in data["modules"]] == [
        ("visual", 87872),
        ("model", 205888),
        ("lm_head", 32768),
    ]
    assert data["active_parameters"] is None
    assert data["quantization"] is None
    assert data["decomposition"] == [{"elements": 326528, "what": "stored elements"}]


def test_the_same_input_gives_the_same_bytes_out() -> None:
    assert (
        ckptinspect(TINY, "-f", "json").out == ckptinspect(TINY, "-f", "json", environment={"PYTHONHASHSEED": "7"}).out
    )


def test_a_snapshot_gives_the_same_figures_as_what_it_was_taken_from(tmp_path: Path) -> None:
    snapshot = tmp_path / "tiny.snap"
    assert ckptinspect("snapshot", TINY, "-o", snapshot).code == 0

    ours, theirs = ckptinspect(snapshot, "-f", "json").data, ckptinspect(TINY, "-f", "json").data

    for field in ("totals", "modules", "dtypes", "decomposition", "tied", "files", "alternatives"):
        assert ours[field] == theirs[field]
    assert (ours["via"], ours["layout"]) == ("snapshot", "snapshot")


def test_a_snapshot_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    hashes = [ckptinspect("snapshot", TINY, "-o", tmp_path / str(n), "-f", "json").data["sha256"] for n in range(2)]

    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    "by", ["module", "dtype", "layer", "role", "shard", "depth:2", "module,role,dtype", "layer,role"]
)
def test_any_grouping_adds_up_to_the_whole(by: str) -> None:
    data = ckptinspect(TINY, "--by", by, "-f", "json").data

    assert sum(group["parameters"] for group in data["groups"]) == 326528
    assert sum(group["bytes"] for group in data["groups"]) == 653056
    assert sum(group["tensors"] for group in data["groups"]) == 82
    assert data["by"] == by.split(",")


def test_layers_come_in_their_order_and_keep_their_stack() -> None:
    keys = [group["key"][0] for group in ckptinspect(TINY, "--by", "layer", "-f", "json").data["groups"]]

    assert keys == ["-", *(f"model.layers.{n}" for n in range(4)), "visual.blocks.0", "visual.blocks.1"]


def test_rows_can_be_sorted_and_limited_and_the_rest_is_a_row() -> None:
    ran = ckptinspect(TINY, "--by", "role", "--sort=-parameters", "--limit", "2")
    rows = [line.split() for line in ran.out.splitlines()[2:]]

    assert [row[0] for row in rows[1:3]] == ["mlp", "embedding"]
    assert rows[3][:2] == ["[4", "more]"]
    assert rows[-1] == ["total", "82", "326,528", "100.00", "%", "661,176", "661.18", "kB"]


def test_csv_and_jsonl_give_the_modules() -> None:
    rows = list(csv.DictReader(io.StringIO(ckptinspect(TINY, "-f", "csv").out)))
    lines = [json.loads(line) for line in ckptinspect(TINY, "-f", "jsonl").out.splitlines()]

    assert [row["module"] for row in rows] == ["visual", "model", "lm_head"]
    assert [line["parameters"] for line in lines] == [87872, 205888, 32768]


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown", "html"])
def test_names_from_a_file_are_inert_in_every_format(form: str) -> None:
    out = ckptinspect("tensors", REAL / "weird-names.snap", "-f", form).out

    assert "\x1b" not in out
    assert "\u202e" not in out or form in {"json", "csv"}
    assert "<script>alert" not in out or form in {"json", "csv", "table"}


def test_output_goes_to_a_file_whole(tmp_path: Path) -> None:
    target = tmp_path / "show.md"

    ran = ckptinspect(TINY, "-f", "markdown", "-o", target)

    assert ran.out == ""
    assert target.read_text().startswith("## ")
    assert list(tmp_path.iterdir()) == [target]


def test_an_output_that_cannot_be_written_is_a_source_error(tmp_path: Path) -> None:
    ran = ckptinspect(TINY, "-o", tmp_path / "no" / "such" / "folder")

    assert ran.code == 3
    assert (
        ran.err
        == f"error: {tmp_path}/no/such/folder: it cannot be written: No such file or directory; choose another place\n"
    )


def test_head_closing_the_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m ckptinspect tensors {REAL / 'Mixtral-8x7B.snap'} | head -1; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False)

    assert ran.stdout.splitlines()[-1] == "0"
    assert ran.stderr == ""


def test_a_failed_shard_is_partial_and_told(tmp_path: Path) -> None:
    shard = {"w": ("F32", (2,))}
    write_sharded(
        tmp_path, {"model-00001-of-00002.safetensors": shard, "model-00002-of-00002.safetensors": {"v": ("F32", (3,))}}
    )
    (tmp_path / "model-00002-of-00002.safetensors").unlink()

    ran = ckptinspect(tmp_path, "-f", "json")

    assert ran.code == 5
    assert (
        ran.err
        == "error: model-00002-of-00002.safetensors: the shard is missing; fetch it: the checkpoint is not whole without it\n"
    )
    assert ran.data["totals"]["parameters"] == 2
    assert [note["code"] for note in ran.data["notes"]] == ["shards-failed"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["no/such/thing/at/all"], 3, "no/such/thing/at/all: no such file or folder; for a folder of a Hub repository write hf://org/name/folder"),
        (["./nothing"], 3, "./nothing: no such file or folder; check the spelling"),
        (["fixtures/tiny-qwen2-vl", "--by", "colour"], 2, "--by: no key 'colour' to group by; choose from module, dtype, layer, role, base, shard, depth:N"),
        (["fixtures/tiny-qwen2-vl", "--sort", "colour"], 2, "--sort: no column 'colour' to sort by; choose one of module, dtype, tensors, parameters, share, bytes, size, stored_elements"),
        (["show"], 2, "missing argument 'REF'; see ckptinspect show --help"),
        (["fixtures/tiny-qwen2-vl", "--limit", "many"], 2, "--limit: 'many' is no whole number of 0 or more; write it in digits"),
        (["snapshot", "fixtures/tiny-qwen2-vl", "-o", "/dev/null/x", "-f", "csv"], 3, "/dev/null/x: it cannot be written: Not a directory; choose another place"),
        (["dtypes", "-f", "xml"], 2, "--format: 'xml' is no format; choose one of table, json, jsonl, csv, markdown, html"),
    ],
)  # fmt: skip
def test_a_bad_call_is_one_sentence_and_its_exit_code(arguments: list[str], code: int, sentence: str) -> None:
    ran = ckptinspect(*arguments)

    assert (ran.code, ran.err) == (code, f"error: {sentence}\n")
    assert ran.out == ""


def test_a_truncated_file_is_a_format_error(tmp_path: Path) -> None:
    file = write_safetensors(tmp_path / "model.safetensors", {"w": ("F32", (100,))})
    with file.open("r+b") as handle:
        handle.truncate(300)

    ran = ckptinspect(file)

    assert ran.code == 4
    assert ran.err.count("\n") == 1


def test_an_unknown_dtype_is_unexplained_and_not_a_crash(tmp_path: Path) -> None:
    raw = b'{"w":{"dtype":"F3","shape":[4],"data_offsets":[0,2]},"v":{"dtype":"F32","shape":[2],"data_offsets":[2,10]}}'
    (tmp_path / "model.safetensors").write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(10))

    ran = ckptinspect(tmp_path, "-f", "json")

    assert ran.code == 0
    assert ran.data["totals"]["parameters"] == 2
    assert ran.data["totals"]["unexplained_elements"] == 4
    assert {note["code"] for note in ran.data["notes"]} == {"unknown-dtype", "unexplained"}


def test_a_verb_wins_over_a_folder_of_its_name(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "tree" / "model.safetensors", {"w": ("F32", (2,))})

    assert ckptinspect("tree", cwd=tmp_path).code == 2
    assert ckptinspect("./tree", cwd=tmp_path).code == 0


def test_one_shard_of_many_says_so(tmp_path: Path) -> None:
    file = write_safetensors(tmp_path / "model-00002-of-00004.safetensors", {"w": ("F32", (2,))})

    assert "note: this is one shard of 4; name the folder or the index for all of them" in ckptinspect(file).out


def test_quiet_leaves_the_notes_out_and_verbose_says_what_was_read() -> None:
    assert "note:" not in ckptinspect("fixtures/real/gpt2.snap", "-q").out
    assert ckptinspect("fixtures/tiny-qwen2-vl", "-v").err == "read 15.07 kB (via local)\n"


def test_without_arguments_it_explains_itself() -> None:
    ran = ckptinspect()

    assert "Usage: ckptinspect" in ran.out + ran.err


def test_version() -> None:
    assert ckptinspect("--version").out.startswith("ckptinspect 0.")


def test_a_config_that_ties_leaves_a_stored_head_out(tmp_path: Path) -> None:
    tensors = {"model.embed_tokens.weight": ("BF16", (10, 4)), "lm_head.weight": ("BF16", (10, 4))}
    write_safetensors(tmp_path / "model.safetensors", tensors)
    write_json(tmp_path / "config.json", {"tie_word_embeddings": True})

    data = ckptinspect(tmp_path, "-f", "json").data

    assert data["totals"]["parameters"] == 40
    assert data["decomposition"] == [
        {"elements": 80, "what": "stored elements"},
        {"elements": -40, "what": "tied weights, stored again"},
    ]
    assert data["tied"] == [
        {
            "elements": 40,
            "evidence": "config",
            "module": "lm_head",
            "name": "lm_head.weight",
            "role": "head",
            "stored": True,
            "tied_to": "model.embed_tokens.weight",
        }
    ]


def test_a_lora_of_any_name_is_an_adapter(tmp_path: Path) -> None:
    stem = "lora_unet_down_blocks_0_attentions_0_proj_in"
    tensors = {
        f"{stem}.lora_down.weight": ("F16", (4, 320)),
        f"{stem}.lora_up.weight": ("F16", (320, 4)),
        f"{stem}.alpha": ("F16", ()),
    }
    file = write_safetensors(tmp_path / "style.safetensors", tensors)

    data = ckptinspect(file, "-f", "json").data

    assert data["layout"] == "adapter"
    assert [(module["module"], module["parameters"]) for module in data["modules"]] == [("adapter", 2560)]
    assert data["decomposition"] == [{"elements": 2561, "what": "stored elements"}, {"elements": -1, "what": "buffers"}]


def test_a_quantized_checkpoint_says_how_it_is_packed_and_what_that_costs() -> None:
    ran = ckptinspect("fixtures/real/Llama-3.1-8B-Instruct.GPTQ-INT4.snap", "-f", "json")
    scheme = {
        "scheme": "gptq",
        "bits": 4,
        "group_size": 128,
        "evidence": "header",
        "modules": 224,
        "parameters": 6_979_321_856,
        "weight_bytes": 3_489_660_928,
        "bookkeeping_bytes": 141_295_616,
        "bits_per_weight": 4.162,
    }

    assert ran.data["quantization"] == {
        **{key: scheme[key] for key in ("scheme", "bits", "group_size", "evidence", "bits_per_weight")},
        "bookkeeping_bytes": 141_295_616,
        "schemes": [scheme],
    }
    assert ran.data["decomposition"] == [
        {"what": "stored elements", "elements": 1_985_941_504},
        {"what": "packed weights, expanded", "elements": 6_106_906_624},
        {"what": "quantization scales and maps", "elements": -62_586_880},
    ]
    assert ran.data["notes"] == []


def test_a_config_that_lies_about_the_bits_costs_a_note_and_not_the_count(tmp_path: Path) -> None:
    tensors = layouts.at("model.layers.0.mlp.up_proj", layouts.gptq(512, 512))
    write_safetensors(tmp_path / "model.safetensors", tensors)
    write_json(tmp_path / "config.json", {"quantization_config": {"quant_method": "gptq", "bits": 2}})

    ran = ckptinspect(tmp_path, "-f", "json")

    assert ran.data["totals"]["parameters"] == 512 * 512
    assert [note["message"] for note in ran.data["notes"]] == [
        (
            "the config says 2 bits, and the headers show 4 (1 module, such as 'model.layers.0.mlp.up_proj'): "
            "the headers count"
        )
    ]
