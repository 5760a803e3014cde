"""CK106 trailing-bytes."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject


class TrailingBytes(Rule, frozen=True):
    """A file goes on behind its last tensor.

    ## What it does

    Compares the end of the last tensor with the size of the file.

    ## Why it matters

    The format forbids it, and the reference implementation refuses the file: what stands behind the weights could
    be another file (a zip archive is read from its end), which is how one file is a model to one program and
    something else to another. The audit that Hugging Face, EleutherAI and Stability AI ordered in 2023 led to the
    rule.

    ## What it can't see

    What the bytes are: they are not read.

    ## How to fix

    Write the file again with the safetensors library, from weights that you trust.
    """

    code: ClassVar[str] = "CK106"
    name: ClassVar[str] = "trailing-bytes"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "write the file again with the safetensors library"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for weight in subject.weights:
            for defect in weight.defects:
                if defect.kind == "trailing-bytes":
                    yield self.found(defect.message, weight.path)
