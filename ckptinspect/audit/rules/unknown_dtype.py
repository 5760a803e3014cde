"""CK401 unknown-dtype."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.defects import by_file
from ckptinspect.audit.subject import Subject


class UnknownDtype(Rule, frozen=True):
    """A tensor has a dtype that is not in the format's table.

    ## What it does

    Compares every dtype with the 22 of safetensors 0.8.0.

    ## Why it matters

    The reference implementation refuses the whole file for one such tensor, so nothing that is built on it loads
    the checkpoint. Type lists of other readers hold names that it never had (`U3`, `FP4`, `UE8`).

    ## What it can't see

    Whether a newer version of the format knows the dtype.

    ## How to fix

    Store the values in a dtype of the table: packed ones as U8, exponents as F8_E8M0.
    """

    code: ClassVar[str] = "CK401"
    name: ClassVar[str] = "unknown-dtype"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "store the tensors in a dtype that readers know"

    def check(self, subject: Subject) -> Iterator[Finding]:
        yield from by_file(self, subject, "unknown-dtype")
