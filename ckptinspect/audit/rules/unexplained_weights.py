"""CK505 unexplained-weights."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.model import Tally
from ckptinspect.text import number_of


class UnexplainedWeights(Rule, frozen=True):
    """Packed weights, or what serves them, of which it cannot be told what they stand for.

    ## What it does

    Tells of integers, of unknown dtypes, and of scales without the shape of one that the count leaves unexplained.

    ## Why it matters

    The parameters of the checkpoint are those of the rest, and rules that compare counts keep silent about it.

    ## What it can't see

    What the weights are, which is the point.

    ## How to fix

    Nothing needs fixing. A quantization config beside the weights often tells enough.
    """

    code: ClassVar[str] = "CK505"
    name: ClassVar[str] = "unexplained-weights"
    severity: ClassVar[Severity] = Severity.INFO
    fix: ClassVar[str] = "look at the tensors with `ckptinspect tensors`"

    def check(self, subject: Subject) -> Iterator[Finding]:
        rows = [row for row in subject.counted.rows if row.tally.unexplained] if subject.counted is not None else []
        if rows:
            tally = sum((row.tally for row in rows), Tally())
            message = f"{tally.unexplained:,} stored elements in {number_of(tally.tensors, 'tensor')} are not explained"
            yield self.found(message, None, rows[0].kind.example or None)
