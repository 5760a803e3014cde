"""What is typed amiss, and what is typed in more ways than one: in this process, for speed."""

from pathlib import Path

import pytest

from ckptinspect.cli.main import run
from tests.e2e.command import FIXTURES
from tests.folders import write_safetensors

TINY = str(FIXTURES / "tiny-qwen2-vl")
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


def said(capfd: Capture, *arguments: str) -> tuple[int, str]:
    """The exit code and the sentence; nothing else may have come out."""
    code = run(list(arguments))
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return code, err.removeprefix("error: ").rstrip("\n")


def shown(capfd: Capture, *arguments: str) -> str:
    assert run(list(arguments)) == 0
    out, err = capfd.readouterr()
    assert err == ""
    return out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "a", "b"], "show takes one REF at a time; 'b' is the second"),
        (["a", "b", "c"], "show takes one REF at a time; 'b' is the second"),
        (["tree", "a", "b"], "tree takes one REF at a time; 'b' is the second"),
        (["show", "tre", "b"], "show takes one REF at a time; 'b' is the second"),
        (["dtypes", "a"], "dtypes takes no REF; 'a' is one too many"),
        (["shwo", "a"], "'shwo' is no verb; did you mean show?"),
        (["-f", "json", "tree", "a"], "the verb comes first: ckptinspect tree …"),
        (["help", "tre"], "'tre' is no verb; did you mean tree?"),
        (["help", "colour"], "'colour' is no verb; choose one of audit, bench, browse, cache, diff, dtypes, estimate, formula, rule, show, snapshot, tensors, tree"),
        ([TINY, "--limt", "3"], "there is no option '--limt'; did you mean --limit?"),
        ([TINY, "-x"], "there is no option '-x'; see ckptinspect show --help"),
        (["--nothing"], "there is no option '--nothing'; see ckptinspect show --help"),
        ([TINY, "--match", "x"], "show has no option '--match'; it is for browse, diff, tensors"),
        (["tensors", TINY, "--module", "x"], "tensors has no option '--module'; it is for browse, formula, tree"),
        (["tree", TINY, "--depth"], "option '--depth' requires an argument; see ckptinspect tree --help"),
        (["tree", TINY, "--depth=-1"], "--depth: '-1' is no whole number of 0 or more; write it in digits"),
        (["no/such", "-f", "xml"], "--format: 'xml' is no format; choose one of table, json, jsonl, csv, markdown, html"),
        (["no/such", "-o", ""], "--output: it names no file; name one, or - for standard output"),
        ([TINY, "--via", "x"], "--via: 'x' is no choice; choose one of auto, endpoint, ranges"),
    ],
)  # fmt: skip
def test_what_is_typed_amiss_is_a_sentence_that_says_what_to_type(
    arguments: list[str], sentence: str, capfd: Capture
) -> None:
    assert said(capfd, *arguments) == (2, sentence)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([""], "it names no key to group by; choose from module, dtype, layer, role, base, shard, depth:N"),
        (["module,"], "it names no key to group by; choose from module, dtype, layer, role, base, shard, depth:N"),
        (["Module"], "no key 'Module' to group by; choose from module, dtype, layer, role, base, shard, depth:N"),
        (["depth:0"], "'depth:0' has no depth from 1 to 99; write depth:2"),
        (["depth:-1"], "'depth:-1' has no depth from 1 to 99; write depth:2"),
        (["depth:"], "'depth:' has no depth from 1 to 99; write depth:2"),
        (["depth"], "'depth' has no depth from 1 to 99; write depth:2"),
        (["depth:²"], "'depth:²' has no depth from 1 to 99; write depth:2"),
        (["depth:999999999999"], "'depth:999999999999' has no depth from 1 to 99; write depth:2"),
        (["module,module"], "'module' is named twice; name each key once"),
        (["module", "dtype,module"], "'module' is named twice; name each key once"),
        (["depth:2,depth: 02"], "'depth:2' is named twice; name each key once"),
    ],
)
def test_a_grouping_that_is_none_is_a_sentence(given: list[str], sentence: str, capfd: Capture) -> None:
    assert said(capfd, TINY, *(f"--by={keys}" for keys in given)) == (2, f"--by: {sentence}")


def test_groupings_given_one_by_one_are_joined(capfd: Capture) -> None:
    together = shown(capfd, TINY, "--by", "module,role,depth:2")

    assert shown(capfd, TINY, "--by", "module", "--by", " role , depth: 2") == together


def test_a_repository_that_is_spelled_like_a_verb_is_asked_about(capfd: Capture) -> None:
    code, sentence = said(capfd, "dtype", "--offline")

    assert code == 3
    assert sentence.endswith("; or did you mean the verb dtypes?")


def test_help_is_a_verb_too(capfd: Capture) -> None:
    assert shown(capfd, "help") == shown(capfd, "--help")
    assert shown(capfd, "help", "tree") == shown(capfd, "tree", "--help")


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("ckptinspect t", ["tensors", "tree"]),
        ("ckptinspect show --f", ["--format"]),
        ("ckptinspect show x -f j", ["json", "jsonl"]),
        ("ckptinspect show x --via e", ["endpoint"]),
        ("ckptinspect tensors x --so", ["--sort"]),
    ],
)
def test_the_shell_completes_verbs_options_and_choices(
    words: str, completed: list[str], capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_CKPTINSPECT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    with pytest.raises(SystemExit):
        run([])

    assert capfd.readouterr().out.split() == completed


@pytest.mark.parametrize(
    ("column", "first"),
    [
        ("module", "lm_head"),
        ("-module", "visual"),
        ("parameters", "lm_head"),
        ("-parameters", "model"),
        ("-share", "model"),
        ("share", "lm_head"),
        ("-bytes", "model"),
        ("-size", "model"),
        ("-stored_elements", "model"),
        ("tensors", "lm_head"),
        ("dtype", "visual"),
        ("-dtype", "visual"),
    ],
)
def test_groups_are_sorted_by_any_column_and_keep_their_order_where_equal(
    column: str, first: str, capfd: Capture
) -> None:
    for spelled in (["--sort", column], [f"--sort={column}"]):
        assert shown(capfd, TINY, *spelled).splitlines()[3].split()[0] == first


@pytest.mark.parametrize(
    "column", ["name", "dtype", "shape", "elements", "parameters", "bytes", "begin", "end", "module", "file"]
)
def test_tensors_are_sorted_by_any_column(column: str, capfd: Capture) -> None:
    up = shown(capfd, "tensors", TINY, "--sort", column).splitlines()[3:-1]
    down = shown(capfd, "tensors", TINY, "--sort", f"-{column}").splitlines()[3:-1]

    assert sorted(up) == sorted(down)
    assert up != down or column == "dtype"


def test_tensors_that_are_equal_come_by_their_names_and_layer_2_before_layer_10(tmp_path: Path, capfd: Capture) -> None:
    names = [f"layers.{number}.w" for number in (10, 2, 1)]
    file = write_safetensors(tmp_path / "model.safetensors", dict.fromkeys(names, ("F32", (2,))))

    rows = shown(capfd, "tensors", str(file), "--sort=-bytes").splitlines()[3:-1]

    assert [row.split()[0] for row in rows] == ["layers.1.w", "layers.2.w", "layers.10.w"]


def test_a_limit_says_what_it_left_out(capfd: Capture) -> None:
    assert shown(capfd, "tensors", TINY, "--limit", "5").splitlines()[-1].startswith("5 of 82 tensors ")
    assert shown(capfd, "tensors", TINY).splitlines()[-1].startswith("82 tensors ")
    assert "\n[2 more]  " in shown(capfd, TINY, "--limit", "1")


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("x.json", "{\n"),
        ("x.jsonl", '{"bytes"'),
        ("x.csv", "module,dtype,"),
        ("x.md", "## "),
        ("x.html", "<!doctype html>"),
        ("X.HTML", "<!doctype html>"),
        ("x.txt", f"{TINY}: sharded"),
        ("x.dat", f"{TINY}: sharded"),
        ("json", f"{TINY}: sharded"),
    ],
)
def test_the_ending_of_a_file_says_its_format(name: str, begins: str, tmp_path: Path, capfd: Capture) -> None:
    assert shown(capfd, TINY, "-o", str(tmp_path / name)) == ""
    assert (tmp_path / name).read_text().startswith(begins)


def test_a_format_that_is_named_wins_over_the_ending(tmp_path: Path, capfd: Capture) -> None:
    shown(capfd, TINY, "-o", str(tmp_path / "x.csv"), "-f", "json")

    assert (tmp_path / "x.csv").read_text().startswith("{\n")


def test_what_is_asked_of_no_terminal_is_whole(capfd: Capture) -> None:
    assert "no room" not in shown(capfd, "tensors", TINY)
