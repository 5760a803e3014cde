"""CK105 not-safetensors."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.contents import Content, content_of
from ckptinspect.audit.subject import Subject


class NotSafetensors(Rule, frozen=True):
    """Something else stands under the name of a safetensors file.

    ## What it does

    Tells web pages, JSON, text, pickles, zip archives, GGUF, gzip and others by their first bytes, once they have
    failed as safetensors.

    ## Why it matters

    A server's error page saved as `model.safetensors` is the most common one. A pickle under the name of a
    safetensors file is worse: a tool that goes by the content and not by the name runs what is in it.

    ## What it can't see

    A file that is both: one that is a valid safetensors file and, read by another program, something else.

    ## How to fix

    Fetch the file again from its source. If it was published so, do not load it.
    """

    code: ClassVar[str] = "CK105"
    name: ClassVar[str] = "not-safetensors"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "replace it by the file that its name promises"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for weight in subject.weights:
            if content_of(weight) is Content.FOREIGN and weight.error is not None:
                yield self.found(weight.error.what, weight.path)
