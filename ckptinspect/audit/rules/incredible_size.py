"""CK804 incredible-size."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.declared import is_incredible
from ckptinspect.audit.subject import Subject
from ckptinspect.text import bytes_text


class IncredibleSize(Rule, frozen=True):
    """A header declares terabytes that its file does not have.

    ## What it does

    Looks for files that declare a terabyte of tensors or more, and more than sixteen times what they have.

    ## Why it matters

    A file of 673 bytes that declares ten tensors of 2 GB was among those that made the Hub show a parameter count
    of 16 trillion. Whoever allocates by the header alone runs out of memory.

    ## What it can't see

    Lies of a smaller scale, which look like files that were cut.

    ## How to fix

    Do not load it, and tell whoever hosts it.
    """

    code: ClassVar[str] = "CK804"
    name: ClassVar[str] = "incredible-size"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "do not load this checkpoint"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for weight in subject.weights:
            if is_incredible(weight):
                declared, there = bytes_text(weight.tensor_bytes), bytes_text(weight.size)
                yield self.found(f"the header declares {declared} of tensors; the file has {there}", weight.path)
