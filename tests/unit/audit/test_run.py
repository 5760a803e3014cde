"""One REF through the function that a worker is handed."""

import asyncio
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from ckptinspect.audit.base import Audited, Finding, Rule, Severity, Skipped
from ckptinspect.audit.choice import Chosen, chosen
from ckptinspect.audit.rules import RULES
from ckptinspect.audit.run import MAX_FINDINGS, Options, audit_one, audit_one_async, audited
from ckptinspect.audit.subject import Subject
from tests.audits import findings_in, subjects_of
from tests.folders import Shapes, write_json, write_safetensors, write_sharded

W: Shapes = {"w": ("F32", (4,))}
ALL = Options(chosen(RULES), debug=True)


class Broken(Rule, frozen=True):
    code: ClassVar[str] = "CK199"
    name: ClassVar[str] = "broken"

    def check(self, subject: Subject) -> Iterator[Finding]:
        yield self.found("before it breaks")
        raise KeyError("\x1b[31m")


class Talkative(Rule, frozen=True):
    code: ClassVar[str] = "CK198"
    name: ClassVar[str] = "talkative"

    def check(self, subject: Subject) -> Iterator[Finding]:
        while True:
            yield self.found("again")


def test_options_and_results_are_shipped_to_workers(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", W)
    options = pickle.loads(pickle.dumps(ALL))
    result = pickle.loads(pickle.dumps(audit_one(str(tmp_path), options)))

    assert isinstance(result, Audited)
    assert [finding.rule for finding in result.findings] == ["CK209", "CK609"]
    assert result.bytes_read > 0


def test_with_an_event_loop_it_is_the_same(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", W)

    assert asyncio.run(audit_one_async(str(tmp_path), ALL)) == audit_one(str(tmp_path), ALL)


@pytest.mark.parametrize(
    ("ref", "kind"), [("/nonexistent", "source"), ("no:such:thing", "usage"), ("https://", "usage"), ("", "usage")]
)
def test_what_cannot_be_looked_at_is_skipped_and_says_why(ref: str, kind: str) -> None:
    for result in (audit_one(ref, ALL), asyncio.run(audit_one_async(ref, ALL))):
        assert isinstance(result, Skipped)
        assert (result.ref, result.kind) == (ref, kind)
        assert result.reason


def test_a_folder_without_weights_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    result = audit_one(str(tmp_path), ALL)

    assert isinstance(result, Skipped)
    assert result.reason == f"{tmp_path}: there is no safetensors file; it holds .gguf files, which are not read"


def test_a_folder_of_pickles_alone_is_audited(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK")

    assert [finding.message for finding in findings_in(tmp_path)] == [
        "1 pickle, and no safetensors file: pytorch_model.bin"
    ]


def test_a_rule_that_fails_is_told_of_and_takes_nothing_from_the_others(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", W, {"format": "pt"})
    (subject,) = subjects_of(tmp_path)
    findings = audited(subject, [Chosen(Broken()), *chosen(RULES, ["CK609"])])

    assert [(finding.rule, finding.severity) for finding in findings] == [
        ("CK609", Severity.INFO),
        ("CK000", Severity.ERROR),
    ]
    assert findings[1].message == "a bug of ckptinspect: the rule CK199 (broken) failed with KeyError: '\\x1b[31m'"
    with pytest.raises(KeyError):
        audited(subject, [Chosen(Broken())], debug=True)


def test_our_own_mistakes_are_told_of_as_such(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("oh")

    monkeypatch.setattr("ckptinspect.audit.run.read_subjects", broken)
    write_safetensors(tmp_path / "model.safetensors", W)
    quiet = Options(ALL.rules)

    for result in (audit_one(str(tmp_path), quiet), asyncio.run(audit_one_async(str(tmp_path), quiet))):
        assert isinstance(result, Skipped)
        assert (result.kind, result.reason) == ("bug", "a bug of ckptinspect: RuntimeError: oh")
    with pytest.raises(RuntimeError):
        audit_one(str(tmp_path), ALL)


def test_a_rule_is_cut_short(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", W)
    (subject,) = subjects_of(tmp_path)

    assert len(audited(subject, [Chosen(Talkative())])) == MAX_FINDINGS


def test_a_severity_that_was_set_is_every_findings(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", W)
    rules = chosen(RULES, ["CK2", "CK6"], settings={"CK609": {"severity": "error"}})
    (subject,) = subjects_of(tmp_path)

    assert [(finding.rule, finding.severity) for finding in audited(subject, rules)] == [
        ("CK609", Severity.ERROR),
        ("CK209", Severity.INFO),
    ]


def test_one_named_file_is_looked_at_alone(tmp_path: Path) -> None:
    write_sharded(tmp_path, {"model-00001-of-00002.safetensors": W, "model-00002-of-00002.safetensors": {"v": W["w"]}})
    write_json(tmp_path / "config.json", {"model_type": "llama"})
    result = audit_one(str(tmp_path / "model-00001-of-00002.safetensors"), ALL)

    assert isinstance(result, Audited)
    assert [finding.rule for finding in result.findings] == ["CK209"]


def test_a_folder_of_checkpoints_is_looked_at_one_by_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_safetensors(tmp_path / name / "model.safetensors", W, {"format": "pt"})
    (tmp_path / "training.bin").write_bytes(b"")

    assert [(finding.rule, finding.path) for finding in findings_in(tmp_path)] == [
        ("CK801", "training.bin"),
        ("CK609", "one/model.safetensors"),
        ("CK609", "two/model.safetensors"),
    ]


def test_every_shard_that_fails_is_told_of_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    write_sharded(tmp_path, {"model-00001-of-00002.safetensors": W, "model-00002-of-00002.safetensors": {"v": W["w"]}})
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"")
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")

    assert [(f.rule, f.path) for f in findings_in(tmp_path, "CK1", "CK3")] == [
        ("CK104", "model-00001-of-00002.safetensors"),
        ("CK102", "model-00002-of-00002.safetensors"),
    ]
