"""Annotations of GitHub Actions: one workflow command a finding.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from typing import TextIO

from ckptinspect.report import v1
from ckptinspect.report.document import Report
from ckptinspect.report.sarif import local_path
from ckptinspect.text import escaped

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def render(report: Report, out: TextIO) -> None:
    """Write an audit as annotations: a file of the workspace is marked, any other named."""
    data = report.data
    assert isinstance(data, v1.AuditData)
    for repo in data.repos:
        if repo.reason is not None:
            out.write(f"::error title={_property('skipped')}::{_message(f'{repo.ref}: {repo.reason}')}\n")
        out.writelines(_command(finding, repo) + "\n" for finding in repo.findings)


def _command(finding: v1.FindingData, repo: v1.AuditedData) -> str:
    title = f"title={_property(f'{finding.rule} {finding.name}')}"
    text = f"{finding.message}; {finding.fix}"
    if repo.commit is None and "://" not in repo.ref:
        marked = f"file={_property(local_path(repo.ref, finding.path))},{title}"
    else:
        marked, text = title, f"{repo.ref}{f'/{finding.path}' if finding.path else ''}: {text}"
    return f"::{_COMMANDS[finding.severity]} {marked}::{_message(text)}"


def _message(text: str) -> str:
    return escaped(text).replace("%", "%25")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
