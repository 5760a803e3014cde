"""From what the header reader noticed to findings: one a file and rule, with the first as its example."""

from collections.abc import Iterator

from ckptinspect.audit.base import Finding, Rule
from ckptinspect.audit.subject import Subject


def by_file(rule: Rule, subject: Subject, *kinds: str) -> Iterator[Finding]:
    """For each file with defects of these kinds a finding that tells of the first, and how many more there are."""
    for weight in subject.weights:
        found = [defect for defect in weight.defects if defect.kind in kinds]
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            yield rule.found(f"{found[0].message}{more}", weight.path, found[0].tensor)
