"""CK709 identical-files."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.pickles import PICKLES
from ckptinspect.audit.subject import Subject
from ckptinspect.selection import SUFFIX
from ckptinspect.sources.base import File
from ckptinspect.text import escaped, listed


class IdenticalFiles(Rule, frozen=True):
    """Two files of weights have the same content.

    ## What it does

    Compares the SHA-256 that the Hub lists for every file of weights; on disk, where none is listed, it says
    nothing.

    ## Why it matters

    A model saved under two names is fetched twice by everybody who takes the whole repository.

    ## What it can't see

    Files that differ in their metadata alone, and folders on disk.

    ## How to fix

    Remove all but one of them.
    """

    code: ClassVar[str] = "CK709"
    name: ClassVar[str] = "identical-files"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "keep one of the files"
    at_least: int = 1_000

    def check(self, subject: Subject) -> Iterator[Finding]:
        found: dict[str, list[File]] = {}
        for file in subject.files:
            if file.digest is not None and file.size >= self.at_least and file.path.endswith((SUFFIX, *PICKLES)):
                found.setdefault(file.digest, []).append(file)
        for files in found.values():
            if len(files) > 1:
                names = listed([escaped(file.path) for file in files[:4]])
                wasted = files[0].size * (len(files) - 1)
                yield self.found(f"{names} have the same content", files[1].path, wasted=wasted)
