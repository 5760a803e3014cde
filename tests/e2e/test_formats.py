"""What holds of every format: quiet, partial, alphabets, spreadsheets, widths."""

import csv
import io
import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.e2e.command import FIXTURES, ckptinspect
from tests.folders import Shapes, write_safetensors, write_sharded

GPT2 = FIXTURES / "real" / "gpt2.snap"
READING = ("show", "tensors", "tree", "formula", "estimate")
PROSE = ("table", "markdown", "html")
FORMATS = (*PROSE, "json", "jsonl", "csv")
FAILED = {
    "path": "model-00002-of-00002.safetensors",
    "kind": "source",
    "message": "model-00002-of-00002.safetensors: the shard is missing; fetch it: the checkpoint is not whole without it",
}


@pytest.fixture(scope="module")
def partial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards by the index, one of which is not there."""
    folder = tmp_path_factory.mktemp("partial")
    shards: dict[str, Shapes] = {f"model-0000{n}-of-00002.safetensors": {f"w{n}": ("F32", (2,))} for n in (1, 2)}
    write_sharded(folder, shards)
    (folder / "model-00002-of-00002.safetensors").unlink()
    return folder


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("verb", READING)
def test_a_failed_shard_is_told_and_is_exit_code_5(verb: str, form: str, partial: Path) -> None:
    for quiet in ([], ["-q"]):
        ran = ckptinspect(verb, partial, "-f", form, *quiet)

        assert (ran.code, ran.err) == (5, f"error: {FAILED['message']}\n")
        if form in PROSE:
            assert "1 of 2 files" in ran.out
            assert ("1 of 2 shards could not be read" in ran.out) is not bool(quiet)
        if form == "json":
            assert ran.data["failed"] == [FAILED]
            assert ran.data["notes"][0]["code"] == "shards-failed"


def test_a_snapshot_keeps_that_a_shard_failed(partial: Path, tmp_path: Path) -> None:
    ran = ckptinspect("snapshot", partial, "-o", tmp_path / "x.snap", "-f", "json")

    assert (ran.code, ran.data["failed"]) == (5, [FAILED])
    assert ckptinspect(tmp_path / "x.snap").code == 5


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("damage", "code"), [("missing", 3), ("garbled", 4)])
def test_where_nothing_can_be_read_there_is_no_answer(damage: str, code: int, form: str, tmp_path: Path) -> None:
    file = write_safetensors(tmp_path / "model.safetensors", {"w": ("F32", (2,))})
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(b"garbled" * 9)

    ran = ckptinspect(file, "-f", form)

    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)


@pytest.mark.parametrize("verb", READING)
def test_quiet_leaves_the_notes_out_of_what_people_read(verb: str) -> None:
    for form in PROSE:
        ran, quiet = ckptinspect(verb, GPT2, "-f", form), ckptinspect(verb, GPT2, "-f", form, "-q")
        if verb != "tensors":
            assert "counting it again" in ran.out
        assert "counting it again" not in quiet.out
        assert ran.out.startswith(quiet.out[:100])


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
@pytest.mark.parametrize("verb", [*READING, "dtypes"])
def test_quiet_changes_no_data(verb: str, form: str) -> None:
    arguments = [verb, "-f", form] if verb == "dtypes" else [verb, GPT2, "-f", form]

    assert ckptinspect(*arguments, "-q").out == ckptinspect(*arguments).out != ""


def test_a_quiet_snapshot_says_nothing_but_in_data(tmp_path: Path) -> None:
    arguments = ("snapshot", GPT2, "-o", tmp_path / "x.snap", "-q")

    assert ckptinspect(*arguments).out == ""
    assert (tmp_path / "x.snap").exists()
    assert ckptinspect(*arguments, "-f", "json").data["headers"] == 1
    assert ckptinspect(*arguments, "-f", "csv").out.startswith("ref,output,bytes,")


@pytest.mark.parametrize("verb", READING)
def test_a_table_is_spelled_in_the_alphabet_of_the_terminal(verb: str) -> None:
    for alphabet in ("ascii", "latin-1"):
        ran = printed(verb, GPT2, columns=40, alphabet=alphabet)
        assert ran.isascii() or alphabet == "latin-1"
        assert "\\u" not in ran


def test_a_tree_has_branches_in_ascii() -> None:
    assert printed("tree", GPT2, alphabet="ascii").splitlines()[3:7] == [
        "+ wte            Embedding(50257, 768)      38,597,376  154.39 MB",
        "+ wpe            Embedding(1024, 768)          786,432    3.15 MB",
        "+ h (0-11)       12 x                       85,054,464  390.55 MB",
        "| + ln_1, ln_2   LayerNorm(768)                 36,864  147.46 kB",
    ]


@pytest.mark.parametrize("alphabet", ["ascii", "latin-1", "utf-8"])
def test_columns_stay_in_line_whatever_is_spelled_out(alphabet: str, tmp_path: Path) -> None:
    names = ["é" * 9, "→", "重み", "w" * 90, "plain"]
    file = write_safetensors(tmp_path / "model.safetensors", dict.fromkeys(names, ("F32", (2,))))

    rows = table(printed("tensors", file, columns=60, alphabet=alphabet))[:-1]

    assert {cell_len(row.partition(" F32 ")[0]) for row in rows[1:]} == {rows[0].index(" dtype")}


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "html", "markdown"])
def test_data_are_utf_8_whatever_the_terminal_has(form: str, tmp_path: Path) -> None:
    file = write_safetensors(tmp_path / "model.safetensors", {"é→": ("F32", (2,))})
    ran = [
        ckptinspect("tensors", file, "-f", form, environment={"PYTHONIOENCODING": alphabet})
        for alphabet in ("ascii", "utf-8")
    ]

    assert ran[0].out == ran[1].out
    assert "é→" in ran[0].out


def test_errors_are_spelled_too() -> None:
    ran = ckptinspect("-f", "json", "show", "x", environment={"PYTHONIOENCODING": "ascii"})

    assert ran.err == "error: the verb comes first: ckptinspect show ...\n"


def test_a_cell_that_a_spreadsheet_would_run_is_text(tmp_path: Path) -> None:
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", "\uff1d1", "=", "w,=1", 'w"=1', "w"]
    file = write_safetensors(tmp_path / "model.safetensors", dict.fromkeys(names, ("F32", (2,))))

    rows = list(csv.reader(io.StringIO(ckptinspect("tensors", file, "-f", "csv").out)))
    lines = ckptinspect("tensors", file, "-f", "jsonl").out.splitlines()

    assert [row[0] for row in rows] == [
        *("name", "'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\\t=1", "'\\n=1", "'\uff1d1", "=", "w,=1", 'w"=1', "w"),
    ]
    assert [json.loads(line)["name"] for line in lines] == names
    assert {row[3] for row in rows[1:]} == {"2"}


@pytest.mark.parametrize("by", ["module", "dtype", "layer,role", "depth:2", "shard,module,role"])
def test_groups_have_a_column_for_each_key(by: str) -> None:
    arguments = ("fixtures/tiny-qwen2-vl", "--by", by)
    groups = ckptinspect(*arguments, "-f", "json").data["groups"]
    rows = list(csv.reader(io.StringIO(ckptinspect(*arguments, "-f", "csv").out)))
    lines = [json.loads(line) for line in ckptinspect(*arguments, "-f", "jsonl").out.splitlines()]
    figures = ["tensors", "stored_elements", "parameters", "unexplained_elements", "bytes"]

    keys = by.split(",")
    assert rows[0] == [*keys, *figures]
    assert rows[1:] == [[*group["key"], *(str(group[name]) for name in figures)] for group in groups]
    assert lines == [
        dict(zip(keys, group["key"], strict=True)) | {name: group[name] for name in figures} for group in groups
    ]


def test_a_csv_without_rows_has_its_header() -> None:
    out = ckptinspect("tensors", GPT2, "--match", "nothing", "-f", "csv").out

    assert out == "name,dtype,shape,elements,parameters,bytes,begin,end,file,module\n"


def test_data_say_how_much_a_limit_cut_off() -> None:
    assert ckptinspect("tensors", GPT2, "-f", "json", "--limit", "5").data["left_out"] == 155
    assert ckptinspect("tensors", GPT2, "-f", "json").data["left_out"] == 0
    assert ckptinspect("fixtures/tiny-qwen2-vl", "-f", "json", "--limit", "1").data["left_out"] == 2


@pytest.mark.parametrize("columns", [40, 60, 79, 80, 120, 200])
@pytest.mark.parametrize("verb", [*READING, "dtypes"])
def test_every_line_fits_the_terminal(verb: str, columns: int) -> None:
    for name in ("stable-diffusion-v1-5", "weird-names", "Qwen2-VL-7B-Instruct"):
        ref = [] if verb == "dtypes" else [f"fixtures/real/{name}.snap"]
        assert max(map(cell_len, ckptinspect(verb, *ref, columns=columns).out.splitlines())) <= columns


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (40, "note: no room for the columns tensors, share, bytes"),
        (60, "note: no room for the columns share, bytes"),
        (73, "note: no room for the column share"),
        (75, ""),
        (0, ""),
    ],
)
def test_columns_without_room_are_named(columns: int, told: str) -> None:
    ref = "fixtures/real/Qwen2-VL-7B-Instruct.snap"

    ran, quiet = ckptinspect(ref, columns=columns), ckptinspect(ref, "-q", columns=columns)

    assert " ".join(ran.out.removeprefix(quiet.out).split()) == told


def test_one_very_long_name_lengthens_no_other_row(tmp_path: Path) -> None:
    tensors: Shapes = {"a": ("F32", (2,)), "x" * 10_000: ("F32", (2,)), "b": ("F32", (2,))}
    file = write_safetensors(tmp_path / "model.safetensors", tensors)

    for verb in ("tensors", "tree"):
        lengths = sorted(map(len, printed(verb, file).splitlines()))

        assert lengths[-2] < 200
        assert lengths[-1] > 10_000


def test_one_very_long_name_takes_no_column_from_the_others(tmp_path: Path) -> None:
    tensors: Shapes = {"a": ("F32", (2,)), "x" * 5_000 + "y" * 5_000: ("F32", (2,))}
    file = write_safetensors(tmp_path / "model.safetensors", tensors)

    rows = table(printed("tensors", file, columns=80))

    assert rows[0].split() == ["name", "dtype", "shape", "parameters", "bytes"]
    assert "xxx…yyy" in rows[2]


def printed(*arguments: object, columns: int = 0, alphabet: str = "utf-8") -> str:
    """What a table looks like on a terminal of that alphabet."""
    environment = {"PYTHONIOENCODING": alphabet, "PYTHONUTF8": "0"}
    ran = ckptinspect(*arguments, columns=columns, environment=environment, alphabet=alphabet)
    assert ran.code == 0
    return ran.out


def table(out: str) -> list[str]:
    """The lines of the first table, without the title above and the notes below."""
    return out.split("\n\n")[1].splitlines()
