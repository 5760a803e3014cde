"""``audit``: what is wrong, REF by REF and file by file, and what it comes to."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from ckptinspect.audit.base import Audited, Finding, Rule, Severity, Skipped
from ckptinspect.audit.run import FAILED
from ckptinspect.report import v1
from ckptinspect.report.document import Block, Cell, Column, Format, Lines, Remark, Remarks, Report, Table
from ckptinspect.text import bytes_text, listed, number_of

_BLIND = "headers show no values: NaN, zeros and flipped bits are not seen here; --hash compares the content"
_OUR_FAULT = "run it again with --debug and report what it prints"


def audit_report(
    results: Sequence[Audited | Skipped], rules: Sequence[Rule], fail_on: str = "error", *, hashed: bool = False
) -> Report:
    """What an audit of some REFs gave. ``rules`` are all that there are; ``hashed``: whether contents were compared."""
    known = {rule.code: rule for rule in rules}
    return rows_report([audited_data(result, known) for result in results], fail_on, hashed=hashed)


def rows_report(rows: Sequence[v1.AuditedData], fail_on: str = "error", *, hashed: bool = False) -> Report:
    """The same, of rows."""
    repos = tuple(rows)
    data = v1.AuditData(repos, _totals(repos), fail_on)
    blocks: list[Block] = [_block(repo, several=len(repos) > 1) for repo in repos if repo.findings or repo.reason]
    blocks.append(Lines((summary(data),)))
    notes = () if hashed or not data.totals.audited else (_BLIND,)
    title = _title(repos[0]) if len(repos) == 1 else f"Audit of {number_of(len(repos), 'checkpoint')}"
    return Report(
        "audit",
        data,
        title,
        tuple(blocks),
        notes,
        rows=lambda: _rows(data),
        columns=v1.FindingRowData.__struct_fields__,
        objects=lambda: repos,
        page=lambda: _page(data, blocks),
    )


def _page(data: v1.AuditData, blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The blocks for a page: the sums first, then every finding."""
    from ckptinspect.report.fleet import Sums, by_rule

    sums = Sums()
    for repo in data.repos:
        sums.add(repo)
    *findings, said = blocks
    tables = [_checkpoints(data)] if len(data.repos) > 1 else []
    tables += [by_rule(sums, "By rule")] if sums.rules else []
    return (said, *tables, *findings)


def _checkpoints(data: v1.AuditData) -> Table:
    """A row for each checkpoint, with what was found in it or why nothing could be."""
    counts = [*(f"{severity}s" if severity != Severity.INFO else str(severity) for severity in Severity)]
    columns = (
        Column("checkpoint", Format.NAME),
        Column("status"),
        *(Column(name, Format.COUNT) for name in counts),
        Column("could be left out", Format.SHORT_BYTES),
    )
    rows: list[Sequence[Cell]] = [
        (
            _title(repo),
            repo.status,
            *(sum(finding.severity == severity for finding in repo.findings) for severity in Severity),
            sum(finding.wasted_bytes for finding in repo.findings),
        )
        for repo in data.repos
    ]
    totals = data.totals
    foot = ("total", None, totals.errors, totals.warnings, totals.infos, totals.wasted_bytes)
    return Table(columns, rows, (foot,), "Checkpoints")


def summary(data: v1.AuditData) -> str:
    """One line on all of it."""
    totals = data.totals
    counts = [(totals.errors, "error"), (totals.warnings, "warning"), (totals.infos, "info")]
    found = [number_of(count, noun) if noun != "info" else f"{count:,} info" for count, noun in counts if count]
    parts = [listed(found) if found else "nothing found"]
    if totals.wasted_bytes:
        parts.append(f"up to {bytes_text(totals.wasted_bytes)} could be left out")
    if totals.accepted:
        parts.append(f"{number_of(totals.accepted, 'finding')} accepted by the baseline")
    if totals.skipped:
        parts.append(f"{number_of(totals.skipped, 'checkpoint')} skipped")
    if totals.audited + totals.skipped > 1:
        parts.append(f"{number_of(totals.audited, 'checkpoint')} audited")
    return "; ".join(parts)


def audited_data(result: Audited | Skipped, known: Mapping[str, Rule]) -> v1.AuditedData:
    """What an audit gave, as the contract has it. ``known`` are all rules by code."""
    if isinstance(result, Skipped):
        return v1.AuditedData(
            result.ref, None, "skipped", result.kind, result.reason, (), 0, result.requests, result.bytes_read
        )
    findings = tuple(_finding(finding, known) for finding in result.findings)
    return v1.AuditedData(
        result.ref, result.commit, "audited", None, None, findings, result.accepted, result.requests, result.bytes_read
    )


def _finding(finding: Finding, known: Mapping[str, Rule]) -> v1.FindingData:
    rule = known.get(finding.rule)
    name, fix = (rule.name, rule.fix) if rule is not None else ("rule-failed", _OUR_FAULT)
    assert rule is not None or finding.rule == FAILED
    return v1.FindingData(
        finding.rule,
        name,
        str(finding.severity),
        finding.message,
        finding.path,
        finding.tensor,
        finding.wasted_bytes,
        fix,
    )


def _totals(repos: Sequence[v1.AuditedData]) -> v1.AuditTotalsData:
    findings = [finding for repo in repos for finding in repo.findings]
    errors, warnings, infos = (sum(f.severity == severity for f in findings) for severity in Severity)
    audited = sum(repo.status == "audited" for repo in repos)
    return v1.AuditTotalsData(
        audited=audited,
        skipped=len(repos) - audited,
        errors=errors,
        warnings=warnings,
        infos=infos,
        accepted=sum(repo.accepted for repo in repos),
        wasted_bytes=sum(finding.wasted_bytes for finding in findings),
    )


def _title(repo: v1.AuditedData) -> str:
    """The REF, and the commit where that does not say it."""
    return repo.ref if repo.commit is None or f"@{repo.commit}" in repo.ref else f"{repo.ref} @ {repo.commit[:12]}"


def _block(repo: v1.AuditedData, *, several: bool) -> Block:
    title = _title(repo) if several else ""
    if repo.reason is not None:
        return Remarks(title, (("", (Remark("skipped", repo.kind or "", repo.reason, ""),)),))
    places = groupby(repo.findings, key=lambda finding: finding.path)
    return Remarks(title, tuple((_place(path), tuple(map(_remark, found))) for path, found in places))


def _place(path: str | None) -> str:
    return "the whole checkpoint" if path is None else path


def _remark(finding: v1.FindingData) -> Remark:
    size = bytes_text(finding.wasted_bytes)
    wasted = f" ({size} could be left out)" if finding.wasted_bytes and size not in finding.message else ""
    return Remark(finding.severity, f"{finding.rule} {finding.name}", finding.message + wasted, finding.fix)


def _rows(data: v1.AuditData) -> Iterator[v1.FindingRowData]:
    for repo in data.repos:
        for f in repo.findings:
            yield v1.FindingRowData(repo.ref, f.rule, f.name, f.severity, f.message, f.path, f.tensor, f.wasted_bytes)
