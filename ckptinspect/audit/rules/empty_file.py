"""CK104 empty-file."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.contents import Content, content_of
from ckptinspect.audit.subject import Subject


class EmptyFile(Rule, frozen=True):
    """A safetensors file has no bytes.

    ## What it does

    Looks at the size of every safetensors file.

    ## Why it matters

    An upload or a copy that failed leaves an empty file under the right name, and everything that only asks whether
    the file exists goes on.

    ## What it can't see

    A file that holds a header and no tensors is legal, and no finding.

    ## How to fix

    Fetch the file again, or leave it out of the repository.
    """

    code: ClassVar[str] = "CK104"
    name: ClassVar[str] = "empty-file"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "fetch the file again"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for weight in subject.weights:
            if content_of(weight) is Content.EMPTY:
                yield self.found("the file is empty", weight.path)
