"""CK210 header-not-kept-whole."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.defects import by_file
from ckptinspect.audit.subject import Subject


class HeaderNotKeptWhole(Rule, frozen=True):
    """A header is so strange that not all of it was looked at.

    ## What it does

    Tells where the reader gave up: names or dtypes of millions of characters, metadata of megabytes, tensors of so
    many kinds that they are counted by their dtype alone.

    ## Why it matters

    An audit that stays within its memory has to leave something out; it must not say that all is well with what it
    left out.

    ## What it can't see

    What stands in the part that was left out.

    ## How to fix

    No model has such a header. Find out what wrote it.
    """

    code: ClassVar[str] = "CK210"
    name: ClassVar[str] = "header-not-kept-whole"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "look at the file by itself, and do not load it before you have"

    def check(self, subject: Subject) -> Iterator[Finding]:
        kinds = ("metadata-too-large", "too-many-kinds", "name-too-long", "too-many-dimensions")
        yield from by_file(self, subject, *kinds)
