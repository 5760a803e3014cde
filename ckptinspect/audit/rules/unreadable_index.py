"""CK309 unreadable-index."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.errors import SourceError
from ckptinspect.text import escaped


class UnreadableIndex(Rule, frozen=True):
    """An index cannot be read.

    ## What it does

    Reads every index whole, up to 250 MB, and asks it for its `weight_map`. One of which no bytes could be had is
    `unread-file`'s.

    ## Why it matters

    transformers and vLLM fail on it, even where every shard is there and whole. A Git LFS pointer or a server's
    error page in place of the index is the common case.

    ## What it can't see

    Whether its names are right: that is for other rules, once it can be read.

    ## How to fix

    Fetch it again, or write it anew from the shards.
    """

    code: ClassVar[str] = "CK309"
    name: ClassVar[str] = "unreadable-index"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "write the index anew from the shards"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for file in subject.indexes:
            if isinstance(file.error, SourceError):
                continue
            if file.error is not None:
                yield self.found(escaped(file.error.what), file.path)
            elif file.index is not None and not file.index.weight_map:
                yield self.found("the index names no tensor", file.path)
