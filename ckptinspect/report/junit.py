"""JUnit XML, which every CI shows: a suite for each REF, a case for each finding."""

from collections.abc import Iterator
from typing import TextIO
from xml.sax.saxutils import quoteattr

from ckptinspect.audit.base import failing
from ckptinspect.report import v1
from ckptinspect.report.document import Report
from ckptinspect.text import escaped


def render(report: Report, out: TextIO) -> None:
    """Write an audit as test results. Findings that make it fail are failures, the others pass with their message
    as output; a REF that was skipped is an error.
    """
    data = report.data
    assert isinstance(data, v1.AuditData)
    fails = failing(data.fail_on)
    totals = [_counts(repo, fails) for repo in data.repos]
    tests, failures, errors = (sum(column) for column in zip(*totals, strict=True)) if totals else (0, 0, 0)
    out.write('<?xml version="1.0" encoding="utf-8"?>\n')
    out.write(f'<testsuites name="ckptinspect" tests="{tests}" failures="{failures}" errors="{errors}">\n')
    for repo, counts in zip(data.repos, totals, strict=True):
        out.writelines(f"{line}\n" for line in _suite(repo, counts, fails))
    out.write("</testsuites>\n")


def _counts(repo: v1.AuditedData, fails: frozenset[str]) -> tuple[int, int, int]:
    failures = sum(finding.severity in fails for finding in repo.findings)
    return max(1, len(repo.findings)), failures, int(repo.status == "skipped")


def _suite(repo: v1.AuditedData, counts: tuple[int, int, int], fails: frozenset[str]) -> Iterator[str]:
    tests, failures, errors = counts
    name = _attribute(repo.ref)
    yield f'  <testsuite name={name} tests="{tests}" failures="{failures}" errors="{errors}">'
    if repo.reason is not None:
        yield f'    <testcase name="audit" classname={name}>'
        yield f"      <error type={_attribute(repo.kind or '')} message={_attribute(repo.reason)}/>"
        yield "    </testcase>"
    elif not repo.findings:
        yield f'    <testcase name="audit" classname={name}/>'
    for finding in repo.findings:
        yield from _case(finding, name, fails)
    yield "  </testsuite>"


def _case(finding: v1.FindingData, suite: str, fails: frozenset[str]) -> Iterator[str]:
    place = ": ".join(part for part in (finding.path, finding.tensor) if part)
    title = _attribute(f"{finding.rule} {finding.name}{f' ({place})' if place else ''}")
    text = f"{finding.message}; {finding.fix}"
    yield f"    <testcase name={title} classname={suite}>"
    if finding.severity in fails:
        yield f"      <failure type={_attribute(finding.severity)} message={_attribute(text)}/>"
    else:
        yield f"      <system-out>{_text(text)}</system-out>"
    yield "    </testcase>"


def _attribute(text: str) -> str:
    return quoteattr(_plain(text))


def _text(text: str) -> str:
    return _plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str) -> str:
    """The text with what XML forbids written out: control characters, and halves of surrogate pairs."""
    return escaped(text)
