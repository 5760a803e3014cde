"""CK206 oversized-header."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.contents import Content, content_of
from ckptinspect.audit.subject import Subject


class OversizedHeader(Rule, frozen=True):
    """A header is longer than clients read.

    ## What it does

    Compares the length of every header with `limit`, 25,000,000 bytes: beyond that the Hub's own clients refuse it.
    Beyond 100,000,000 the format does, and it is an error.

    ## Why it matters

    The Hub shows no parameter count for such a file, and `huggingface_hub` raises an error for it. Whoever opens it
    reads and parses the whole header first.

    ## What it can't see

    Why it is so long: it may be tensors by the hundred thousand, or a picture in the metadata.

    ## How to fix

    Split the file into shards, store experts stacked rather than one by one, or take large values out of the
    metadata.
    """

    code: ClassVar[str] = "CK206"
    name: ClassVar[str] = "oversized-header"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "split the file into shards, or leave the metadata out"
    limit: int = 25_000_000

    def check(self, subject: Subject) -> Iterator[Finding]:
        for weight in subject.weights:
            if content_of(weight) is Content.OVERSIZED and weight.error is not None:
                yield self.found(weight.error.what, weight.path, severity=Severity.ERROR)
            if weight.header is not None and weight.header.length > self.limit:
                message = f"the header takes {weight.header.length:,} bytes; clients of the Hub read {self.limit:,}"
                yield self.found(message, weight.path)
