"""CK107 unread-file."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.contents import Content, content_of
from ckptinspect.audit.subject import Subject
from ckptinspect.errors import CkptInspectError, SourceError
from ckptinspect.text import escaped


class UnreadFile(Rule, frozen=True):
    """A file could not be read, so nothing is known of it.

    ## What it does

    Tells of every file of weights, index and config that was there and could not be read: a link to nothing, a file
    without permission, a server that gave up.

    ## Why it matters

    An audit that passes over what it could not read says that all is well when it has seen half of it. An
    interrupted download leaves links to nothing in the Hub's cache.

    ## What it can't see

    Whether another try would succeed.

    ## How to fix

    Look at the reason: fetch the file, mend the link or the permission, or run the audit again when the server
    answers.
    """

    code: ClassVar[str] = "CK107"
    name: ClassVar[str] = "unread-file"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "make the file readable and audit again"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for path, error in _errors(subject):
            if error is not None:
                yield self.found(escaped(f"it could not be read: {error.what}"), path)


def _errors(subject: Subject) -> Iterator[tuple[str, CkptInspectError | None]]:
    """The files of which no bytes could be had, and why."""
    yield from ((weight.path, weight.error) for weight in subject.weights if content_of(weight) is Content.UNREAD)
    yield from ((index.path, index.error) for index in subject.indexes if isinstance(index.error, SourceError))
    yield from ((path, error) for path, error in subject.unread.items() if isinstance(error, SourceError))
