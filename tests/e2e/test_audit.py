"""``audit`` and ``rule`` as a person or a pipeline runs them: formats, exit codes, settings, baselines, the Hub."""

import csv
import hashlib
import io
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

from fixtures.rules import grow, rule_fixtures
from tests.e2e.command import FIXTURES, Ran, ckptinspect
from tests.folders import Shapes, write_json, write_safetensors, write_sharded
from tests.hub_server import TestHub

TINY = FIXTURES / "tiny-qwen2-vl"
W: Shapes = {"w": ("F32", (4,))}
BAD = {fixture.name: fixture.bad for fixture in rule_fixtures()}

SHOWN = """\
it

model.safetensors
  error    CK101 truncated-file  the tensors need 16 bytes of data, but the file
                                 has 12
                                 try: fetch the file again
  info     CK609 config-missing  no config stands beside the weights
                                 try: put the config beside the weights

1 error and 1 info

note: headers show no values: NaN, zeros and flipped bits are not seen here;
      --hash compares the content
"""


@pytest.fixture
def truncated(tmp_path: Path) -> Path:
    grow(BAD["truncated-file"], tmp_path / "it")
    return tmp_path


def test_findings_stand_file_by_file_with_what_to_try(truncated: Path) -> None:
    ran = ckptinspect("audit", "it", columns=80, cwd=truncated)

    assert (ran.code, ran.out, ran.err) == (1, SHOWN, "")


def test_a_clean_checkpoint_is_said_to_be_and_what_was_not_looked_at() -> None:
    ran = ckptinspect("audit", TINY)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"{TINY}\n\nnothing found\n\n"
        "note: headers show no values: NaN, zeros and flipped bits are not seen here; --hash compares the content\n"
    )
    assert ckptinspect("audit", TINY, "-q").out == f"{TINY}\n\nnothing found\n"


@pytest.mark.parametrize("width", [50, 80, 200])
def test_every_line_fits_its_screen(width: int, tmp_path: Path) -> None:
    for name, recipes in BAD.items():
        grow(recipes, tmp_path / name)
    ran = ckptinspect("audit", *sorted(BAD), columns=width, cwd=tmp_path)

    assert max(len(line) for line in ran.out.splitlines()) <= width
    assert ran.out.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 1),
        (["--fail-on", "error"], 1),
        (["--fail-on", "never"], 0),
        (["--ignore", "CK1"], 0),
        (["--ignore", "CK1", "--fail-on", "info"], 1),
        (["--ignore", "CK1,CK6", "--fail-on", "info"], 0),
        (["--select", "config-missing"], 0),
        (["--select", "nothing"], 2),
        (["--fail-on", "sometimes"], 2),
        (["--against", "org/name"], 2),
        (["--config", "nowhere.toml"], 3),
        (["--baseline", "nowhere.json"], 3),
        (["--base", "nowhere.safetensors"], 3),
        (["-f", "sarf"], 2),
    ],
)
def test_the_exit_code_of_one_ref(arguments: list[str], code: int, truncated: Path) -> None:
    ran = ckptinspect("audit", "it", *arguments, cwd=truncated)

    assert ran.code == code
    assert (ran.err == "") == (code < 2)


@pytest.mark.parametrize(("ref", "code"), [("nowhere/model.safetensors", 3), ("no:such:thing", 2), ("empty", 3)])
def test_one_ref_that_cannot_be_looked_at_fails_as_every_verb_does(ref: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = ckptinspect("audit", ref, cwd=tmp_path)

    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1


def test_one_of_several_that_cannot_be_looked_at_is_a_row(truncated: Path) -> None:
    ran = ckptinspect("audit", "it", "./nowhere", TINY, "-f", "json", cwd=truncated)

    assert ran.code == 5
    assert ran.err == "error: ./nowhere: no such file or folder; check the spelling\n"
    assert [(repo["status"], repo["kind"]) for repo in ran.data["repos"]] == [
        ("audited", None),
        ("skipped", "source"),
        ("audited", None),
    ]
    assert ran.data["totals"] == {
        "accepted": 0,
        "audited": 2,
        "errors": 1,
        "infos": 1,
        "skipped": 1,
        "warnings": 0,
        "wasted_bytes": 0,
    }


def test_json_lines_have_one_object_a_repository_with_the_fields_of_the_contract(truncated: Path) -> None:
    lines = ckptinspect("audit", "it", TINY, "-f", "jsonl", cwd=truncated).out.splitlines()
    first, second = map(json.loads, lines)

    contract = {"ref", "status", "kind", "findings", "reason", "requests", "bytes_read"}
    assert contract <= set(first) == set(second)
    assert {"rule", "severity", "message", "path", "tensor", "wasted_bytes"} <= set(first["findings"][0])
    assert (first["ref"], first["status"], first["findings"][0]["rule"]) == ("it", "audited", "CK101")
    assert second["findings"] == []


def test_csv_has_a_row_a_finding_and_its_columns_where_there_is_none(truncated: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(ckptinspect("audit", "it", "-f", "csv", cwd=truncated).out)))

    assert [(row["ref"], row["rule"], row["path"]) for row in rows] == [
        ("it", "CK101", "model.safetensors"),
        ("it", "CK609", "model.safetensors"),
    ]
    assert ckptinspect("audit", TINY, "-f", "csv").out == ("ref,rule,name,severity,message,path,tensor,wasted_bytes\n")


def test_pipelines_get_sarif_junit_and_annotations(truncated: Path) -> None:
    assert ckptinspect("audit", "it", "-o", "audit.sarif", cwd=truncated).code == 1
    log = Sarif.model_validate_json((truncated / "audit.sarif").read_text())
    assert [result.ruleId for result in log.runs[0].results] == ["CK101", "CK609"]
    uri = log.runs[0].results[0].locations[0].physicalLocation.artifactLocation.uri
    assert uri == "it/model.safetensors"

    suites = ET.fromstring(ckptinspect("audit", "it", "-f", "junit", "--fail-on", "info", cwd=truncated).out)
    assert suites.attrib["failures"] == "2"

    assert ckptinspect("audit", "it", "-f", "github", "--select", "CK1", cwd=truncated).out == (
        "::error file=it/model.safetensors,title=CK101 truncated-file::"
        "the tensors need 16 bytes of data, but the file has 12; fetch the file again\n"
    )


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_people_get_a_page(form: str, truncated: Path) -> None:
    ran = ckptinspect("audit", "it", "-f", form, cwd=truncated)

    assert ran.code == 1
    assert "CK101 truncated-file" in ran.out
    assert "fetch the file again" in ran.out


def test_the_same_input_gives_the_same_bytes_out(tmp_path: Path) -> None:
    for name, recipes in BAD.items():
        grow(recipes, tmp_path / name)
    outs = {
        ckptinspect("audit", *sorted(BAD), "-f", "json", cwd=tmp_path, environment={"PYTHONHASHSEED": seed}).out
        for seed in ("1", "2")
    }

    assert len(outs) == 1


def test_what_a_baseline_accepts_is_left_out_until_something_new_comes(truncated: Path) -> None:
    wrote = ckptinspect("audit", "it", "--write-baseline", "accepted.json", cwd=truncated)
    assert (wrote.code, wrote.out.count("CK101")) == (0, 1)

    ran = ckptinspect("audit", "it", "--baseline", "accepted.json", "--fail-on", "info", cwd=truncated)
    assert ran.code == 0
    assert "nothing found; 2 findings accepted by the baseline" in ran.out

    write_json(truncated / "it" / "model.safetensors.index.json", {"weight_map": {"w": "../x"}})
    again = ckptinspect("audit", "it", "--baseline", "accepted.json", "-f", "json", cwd=truncated)
    assert again.code == 1
    assert {finding["rule"] for finding in again.data["repos"][0]["findings"]} >= {"CK802"}


def test_a_project_settles_what_it_wants_once(truncated: Path) -> None:
    (truncated / "pyproject.toml").write_text(
        '[tool.ckptinspect.audit]\nignore = ["CK1"]\nfail-on = "warning"\n'
        '[tool.ckptinspect.audit.rules.config-missing]\nseverity = "warning"\n'
    )
    ran = ckptinspect("audit", "it", cwd=truncated)
    assert (ran.code, "CK101" in ran.out, "warning  CK609" in ran.out) == (1, False, True)

    assert ckptinspect("audit", "it", "--fail-on", "error", cwd=truncated).code == 0
    assert "CK101" in ckptinspect("audit", "it", "--ignore", "", cwd=truncated).out
    (truncated / "other.toml").write_text('[audit]\nselect = ["CK8"]\n')
    assert ckptinspect("audit", "it", "--config", "other.toml", cwd=truncated).code == 0
    (truncated / "pyproject.toml").write_text("[tool.ckptinspect.audit]\nfail_on = 'error'\n")
    wrong = ckptinspect("audit", "it", cwd=truncated)
    assert (wrong.code, wrong.out) == (2, "")
    assert "unknown field `fail_on`" in wrong.err


def test_a_tree_is_audited_checkpoint_by_checkpoint(tmp_path: Path) -> None:
    for number in range(12):
        write_safetensors(tmp_path / "tree" / f"run{number:02}" / "model.safetensors", W, {"format": "pt"})
    grow(BAD["empty-file"], tmp_path / "tree" / "zz")
    ran = ckptinspect("audit", "tree", "--recursive", "-f", "jsonl", "--select", "CK1", cwd=tmp_path)
    rows = [json.loads(line) for line in ran.out.splitlines()]

    assert ran.code == 1
    assert [row["ref"] for row in rows] == [*(f"tree/run{number:02}" for number in range(12)), "tree/zz"]
    assert [len(row["findings"]) for row in rows] == [0] * 12 + [1]
    assert ckptinspect("audit", "tree", "--select", "CK1", "-f", "csv", cwd=tmp_path).out.count("CK104") == 1


@pytest.mark.parametrize(("ref", "code"), [("nowhere", 2), ("file", 2), ("empty", 3)])
def test_a_tree_without_checkpoints_is_a_sentence(ref: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    ran = ckptinspect("audit", ref, "--recursive", cwd=tmp_path)

    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)


def test_an_adapter_is_held_against_its_base(tmp_path: Path) -> None:
    fixture = next(fixture for fixture in rule_fixtures() if fixture.name == "adapter-unlike-base")
    grow(fixture.bad, tmp_path / "bad")
    grow(fixture.good, tmp_path / "good")
    grow(fixture.base, tmp_path / "base")

    assert ckptinspect("audit", "good", "--base", "base", cwd=tmp_path).code == 0
    assert "CK613" in ckptinspect("audit", "bad", "--base", "base", cwd=tmp_path).out


def test_contents_are_compared_where_that_is_asked_for(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "it" / "model.safetensors", W, {"format": "pt"})
    notes = tmp_path / "it" / ".cache" / "huggingface" / "download"
    notes.mkdir(parents=True)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (notes / "model.safetensors.metadata").write_text(f"{'c' * 40}\n{digest}\n1.0\n")

    fine = ckptinspect("audit", "it", "--hash", cwd=tmp_path)
    assert (fine.code, "headers show no values" in fine.out) == (0, False)
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    bad = ckptinspect("audit", "it", "--hash", cwd=tmp_path)
    assert (bad.code, "CK108" in bad.out) == (1, True)
    assert ckptinspect("audit", "it", cwd=tmp_path).code == 0
    shutil.rmtree(notes)
    assert ckptinspect("audit", "it", "--hash", cwd=tmp_path).code == 3


def test_rules_are_listed_and_explained() -> None:
    listed = ckptinspect("rule", columns=80)
    assert listed.code == 0
    assert max(len(line) for line in listed.out.splitlines()) <= 80
    assert ckptinspect("rule", "CK3", "-f", "csv").out.count("\n") > 5
    one = ckptinspect("rule", "ck301", columns=80)
    assert one.out == ckptinspect("rule", "missing-shard", columns=80).out
    for heading in ("What it does", "Why it matters", "What it can't see", "How to fix"):
        assert heading in one.out
    assert ckptinspect("rule", "CK206", "-f", "json").data["rules"][0]["settings"] == {"limit": 25000000}
    wrong = ckptinspect("rule", "missing-shards")
    assert (wrong.code, wrong.err) == (2, "error: there is no rule 'missing-shards'; did you mean missing-shard?\n")


def on_hub(hub: TestHub, tmp_path: Path, *arguments: object) -> Ran:
    return ckptinspect("audit", *arguments, environment=hub.environment(tmp_path / "home"))


SHARDED = {"model-00001-of-00002.safetensors": W, "model-00002-of-00002.safetensors": {"v": ("F32", (4,))}}


def test_a_repository_of_the_hub_is_read_by_ranges_at_one_commit(tmp_path: Path) -> None:
    write_sharded(tmp_path / "repo", SHARDED)
    write_json(tmp_path / "repo" / "config.json", {"model_type": "llama"})
    with TestHub({"org/name": tmp_path / "repo"}) as hub:
        ran = on_hub(hub, tmp_path, "org/name", "-f", "json")
        (repo,) = ran.data["repos"]

        assert (ran.code, ran.err) == (0, "")
        assert repo["commit"] == hub.repos["org/name"].commit
        # The listing, the config, the index, and two hops for each shard.
        assert repo["requests"] == 1 + 2 + 2 + 2 * 2
        assert len(hub.requests) == repo["requests"]


def test_what_the_hub_counts_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_safetensors(tmp_path / "repo" / "model.safetensors", W)
    with TestHub({"org/name": tmp_path / "repo"}) as hub:
        plain = hub.repos["org/name"].listing
        answer = {"safetensors": {"parameters": {"F32": 333312}, "total": 333312}}
        monkeypatch.setattr(
            hub.repos["org/name"],
            "listing",
            lambda *, blobs: json.dumps(json.loads(plain(blobs=blobs)) | answer).encode(),
        )
        findings = on_hub(hub, tmp_path, "org/name", "-f", "json").data["repos"][0]["findings"]

    assert [f["message"] for f in findings if f["rule"] == "CK903"] == ["the Hub shows 333,312 parameters; there are 4"]


def test_a_shard_that_never_comes_is_a_finding_and_the_rest_is_audited(tmp_path: Path) -> None:
    write_sharded(tmp_path / "repo", SHARDED)
    with TestHub({"org/name": tmp_path / "repo"}) as hub:
        hub.inject("404", "model-00002", times=100)
        ran = on_hub(hub, tmp_path, "org/name", "-f", "json")
    (repo,) = ran.data["repos"]

    assert (ran.code, repo["status"]) == (1, "audited")
    assert [f["path"] for f in repo["findings"] if f["rule"] == "CK107"] == ["model-00002-of-00002.safetensors"]


def test_a_gated_repository_is_skipped_with_its_reason(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "repo" / "model.safetensors", W)
    with TestHub({"org/name": tmp_path / "repo", "org/other": tmp_path / "repo"}) as hub:
        hub.gated.add("org/name")
        alone = on_hub(hub, tmp_path, "org/name")
        ran = on_hub(hub, tmp_path, "org/name", "org/other", "org/absent", "-f", "json")

    assert (alone.code, alone.out) == (3, "")
    assert "gated" in alone.err
    assert ran.code == 5
    assert [repo["status"] for repo in ran.data["repos"]] == ["skipped", "audited", "skipped"]
    assert "gated" in ran.data["repos"][0]["reason"]
