"""CK103 zero-header."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.contents import Content, content_of
from ckptinspect.audit.subject import Subject


class ZeroHeader(Rule, frozen=True):
    """A file begins with zeros.

    ## What it does

    Looks at the eight bytes that should hold the length of the header.

    ## Why it matters

    A download tool that reserves the space of a file before it fills it leaves zeros behind when it is interrupted.
    Three of four shards of one published checkpoint were such (Veritas#9, VeritasPP#2).

    ## What it can't see

    Zeros further on, in the data: compare the content with `--hash`.

    ## How to fix

    Delete the file and fetch it again.
    """

    code: ClassVar[str] = "CK103"
    name: ClassVar[str] = "zero-header"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "fetch the file again"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for weight in subject.weights:
            if content_of(weight) is Content.ZEROS:
                yield self.found("the file begins with zeros: it was never written whole", weight.path)
