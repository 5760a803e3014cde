import csv
import io
import json
from pathlib import Path

import pytest

from tests.checkpoints import Tensors, decoder, matrix
from tests.e2e.command import FIXTURES, Ran, ckptinspect
from tests.folders import write_json, write_safetensors, write_sharded
from tests.hub_server import TestHub

REAL = FIXTURES / "real"
TINY = FIXTURES / "tiny-qwen2-vl"
GPT2, NEWER = REAL / "gpt2.snap", REAL / "gpt2.newlayout.snap"

LAYOUTS = """\
same model under other names (148 tensors renamed); 12 buffers removed: same
124,439,808 parameters, 548.09 MB → 497.76 MB

OLD  fixtures/real/gpt2.snap: single, 1 file, 548.11 MB, via snapshot
NEW  fixtures/real/gpt2.newlayout.snap: single, 1 file, 497.77 MB, via snapshot

module    parameters before        after  size                    size +/-
model           124,439,808  124,439,808  548.09 MB → 497.76 MB  -50.33 MB
[header]                                  14.35 kB → 14.98 kB       +624 B
total           124,439,808  124,439,808  548.11 MB → 497.77 MB  -50.33 MB

Renamed
tensors  name before  after
    148  *            transformer.*

Changed
change   tensors  name                from what to what
removed       12  h.{0-11}.attn.bias  F32 [1, 1, 1024, 1024]

note: no room for the columns tensors, parameters +/-
"""

BY_LAYER = """\
quantized to 8 bits (FP8): same 8,030,261,248 parameters, 16.06 GB → 9.08 GB

layer           tensors    parameters before          after
-               3              1,050,677,248  1,050,677,248
model.layers.0  9 → 16           218,112,000    218,112,000
[31 more]
"""


def model(ffn: int = 24) -> Tensors:
    return decoder("model", layers=2, vocab=50, hidden=16, kv=8, ffn=ffn) | matrix("lm_head", 50, 16)


def compared(folder: Path, old: Tensors, new: Tensors, *options: object) -> Ran:
    files = [
        write_safetensors(folder / side / "model.safetensors", tensors) for side, tensors in (("a", old), ("b", new))
    ]
    return ckptinspect("diff", *files, *options)


def test_it_begins_with_what_happened() -> None:
    ran = ckptinspect("diff", "fixtures/real/gpt2.snap", "fixtures/real/gpt2.newlayout.snap", columns=80)

    assert (ran.code, ran.out, ran.err) == (1, LAYOUTS, "")


def test_equal_ones_exit_0() -> None:
    ran = ckptinspect("diff", TINY, TINY)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("no difference in names, dtypes and shapes (82 tensors, 326,528 parameters, 653.06 kB)\n")
    assert (
        "\nnote: values are not compared: a fine-tune that keeps names, dtypes and shapes looks the same\n" in ran.out
    )


@pytest.mark.parametrize("columns", [60, 80, 100, 120, 200])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Llama-3.1-8B-Instruct", "Llama-3.1-8B-Instruct.FP8-block"),
        ("stable-diffusion-v1-5", "sd15-single-file"),
        ("weird-names", "gpt2"),
        ("Qwen2-7B-Instruct", "Mixtral-8x7B"),
    ],
)
def test_every_line_fits(old: str, new: str, columns: int) -> None:
    ran = ckptinspect("diff", REAL / f"{old}.snap", REAL / f"{new}.snap", columns=columns)

    assert max(len(line) for line in ran.out.splitlines() if "snap" not in line) <= columns


def test_grouped_by_layer_and_limited() -> None:
    llama = REAL / "Llama-3.1-8B-Instruct.snap"
    ran = ckptinspect("diff", llama, REAL / "Llama-3.1-8B-Instruct.FP8-block.snap", "--by", "layer", "--limit", "2")
    lines = [line[:59].rstrip() for line in ran.out.splitlines()]

    assert "\n".join([ran.out.splitlines()[0], "", *lines[5:9]]) + "\n" == BY_LAYER
    assert "[5 more]" in ran.out


def test_layers_stand_beside_each_other_whatever_they_are_called() -> None:
    groups = ckptinspect("diff", GPT2, NEWER, "--by", "layer", "-f", "json").data["groups"]

    assert [group["key"] for group in groups] == [["-"], *([f"transformer.h.{number}"] for number in range(12))]
    assert {group["before"]["parameters"] - group["after"]["parameters"] for group in groups} == {0}
    assert [group["before"]["tensors"] - group["after"]["tensors"] for group in groups] == [0, *[1] * 12]


def test_json_has_the_fields_of_the_contract() -> None:
    data = ckptinspect("diff", GPT2, NEWER, "-f", "json").data

    assert (data["equal"], data["added"], data["changed"]) == (False, [], [])
    assert data["modules"] == [
        {
            "module": "model",
            "before": {
                "tensors": 160,
                "stored_elements": 137022720,
                "parameters": 124439808,
                "unexplained_elements": 0,
                "bytes": 548090880,
            },
            "after": {
                "tensors": 148,
                "stored_elements": 124439808,
                "parameters": 124439808,
                "unexplained_elements": 0,
                "bytes": 497759232,
            },
        }
    ]
    assert len(data["removed"]) == 12
    assert data["removed"][0] == {
        "component": "",
        "name": "h.0.attn.bias",
        "dtype": "F32",
        "shape": [1, 1, 1024, 1024],
        "parameters": 0,
        "bytes": 4194304,
        "module": "model",
        "file": "model.safetensors",
    }
    assert data["renamed"][-1] == {
        "before": {"component": "", "name": "wte.weight"},
        "after": {"component": "", "name": "transformer.wte.weight"},
    }
    assert data["renamings"] == [{"before": "*", "after": "transformer.*", "tensors": 148}]
    assert data["counts"] == {"same": 0, "ignored": 0, "renamed": 148, "changed": 0, "added": 0, "removed": 12}
    assert data["difference"]["total"]["bytes"] == data["difference"]["removed"]["bytes"] == -12 * 4194304
    assert [(clause["code"], clause["changes"]) for clause in data["clauses"]] == [
        ("renamed", 148),
        ("buffer-removed", 12),
    ]
    assert (data["old"]["file_bytes"], data["new"]["file_bytes"]) == (548105232, 497774208)


def test_modules_that_were_quantized_are_one_change_each() -> None:
    llama = "Llama-3.1-8B-Instruct"
    data = ckptinspect("diff", REAL / f"{llama}.snap", REAL / f"{llama}.FP8-block.snap", "-f", "json").data
    changed = data["changed"][0]

    assert data["counts"] == {"same": 67, "ignored": 0, "renamed": 0, "changed": 224, "added": 0, "removed": 0}
    assert changed["what"] == ["storage"]
    assert [tensor["name"] for tensor in changed["before"]] == ["model.layers.0.mlp.down_proj.weight"]
    assert [tensor["name"] for tensor in changed["after"]] == [
        "model.layers.0.mlp.down_proj.weight",
        "model.layers.0.mlp.down_proj.weight_scale_inv",
    ]
    assert data["difference"]["changed"]["bytes"] == data["difference"]["total"]["bytes"] == 9082904576 - 16060522496


def test_limit_shortens_every_list_and_the_counts_stay() -> None:
    data = ckptinspect("diff", GPT2, NEWER, "--by", "layer", "--limit", "3", "-f", "json").data

    assert [len(data[name]) for name in ("groups", "removed", "renamed")] == [3, 3, 3]
    assert (data["left_out"], data["counts"]["removed"], data["counts"]["renamed"]) == (10, 12, 148)


def test_csv_and_jsonl_give_a_row_for_each_change() -> None:
    rows = list(csv.DictReader(io.StringIO(ckptinspect("diff", GPT2, NEWER, "-f", "csv").out)))
    lines = [json.loads(line) for line in ckptinspect("diff", GPT2, NEWER, "-f", "jsonl").out.splitlines()]

    assert len(rows) == len(lines) == 160
    assert {row["change"] for row in rows} == {"renamed", "removed"}
    assert lines[0] == {
        "change": "removed",
        "what": "",
        "module": "model",
        "before_name": "h.0.attn.bias",
        "before_dtype": "F32",
        "before_shape": [1, 1, 1024, 1024],
        "before_tensors": 1,
        "before_parameters": 0,
        "before_bytes": 4194304,
        "after_name": None,
        "after_dtype": None,
        "after_shape": None,
        "after_tensors": 0,
        "after_parameters": 0,
        "after_bytes": 0,
    }
    assert ckptinspect("diff", TINY, TINY, "-f", "csv").out.startswith("change,what,module,before_name,")
    assert ckptinspect("diff", TINY, TINY, "-f", "jsonl").out == ""


def test_all_gives_each_tensor_a_line() -> None:
    folded, each = (ckptinspect("diff", GPT2, NEWER, *options).out for options in ((), ("--all",)))

    assert "h.{0-11}.attn.bias" in folded
    assert [f"h.{number}.attn.bias" in each for number in (0, 11)] == [True, True]
    assert "wte.weight           " in each
    assert "more]" not in each


def test_markdown_and_html_hold_the_same(tmp_path: Path) -> None:
    page = tmp_path / "diff.html"
    assert ckptinspect("diff", GPT2, NEWER, "-o", page).code == 1
    written = ckptinspect("diff", GPT2, NEWER, "-f", "markdown").out

    assert written.startswith("## same model under other names \\(148 tensors renamed\\); 12 buffers removed: same ")
    assert "| removed | 12 | h.\\{0-11\\}.attn.bias | F32 \\[1, 1, 1024, 1024\\] |\n" in written
    assert "<h1>same model under other names (148 tensors renamed); 12 buffers removed: same " in page.read_text()
    assert "<h2>Renamed</h2>" in page.read_text()


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv", "markdown", "html"])
def test_names_from_files_are_inert_in_every_format(form: str) -> None:
    for pair in (("weird-names", "gpt2"), ("gpt2", "weird-names")):
        out = ckptinspect("diff", *(REAL / f"{name}.snap" for name in pair), "--all", "-f", form).out

        assert "\x1b" not in out
        assert "\u202e" not in out or form in {"json", "jsonl", "csv"}
        assert "<script>alert" not in out or form in {"json", "jsonl", "csv", "table"}


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        ((), 1, "cast from F32 to BF16: same "),
        (("--ignore-dtype",), 0, "no difference in names and shapes ("),
        (("--match", "*.mlp.*"), 1, "cast from F32 to BF16: same 2,304 parameters, "),
        (
            ("--match", "*.mlp.*", "--ignore-dtype"),
            0,
            "no difference in names and shapes (6 tensors, 2,304 parameters, ",
        ),
        (("--match", "nothing"), 0, "nothing to compare\n"),
    ],
)
def test_what_is_not_asked_for_makes_no_difference(
    options: tuple[str, ...], code: int, sentence: str, tmp_path: Path
) -> None:
    wide = {name: ("F32", shape) for name, (_, shape) in model().items()}

    ran = compared(tmp_path, wide, model(), *options)

    assert (ran.code, ran.err) == (code, "")
    assert ran.out.startswith(sentence)


def test_a_glob_that_nothing_matches_is_told() -> None:
    out = ckptinspect("diff", GPT2, NEWER, "--match", "attn").out

    assert "note: no name matches 'attn'; a GLOB is for whole names: try '*attn*'" in out


def test_a_glob_is_for_names_on_either_side() -> None:
    data = ckptinspect("diff", GPT2, NEWER, "--match", "transformer.h.3.*", "-f", "json").data

    assert [(name["before"]["name"], name["after"]["name"]) for name in data["renamed"][:1]] == [
        ("h.3.attn.c_attn.bias", "transformer.h.3.attn.c_attn.bias")
    ]
    assert (data["counts"]["renamed"], data["counts"]["removed"]) == (12, 0)
    assert data["old"]["compared"]["tensors"] == data["new"]["compared"]["tensors"] == 12


@pytest.mark.parametrize(
    ("old", "new", "code", "sentence"),
    [
        (TINY, "./nothing", 3, "./nothing: no such file or folder; check the spelling"),
        ("./nothing", TINY, 3, "./nothing: no such file or folder; check the spelling"),
        (TINY, "", 2, None),
        (TINY, FIXTURES / "README.md", 4, None),
    ],
)
def test_a_side_that_fails_fails_the_whole(old: object, new: object, code: int, sentence: str | None) -> None:
    ran = ckptinspect("diff", old, new)

    assert (ran.code, ran.out) == (code, "")
    assert sentence is None or ran.err == f"error: {sentence}\n"
    assert ran.err.count("\n") == 1


def test_two_are_needed_and_no_more() -> None:
    assert ckptinspect("diff", TINY).err == "error: missing argument 'NEW'; see ckptinspect diff --help\n"
    assert ckptinspect("diff", TINY, TINY, TINY).code == 2
    assert ckptinspect("diff", TINY, TINY, "--by", "colour").code == 2


def test_a_damaged_file_is_told_with_its_side(tmp_path: Path) -> None:
    good = write_safetensors(tmp_path / "a" / "model.safetensors", model())
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "model.safetensors").write_bytes(good.read_bytes()[:40])

    ran = ckptinspect("diff", tmp_path / "a", tmp_path / "b")

    assert ran.code == 4
    assert ran.err.startswith(f"error: {tmp_path}/b: model.safetensors: ")


def test_a_shard_that_fails_makes_the_answer_partial(tmp_path: Path) -> None:
    shards = {f"model-0000{n}-of-00002.safetensors": {f"model.{n}.weight": ("F32", (2, n))} for n in (1, 2)}
    for side in "ab":
        write_sharded(tmp_path / side, shards)
    (tmp_path / "b" / "model-00002-of-00002.safetensors").unlink()

    ran = ckptinspect("diff", tmp_path / "a", tmp_path / "b", "-f", "json")

    assert ran.code == 5
    assert ran.err.startswith(f"error: {tmp_path}/b: model-00002-of-00002.safetensors: the shard is missing; ")
    assert [name["name"] for name in ran.data["removed"]] == ["model.2.weight"]
    assert [failed["path"] for failed in ran.data["new"]["failed"]] == ["model-00002-of-00002.safetensors"]
    assert ran.data["notes"][0] == {
        "code": "shards-failed",
        "message": "NEW: 1 of 2 shards could not be read (model-00002-of-00002.safetensors): the figures are those of the others",
    }


def test_a_folder_against_the_hub(tmp_path: Path) -> None:
    for side, tensors in (("here", model()), ("there", model(ffn=16))):
        write_safetensors(tmp_path / side / "model.safetensors", tensors)
        write_json(tmp_path / side / "config.json", {"model_type": "llama", "tie_word_embeddings": False})

    with TestHub({"org/pruned": tmp_path / "there"}) as hub:
        ran = ckptinspect(
            "diff", tmp_path / "here", "org/pruned", environment=hub.environment(tmp_path / "home"), cwd=tmp_path
        )

    assert (ran.code, ran.err) == (1, "")
    assert ran.out.startswith("pruned (mlp width 24 → 16 in 2 layers): 5,520 → 4,752 parameters, ")
    assert "NEW  org/pruned @ " in ran.out


def test_quiet_leaves_the_notes_out_and_verbose_says_what_was_read_of_each() -> None:
    assert "note:" not in ckptinspect("diff", TINY, TINY, "-q").out
    assert ckptinspect("diff", TINY, TINY, "-v").err == 2 * "read 15.07 kB (via local)\n"


def test_the_same_input_gives_the_same_bytes_out() -> None:
    pair = (REAL / "Mixtral-8x7B.snap", REAL / "Llama-3.1-8B-Instruct.snap")
    once, again = (ckptinspect("diff", *pair, "-f", "json", environment={"PYTHONHASHSEED": seed}).out for seed in "17")

    assert once == again


def test_a_terminal_without_arrows_gets_them_spelled() -> None:
    out = ckptinspect("diff", GPT2, NEWER, environment={"PYTHONIOENCODING": "ascii"}).out

    assert out.isascii()
    assert "548.09 MB -> 497.76 MB" in out or "548.09 MB \\u2192 497.76 MB" in out
