"""SARIF 2.1.0, which code scanning reads: https://docs.oasis-open.org/sarif/sarif/v2.1.0/.

A finding is a result; its file is an artifact, its tensor a logical location; a REF that was skipped is a
notification. A file on this machine has its path as its address, one of the Hub ``hf://org/name@commit/path``.
"""

import os
from collections.abc import Mapping, Sequence
from typing import TextIO
from urllib.parse import quote

import msgspec

import ckptinspect
from ckptinspect.audit.registry import every_rule
from ckptinspect.report import v1
from ckptinspect.report.document import Report
from ckptinspect.report.rules import rule_data
from ckptinspect.text import SPELLED, escaped

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_FAILED = "CK000"


def render(report: Report, out: TextIO) -> None:
    """Write an audit as one SARIF log."""
    data = report.data
    assert isinstance(data, v1.AuditData)
    rules = tuple(map(rule_data, every_rule()))
    encoded = msgspec.json.encode(_log(data, rules), order="sorted")
    out.write(msgspec.json.format(encoded).decode() + "\n")


def _log(data: v1.AuditData, rules: Sequence[v1.RuleData]) -> Mapping[str, object]:
    index = {rule.code: number for number, rule in enumerate(rules)}
    results = [_result(finding, repo, index) for repo in data.repos for finding in repo.findings]
    driver = {
        "name": "ckptinspect",
        "version": ckptinspect.__version__,
        "rules": [_rule(rule) for rule in rules],
    }
    skipped = [_notification(repo) for repo in data.repos if repo.status == "skipped"]
    invocation = {"executionSuccessful": not skipped, "toolExecutionNotifications": skipped}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation],
        "results": results,
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: v1.RuleData) -> Mapping[str, object]:
    text = " ".join(rule.matters.split())
    markdown = f"{rule.finds}\n\n{rule.does}\n\n**Why it matters.** {rule.matters}\n\n**How to fix.** {rule.remedy}"
    return {
        "id": rule.code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": " ".join(rule.finds.split())},
        "fullDescription": {"text": " ".join(rule.does.split())},
        "help": {"text": text, "markdown": markdown},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": ["safetensors"]},
    }


def _result(finding: v1.FindingData, repo: v1.AuditedData, index: Mapping[str, int]) -> Mapping[str, object]:
    hint = f"; {finding.fix}" if finding.fix else ""
    location: dict[str, object] = {
        "physicalLocation": {"artifactLocation": {"uri": address(repo.ref, repo.commit, finding.path)}}
    }
    if finding.tensor is not None:
        location["logicalLocations"] = [{"name": escaped(finding.tensor), "kind": "member"}]
    result: dict[str, object] = {
        "ruleId": finding.rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.message}{hint}"},
        "locations": [location],
        "partialFingerprints": {"finding/v1": "|".join(_identity(finding, repo))},
        "properties": {"wastedBytes": finding.wasted_bytes},
    }
    if finding.rule != _FAILED:
        result["ruleIndex"] = index[finding.rule]
    return result


def _identity(finding: v1.FindingData, repo: v1.AuditedData) -> tuple[str, ...]:
    return tuple(escaped(text or "") for text in (repo.ref, finding.rule, finding.path, finding.tensor))


def _notification(repo: v1.AuditedData) -> Mapping[str, object]:
    return {
        "level": "error",
        "message": {"text": f"{escaped(repo.ref)} was skipped: {escaped(repo.reason or '')}"},
        "descriptor": {"id": f"skipped/{repo.kind}"},
    }


def address(ref: str, commit: str | None, path: str | None) -> str:
    """The address of a file as a URI reference; of the whole, that of its folder.

    >>> address("org/name", "0123abc", "model.safetensors"), address("no such folder", None, None)
    ('hf://org/name@0123abc/model.safetensors', 'no%20such%20folder')
    """
    if "://" in ref:
        base = _quoted(ref, safe="/:@?=&%")
        return f"{base.rstrip('/')}/{_quoted(path)}" if path and not ref.endswith(path) else base
    if os.path.lexists(ref):
        return _quoted(local_path(ref, path))
    return f"hf://{_quoted(ref)}@{commit}/{_quoted(path or '')}" if commit else _quoted(ref)


def _quoted(text: str, safe: str = "/") -> str:
    """A part of a URI; a byte of a file's name that is no UTF-8 as an escape."""
    return quote(text, safe=safe, errors=SPELLED)


def local_path(ref: str, path: str | None) -> str:
    """The path of a local finding's file, as the REF spells it."""
    folder = ref if os.path.isdir(ref) else os.path.dirname(ref)
    if path is None:
        return ref
    return ref if os.path.isfile(ref) and not ref.endswith(".json") else os.path.join(folder, path)
