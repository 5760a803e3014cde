"""CK207 non-standard-padding."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject


class NonStandardPadding(Rule, frozen=True):
    """White space stands where the format has none.

    ## What it does

    Looks for white space before the opening brace, and for tabs and line breaks behind the closing one. The format
    says that a header begins with a brace and may be filled up with spaces at its end.

    ## Why it matters

    The reference implementation is more tolerant than its own specification (safetensors#775), and readers that
    follow the specification refuse what it reads.

    ## What it can't see

    White space between the fields, which is harmless.

    ## How to fix

    Write the file again with the safetensors library, which fills up with spaces to a multiple of eight.
    """

    code: ClassVar[str] = "CK207"
    name: ClassVar[str] = "non-standard-padding"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "write the file again with the safetensors library"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for weight in subject.weights:
            if any(defect.kind == "leading-padding" for defect in weight.defects):
                yield self.found("white space stands before the '{' of the header", weight.path)
            raw = weight.header.raw if weight.header is not None else None
            if raw is not None and raw[-1:] in {b"\t", b"\r", b"\n"}:
                yield self.found("the header is filled up with something else than spaces", weight.path)
