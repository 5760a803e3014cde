"""SARIF, JUnit and GitHub annotations: valid by their own rules, and inert whatever stands in a name."""

import io
import json
from xml.etree import ElementTree as ET

import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

from ckptinspect.audit.base import Audited, Finding, Severity, Skipped
from ckptinspect.audit.rules import RULES
from ckptinspect.errors import RefError
from ckptinspect.report import github, junit, markdown, sarif, table
from ckptinspect.report import page as html
from ckptinspect.report.audit import audit_report
from ckptinspect.report.document import Report
from ckptinspect.report.forms import form_of

HOSTILE = "\x1b[31m<b>&\"'%0A::error::\u202e\udce9"
RESULTS: list[Audited | Skipped] = [
    Audited(
        "org/name",
        (
            Finding("CK301", Severity.ERROR, "1 of 2 shards is not there", "model.safetensors.index.json"),
            Finding("CK801", Severity.WARNING, "1 pickle: x.bin", None),
            Finding("CK803", Severity.WARNING, "1 name", f"a b/{HOSTILE}.safetensors", HOSTILE),
            Finding("CK706", Severity.INFO, "buffers", "model.safetensors", "h.0.attn.bias", 7),
        ),
        commit="c" * 40,
    ),
    Audited("./here", ()),
    Audited("s3://bucket/model", (Finding("CK000", Severity.ERROR, "a bug of ckptinspect: …"),)),
    Skipped(HOSTILE, "source", f"{HOSTILE}: no answer"),
]


def report(fail_on: str = "error") -> Report:
    return audit_report(RESULTS, RULES, fail_on)


def rendered(form: str, fail_on: str = "error") -> str:
    out = io.StringIO()
    {"sarif": sarif.render, "junit": junit.render, "github": github.render}[form](report(fail_on), out)
    return out.getvalue()


def test_sarif_is_valid_by_the_schema() -> None:
    log = Sarif.model_validate_json(rendered("sarif"))
    (run,) = log.runs

    assert [rule.id for rule in run.tool.driver.rules] == [rule.code for rule in RULES]
    assert [result.ruleId for result in run.results] == ["CK301", "CK801", "CK803", "CK706", "CK000"]
    assert [result.level.value for result in run.results] == ["error", "warning", "warning", "note", "error"]
    for result in run.results[:4]:
        assert run.tool.driver.rules[result.ruleIndex].id == result.ruleId


def test_sarif_says_where_and_what_was_skipped() -> None:
    (run,) = json.loads(rendered("sarif"))["runs"]
    places = [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]]

    assert places[0] == f"hf://org/name@{'c' * 40}/model.safetensors.index.json"
    assert places[1] == f"hf://org/name@{'c' * 40}/"
    assert places[2].startswith(f"hf://org/name@{'c' * 40}/a%20b/%1B%5B31m%3Cb%3E%26%22")
    assert places[4] == "s3://bucket/model"
    assert run["results"][3]["properties"] == {"wastedBytes": 7}
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert len(invocation["toolExecutionNotifications"]) == 1


def test_every_fingerprint_is_of_one_finding() -> None:
    (run,) = json.loads(rendered("sarif"))["runs"]
    prints = [result["partialFingerprints"]["finding/v1"] for result in run["results"]]

    assert len(set(prints)) == len(prints)


@pytest.mark.parametrize(("fail_on", "failures"), [("error", 2), ("warning", 4), ("info", 5), ("never", 0)])
def test_junit_fails_from_the_severity_on(fail_on: str, failures: int) -> None:
    suites = ET.fromstring(rendered("junit", fail_on))

    assert suites.attrib == {"name": "ckptinspect", "tests": "7", "failures": str(failures), "errors": "1"}
    assert len(suites.findall(".//failure")) == failures
    assert len(suites.findall(".//testcase")) == 7
    assert [suite.attrib["name"] for suite in suites][:2] == ["org/name", "./here"]


def test_an_annotation_is_one_line_and_no_name_ends_it() -> None:
    lines = rendered("github").splitlines()

    assert len(lines) == 6
    assert lines[0] == (
        "::error title=CK301 missing-shard::org/name/model.safetensors.index.json: 1 of 2 shards is not there; "
        "fetch the shards that are missing"
    )
    for line in lines:
        command, _, rest = line[2:].partition("::")
        assert command.split()[0] in {"error", "warning", "notice"}
        assert "%0A" not in rest


@pytest.mark.parametrize("form", ["sarif", "junit", "github", "table", "markdown", "html"])
def test_whatever_stands_in_a_name_comes_out_inert(form: str) -> None:
    out = io.StringIO()
    renderers = {"table": table.render, "markdown": markdown.render, "html": html.render}
    if form in renderers:
        renderers[form](report(), out)
    else:
        out.write(rendered(form))
    text = out.getvalue().replace("\n", "")

    assert text.isprintable()
    assert "<b>" not in text or form in {"table", "github", "sarif"}
    text.encode()


@pytest.mark.parametrize("name", ["sarif", "junit", "github"])
def test_these_formats_are_the_audits_alone(name: str) -> None:
    with pytest.raises(RefError) as raised:
        form_of(name).render(Report("show", RESULTS[1], "", ()), io.StringIO())

    assert str(raised.value) == f"--format: {name} is a format of audit alone; use json, table or html"
