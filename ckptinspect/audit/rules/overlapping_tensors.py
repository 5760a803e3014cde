"""CK202 overlapping-tensors."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.defects import by_file
from ckptinspect.audit.subject import Subject


class OverlappingTensors(Rule, frozen=True):
    """Two tensors share bytes.

    ## What it does

    Sorts the tensors of every file by their offsets, and looks for one that begins inside another.

    ## Why it matters

    A small file whose tensors all point at the same bytes unpacks to terabytes: it is among the attacks that the
    safetensors sources keep as tests. The reference implementation refuses such a file; readers of their own often
    do not look.

    ## What it can't see

    Tensors that share their storage on purpose: the format has no way to say so.

    ## How to fix

    Write the file again with the safetensors library. A file that came so from somebody else is not to be trusted.
    """

    code: ClassVar[str] = "CK202"
    name: ClassVar[str] = "overlapping-tensors"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "do not load the file; write it again from weights that you trust"

    def check(self, subject: Subject) -> Iterator[Finding]:
        yield from by_file(self, subject, "overlap")
