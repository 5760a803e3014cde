"""What is said of very many checkpoints: while they are audited, before, and by rule at the end."""

import io

import pytest

from ckptinspect.audit.batch import BatchReport
from ckptinspect.audit.estimate import estimated, on_the_hub
from ckptinspect.audit.targets import Target
from ckptinspect.report import table
from ckptinspect.report.audit import rows_report
from ckptinspect.report.fleet import Course, Sums, fleet_report, time_text
from ckptinspect.report.v1 import AuditedData, FindingData
from ckptinspect.sources.budget import Quota


def batch(audited: int, skipped: int = 0, findings: int = 0, *, kept: bool = False) -> BatchReport:
    return BatchReport(0, "b", audited, skipped, findings, kept=kept)


def test_a_run_tells_its_rate_the_time_that_is_left_and_what_was_found() -> None:
    course = Course(400, began=1_000.0)
    course.add(batch(48, 2, 7))
    course.add(batch(50, 0, 1))

    assert course.done == 100
    assert course.text(1_020.0) == "5.0/s, 1:00 left, 8 findings, 2 skipped"


def test_what_was_there_before_makes_nothing_faster() -> None:
    course = Course(10_000, began=0.0)
    course.add(batch(5_000, kept=True))
    assert course.text(1.0) == "0 findings"
    course.add(batch(50, findings=1))

    assert course.text(100.0) == "0.5/s, 2:45:00 left, 1 finding"


def test_nobody_knows_how_long_a_list_without_an_end_takes() -> None:
    course = Course(None, began=0.0)
    course.add(batch(50))

    assert course.text(10.0) == "5.0/s, 0 findings"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.1, "5 seconds"),
        (44, "45 seconds"),
        (60, "1 minute"),
        (89 * 60, "89 minutes"),
        (100 * 60, "2 hours"),
        (36 * 3600, "2 days"),
        (864_000, "10 days"),
    ],
)
def test_a_time_is_as_exact_as_an_estimate_is(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


def test_a_run_costs_what_a_repository_does_and_waits_for_the_smallest_quota() -> None:
    """A listing, four resolved files and 1.6 reads of storage each; 20 at once, 0.1 s each."""
    few = estimated(100, {}, None, token=False)
    assert (few.requests, few.seconds, few.limit, few.window) == (660, 3.3, 500, 300.0)
    # 10,000 repositories take 20 windows of 500 calls, and of the last none waits for the end.
    many = estimated(10_000, {}, None, token=False)
    assert (many.requests, many.seconds, many.limit) == (66_000, 19 * 300, 500)
    # With a token 1,000 calls, and 5,000 resolved files for 1,250 repositories: the calls bind.
    known = estimated(10_000, {}, None, token=True)
    assert (known.seconds, known.limit) == (9 * 300, 1_000)


def test_what_answers_said_of_the_quota_counts_and_a_slower_rate_counts_more() -> None:
    said = {"api": Quota(2_000, 100, 2_500, 300.0), "resolvers": Quota(100, 100, 4_000, 300.0)}
    cost = estimated(10_000, said, None, token=False)
    # 40,000 resolved files are ten windows of 4,000.
    assert (cost.seconds, cost.limit) == (9 * 300, 1_000)
    assert estimated(10_000, said, 10, token=False).seconds == 6_600.0


def test_what_lies_on_this_machine_is_not_asked_of_the_hub() -> None:
    targets = [Target("org/a"), Target("/tmp"), Target("org/b@main", cached=True), Target("what is this?")]
    assert on_the_hub(targets) == 0.25
    assert on_the_hub([]) == 0.0


def finding(rule: str, severity: str, wasted: int) -> FindingData:
    return FindingData(rule, f"name-of-{rule}", severity, "message", None, None, wasted, "fix")


def test_many_checkpoints_come_to_a_line_a_rule_the_worst_and_most_frequent_first() -> None:
    sums = Sums()
    for number in range(3):
        found = (finding("CK2", "warning", 1_000), finding("CK2", "warning", 500), finding("CK9", "info", 0))
        sums.add(AuditedData(f"org/{number}", None, "audited", None, None, found[: 3 - number], 1, 4, 100))
    sums.add(AuditedData("org/x", None, "audited", None, None, (finding("CK8", "error", 0),), 0, 4, 100))
    for number in range(12):
        sums.add(AuditedData(f"org/s{number}", None, "skipped", "source", f"org/s{number}: gone", (), 0, 1, 0))
    out = io.StringIO()
    table.render(fleet_report(sums, "error"), out)
    shown = out.getvalue()

    assert (sums.totals.audited, sums.totals.skipped, sums.totals.accepted) == (4, 12, 3)
    assert (sums.requests, sums.bytes_read) == (28, 400)
    assert [line.split()[0] for line in shown.splitlines() if line.startswith("CK")] == ["CK8", "CK2", "CK9"]
    assert "CK2   name-of-CK2  warning             3         5            4.00 kB" in shown
    assert "and 2 more" in shown
    assert shown.rstrip().endswith(
        "1 error, 5 warnings and 1 info; up to 4.00 kB could be left out; 3 findings accepted by the baseline;"
        " 12 checkpoints skipped; 4 checkpoints audited"
    )


@pytest.mark.parametrize(
    ("ref", "title"),
    [("org/a", "org/a @ 012345678901"), (f"org/a@{'0123456789' * 4}", f"org/a@{'0123456789' * 4}")],
)
def test_a_commit_is_said_once(ref: str, title: str) -> None:
    row = AuditedData(ref, "0123456789" * 4, "audited", None, None, (), 0, 1, 1)

    assert rows_report([row]).title == title
