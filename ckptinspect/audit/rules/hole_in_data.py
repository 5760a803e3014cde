"""CK203 hole-in-data."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.defects import by_file
from ckptinspect.audit.subject import Subject


class HoleInData(Rule, frozen=True):
    """Bytes between the tensors belong to none of them.

    ## What it does

    Sorts the tensors of every file by their offsets, and looks for one that begins behind the end of the one before
    it.

    ## Why it matters

    What nobody names can hold anything: a second file, for a program that looks for one. The format forbids it and
    the reference implementation refuses the file. Writers of their own that align every tensor leave such holes.

    ## What it can't see

    What the bytes are: they are not read.

    ## How to fix

    Write the file again with the safetensors library, which leaves no holes.
    """

    code: ClassVar[str] = "CK203"
    name: ClassVar[str] = "hole-in-data"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "write the file again with the safetensors library"

    def check(self, subject: Subject) -> Iterator[Finding]:
        yield from by_file(self, subject, "hole")
