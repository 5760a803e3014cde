"""CK403 float32-leftovers."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.numbers import WIDTHS, is_matrix
from ckptinspect.audit.subject import Subject
from ckptinspect.model import Tally
from ckptinspect.text import bytes_text, number_of


class Float32Leftovers(Rule, frozen=True):
    """Large matrices are float32 where the others are half as wide.

    ## What it does

    Looks for F32 matrices of attention, feed-forward, experts, embedding and head in checkpoints of which most
    elements take 16 bits or less. Norms, routers, scales, convolutions and state-space parameters are left out:
    those are kept in float32 on purpose.

    ## Why it matters

    A merge or a converter that widens some tensors doubles their bytes for nothing, and a loader that asks for one
    dtype fails (DeepSeek-V3#1002, where it was the norms, meets this in a milder form).

    ## What it can't see

    Whether the precision is needed: some models want single projections in float32.

    ## How to fix

    Save the model again in one dtype.
    """

    code: ClassVar[str] = "CK403"
    name: ClassVar[str] = "float32-leftovers"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "store these weights as the others are"
    at_least: int = 1_000_000

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components:
            stored = component.floats
            whole = sum(tally.parameters for tally in stored.values())
            narrow = sum(tally.parameters for code, tally in stored.items() if WIDTHS.get(code, 32) <= 16)
            wide = [row for row in component.rows if row.kind.dtype.code == "F32" and is_matrix(row)]
            tally = sum((row.tally for row in wide), Tally())
            if 2 * narrow > whole and tally.nbytes >= self.at_least:
                many = f"{bytes_text(tally.nbytes)} in {number_of(tally.tensors, 'matrix', 'matrices')} of F32"
                message = f"{many}, where most others take 16 bits or less"
                yield self.found(message, component.where, wide[0].kind.example, wasted=tally.nbytes // 2)
