"""CK404 float64-weights."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.model import Tally
from ckptinspect.text import bytes_text, number_of


class Float64Weights(Rule, frozen=True):
    """Weights are stored in double precision.

    ## What it does

    Looks for parameters of the dtype F64 that take `at_least` bytes, a megabyte.

    ## Why it matters

    Nothing trains or runs a network in double precision; NumPy's default has slipped in, and every download is
    twice as long.

    ## What it can't see

    Whether the values need it: tables that are no weights may.

    ## How to fix

    Convert the arrays before saving them.
    """

    code: ClassVar[str] = "CK404"
    name: ClassVar[str] = "float64-weights"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "store the weights as F32 or narrower"
    at_least: int = 1_000_000

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components:
            wide = [row for row in component.rows if row.kind.dtype.code == "F64" and row.parameters]
            tally = sum((row.tally for row in wide), Tally())
            if wide and tally.nbytes >= self.at_least:
                message = f"{bytes_text(tally.nbytes)} in {number_of(tally.tensors, 'tensor')} of F64"
                yield self.found(message, component.where, wide[0].kind.example, wasted=tally.nbytes // 2)
