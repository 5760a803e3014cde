"""CK108 content-unlike-hub."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject


class ContentUnlikeHub(Rule, frozen=True):
    """A file's content is not the one that the Hub lists.

    ## What it does

    With `--hash` only: compares the SHA-256 of every local file of weights with the one that the Hub lists for it.

    ## Why it matters

    Bit rot, a copy that went wrong and weights that somebody has changed leave the header as it was. A SHA-256 is
    the only proof of the data that there is without loading the model.

    ## What it can't see

    Without `--hash`, anything: headers say nothing of the values. With it, files that the Hub keeps in git and not
    in LFS, of which it lists no SHA-256.

    ## How to fix

    Delete the file and fetch it again. If that gives the same, ask whoever published it.
    """

    code: ClassVar[str] = "CK108"
    name: ClassVar[str] = "content-unlike-hub"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "fetch the file again"

    def check(self, subject: Subject) -> Iterator[Finding]:
        paths = {file.path for file in subject.files}
        for path, hashed in sorted((subject.hashes or {}).items()):
            if path in paths and hashed.expected != hashed.actual:
                message = f"its SHA-256 is {hashed.actual[:16]}…, and the Hub lists {hashed.expected[:16]}…"
                yield self.found(message, path)
