"""CK101 truncated-file."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.contents import Content, content_of
from ckptinspect.audit.declared import is_incredible
from ckptinspect.audit.subject import Subject


class TruncatedFile(Rule, frozen=True):
    """A file ends before its data does.

    ## What it does

    Compares the end of the last tensor, as the header gives it, with the size of the file. A file that ends inside
    its own header is one as well.

    ## Why it matters

    Every published artefact of microsoft/BitNet's 2B model was cut in half: the header declared 3.67 GB, the file
    had 1.84 GB (BitNet#608). Loaders that map the file crash on the first access beyond its end, with a bus error
    rather than a message.

    ## What it can't see

    A file that was cut and then filled up again, with zeros or with another download's bytes, has the right size:
    compare its content with `--hash`.

    ## How to fix

    Fetch the file again, and compare its size with the one that the source lists. If it was published so, tell
    whoever did.
    """

    code: ClassVar[str] = "CK101"
    name: ClassVar[str] = "truncated-file"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "fetch the file again"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for weight in subject.weights:
            if content_of(weight) is Content.CUT and weight.error is not None:
                yield self.found(weight.error.what, weight.path)
            for defect in weight.defects:
                if defect.kind == "truncated" and not is_incredible(weight):
                    yield self.found(defect.message, weight.path)
