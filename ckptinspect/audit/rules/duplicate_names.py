"""CK205 duplicate-names."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.defects import by_file
from ckptinspect.audit.subject import Subject


class DuplicateNames(Rule, frozen=True):
    """A name stands twice in one header.

    ## What it does

    Keeps every pair of the header's JSON object, which a JSON library does not: most keep the last of two.

    ## Why it matters

    The format disallows it, and says that not every parser may notice (safetensors#401). Which of the two a loader
    takes depends on its JSON library, so that the same file is two models.

    ## What it can't see

    Names that differ in spelling alone and mean the same to a loader.

    ## How to fix

    Write the file again with the safetensors library, and look at which of the two was meant.
    """

    code: ClassVar[str] = "CK205"
    name: ClassVar[str] = "duplicate-names"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "write the file again with the safetensors library"

    def check(self, subject: Subject) -> Iterator[Finding]:
        yield from by_file(self, subject, "duplicate-name")
