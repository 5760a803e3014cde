"""``audit`` of very many checkpoints: what it comes to by rule, for people; and what is said before it begins."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from ckptinspect.audit.base import Severity
from ckptinspect.report import v1
from ckptinspect.report.audit import summary
from ckptinspect.report.document import Block, Column, Format, Lines, Report, Table
from ckptinspect.text import number_of

if TYPE_CHECKING:
    from ckptinspect.audit.batch import BatchReport

_REASONS = 10
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_SEVERITIES = {str(severity): severity.rank for severity in Severity}


class _Rule(msgspec.Struct):
    """What one rule has found."""

    name: str
    severity: str
    findings: int = 0
    checkpoints: int = 0
    wasted: int = 0


class Sums:
    """Rows as they come, added up."""

    def __init__(self) -> None:
        self.audited = 0
        self.skipped = 0
        self.accepted = 0
        self.requests = 0
        self.bytes_read = 0
        self.kinds: Counter[str] = Counter()
        self.severities: Counter[str] = Counter()
        self.rules: dict[tuple[str, str], _Rule] = {}
        self.reasons: list[tuple[str, str]] = []

    def add(self, row: v1.AuditedData) -> None:
        """Take in a row."""
        self.requests += row.requests
        self.bytes_read += row.bytes_read
        self.accepted += row.accepted
        if row.status == "skipped":
            self.skipped += 1
            self.kinds[row.kind or ""] += 1
            if len(self.reasons) < _REASONS:
                self.reasons.append((row.ref, row.reason or ""))
            return
        self.audited += 1
        for key in {(finding.rule, finding.severity) for finding in row.findings}:
            self._of(row, key).checkpoints += 1
        for finding in row.findings:
            rule = self.rules[finding.rule, finding.severity]
            rule.findings += 1
            rule.wasted += finding.wasted_bytes
            self.severities[finding.severity] += 1

    def _of(self, row: v1.AuditedData, key: tuple[str, str]) -> _Rule:
        if key not in self.rules:
            finding = next(finding for finding in row.findings if finding.rule == key[0])
            self.rules[key] = _Rule(finding.name, key[1])
        return self.rules[key]

    @property
    def totals(self) -> v1.AuditTotalsData:
        """As the contract has them."""
        return v1.AuditTotalsData(
            audited=self.audited,
            skipped=self.skipped,
            errors=self.severities["error"],
            warnings=self.severities["warning"],
            infos=self.severities["info"],
            accepted=self.accepted,
            wasted_bytes=sum(rule.wasted for rule in self.rules.values()),
        )


class Course:
    """How a run of ``total`` checkpoints, None where nobody knows how many, gets on since a moment of a clock."""

    def __init__(self, total: int | None, began: float) -> None:
        self.done = 0
        self._total = total
        self._began = began
        self._kept = 0
        self._findings = 0
        self._skipped = 0

    def add(self, report: "BatchReport") -> None:
        """Take in a batch."""
        checkpoints = report.audited + report.skipped
        self.done += checkpoints
        self._kept += checkpoints if report.kept else 0
        self._findings += report.findings
        self._skipped += report.skipped

    def text(self, now: float) -> str:
        """Its rate, the time that is left at this rate, and what was found so far."""
        found = number_of(self._findings, "finding") + (f", {self._skipped:,} skipped" if self._skipped else "")
        new, seconds = self.done - self._kept, now - self._began
        if not new or seconds <= 0:
            # What was there before says nothing of how fast the rest will come.
            return found
        left = "" if self._total is None else f"{_clock((self._total - self.done) * seconds / new)} left, "
        return f"{new / seconds:.1f}/s, {left}{found}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def fleet_report(sums: Sums, fail_on: str, notes: Iterable[str] = ()) -> Report:
    """What was found in very many checkpoints, rule by rule. The rows are in the other formats and in the store."""
    data = v1.AuditData((), sums.totals, fail_on)
    blocks: list[Block] = []
    if sums.rules:
        blocks.append(by_rule(sums))
    if sums.skipped:
        blocks.append(_skips(sums))
    blocks.append(Lines((summary(data),)))
    title = f"Audit of {number_of(sums.audited + sums.skipped, 'checkpoint')}"
    return Report("audit", data, title, tuple(blocks), tuple(notes))


def by_rule(sums: Sums, title: str = "") -> Table:
    """What was found, a row for each rule: the worst first, then those that most checkpoints break."""
    columns = (
        Column("rule", Format.NAME),
        Column("name", Format.NAME, spare=1),
        Column("severity"),
        Column("checkpoints", Format.COUNT),
        Column("findings", Format.COUNT, spare=2),
        Column("could be left out", Format.SHORT_BYTES),
    )
    ordered = sorted(
        sums.rules.items(), key=lambda item: (_SEVERITIES[item[1].severity], -item[1].checkpoints, item[0])
    )
    rows = [
        (code, rule.name, rule.severity, rule.checkpoints, rule.findings, rule.wasted or None)
        for (code, _), rule in ordered
    ]
    return Table(columns, rows, title=title)


def _skips(sums: Sums) -> Table:
    columns = (Column("skipped", Format.NAME), Column("why"))
    foot = [(f"and {sums.skipped - len(sums.reasons):,} more", "")] if sums.skipped > len(sums.reasons) else []
    return Table(columns, sums.reasons, foot, title="Skipped")


def time_text(seconds: float) -> str:
    """A time in the words of somebody who waits.

    >>> time_text(9), time_text(95), time_text(4 * 3600), time_text(3 * 86400)
    ('10 seconds', '2 minutes', '4 hours', '3 days')
    """
    if seconds < 45:
        return number_of(max(5, 5 * round(seconds / 5)), "second")
    for unit, name, most in ((_MINUTE, "minute", 90 * _MINUTE), (_HOUR, "hour", 36 * _HOUR)):
        if seconds < most:
            return number_of(max(1, round(seconds / unit)), name)
    return number_of(round(seconds / _DAY), "day")
