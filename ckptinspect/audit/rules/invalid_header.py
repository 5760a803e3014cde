"""CK201 invalid-header."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.contents import Content, content_of
from ckptinspect.audit.subject import Subject
from ckptinspect.text import escaped


class InvalidHeader(Rule, frozen=True):
    """A header breaks the rules of the format.

    ## What it does

    Holds every header against every rule that the reference implementation (safetensors 0.8.0) has for its JSON:
    types, missing and repeated fields, negative and fractional numbers, metadata that is no text.

    ## Why it matters

    Converters that write by themselves get it wrong: a `dtype` of an empty string (torchtitan#3764), metadata that
    is a number (safetensors#278). Some readers accept what the reference refuses, so that the file works for its
    author alone.

    ## What it can't see

    Headers that are legal and nonsense; other rules look for those.

    ## How to fix

    Write the file with the safetensors library, and give metadata values as text.
    """

    code: ClassVar[str] = "CK201"
    name: ClassVar[str] = "invalid-header"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "write the file again with the safetensors library"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for weight in subject.weights:
            if content_of(weight) is Content.INVALID and weight.error is not None:
                where = f"{weight.error.where}: " if weight.error.where else ""
                yield self.found(escaped(f"{where}{weight.error.what}"), weight.path)
