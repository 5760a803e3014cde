"""CK903 hub-count-unlike."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject


class HubCountUnlike(Rule, frozen=True):
    """The Hub shows another number of parameters.

    ## What it does

    Compares the Hub's own count with this one, for repositories of the Hub. What is meant by it differs by buffers,
    tied weights and scales, so `tolerance` (0.05, five in a hundred) is allowed either way.

    ## Why it matters

    The Hub shows its number to everybody, and people choose by it: 333 thousand for a model of 7.6 billion
    (huggingface_hub#4221), 89 billion for 314 (hub-docs#2704). It is counted on push, by the rules of that day.

    ## What it can't see

    Checkpoints with weights that are counted as unexplained.

    ## How to fix

    Correct `total_parameters` in the index or the metadata, and push anything: the Hub counts again.
    """

    code: ClassVar[str] = "CK903"
    name: ClassVar[str] = "hub-count-unlike"
    severity: ClassVar[Severity] = Severity.INFO
    fix: ClassVar[str] = "remove a wrong total_parameters, and push again"
    tolerance: float = 0.05

    def check(self, subject: Subject) -> Iterator[Finding]:
        said, counted = subject.hub_parameters, subject.counted
        if said is None or counted is None or counted.total.unexplained or not subject.whole:
            return
        total = counted.total
        if not any(abs(said - true) <= self.tolerance * true for true in (total.parameters, total.stored)):
            yield self.found(f"the Hub shows {said:,} parameters; there are {total.parameters:,}")
