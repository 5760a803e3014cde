"""CK308 wrong-total-parameters."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.claims import claimed_parameters
from ckptinspect.audit.subject import Subject


class WrongTotalParameters(Rule, frozen=True):
    """A file claims a number of parameters that is not the one it holds.

    ## What it does

    Compares `total_parameters` of every index, and of a single file's metadata, with the count. What may be meant
    by it differs by buffers and tied weights, so `tolerance` (0.02, two in a hundred) is allowed either way.

    ## Why it matters

    The Hub shows the smaller of the claim and its own count: a model of 7.6 billion was shown with 333 thousand,
    because a fine-tune had copied an index (huggingface_hub#4221); another with 89 billion for 314 (hub-docs#2704).

    ## What it can't see

    Anything where packed weights are counted as unexplained.

    ## How to fix

    Write the index anew, or leave `total_parameters` out.
    """

    code: ClassVar[str] = "CK308"
    name: ClassVar[str] = "wrong-total-parameters"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "write the number anew, or leave it out"
    tolerance: float = 0.02

    def check(self, subject: Subject) -> Iterator[Finding]:
        if subject.counted is None or subject.counted.total.unexplained or not subject.whole:
            return
        total = subject.counted.total
        tied = sum(tie.elements for tie in subject.counted.ties if not tie.stored)
        for path, said in claimed_parameters(subject):
            if not any(
                abs(said - true) <= self.tolerance * true
                for true in (total.parameters, total.stored, total.stored + tied)
            ):
                yield self.found(f"it says {said:,} parameters; there are {total.parameters:,}", path)
