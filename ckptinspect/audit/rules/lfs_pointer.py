"""CK102 lfs-pointer."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.contents import Content, content_of
from ckptinspect.audit.subject import Subject


class LfsPointer(Rule, frozen=True):
    """A Git LFS pointer stands where the weights should.

    ## What it does

    Recognises the three lines of text that git keeps in place of a large file.

    ## Why it matters

    A clone without git-lfs looks complete: every file is there. The first loader that opens one says
    `HeaderTooLarge`, which sends people looking in the wrong place (OmniParser#34, DeepSeek-V3#557,
    transformers#27923, exllama#242).

    ## What it can't see

    Nothing that matters: a pointer is always recognised.

    ## How to fix

    Run `git lfs install` and `git lfs pull` in the clone, or fetch the repository with `hf download`.
    """

    code: ClassVar[str] = "CK102"
    name: ClassVar[str] = "lfs-pointer"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "fetch the weights with `git lfs pull`"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for weight in subject.weights:
            if content_of(weight) is Content.POINTER:
                yield self.found("a Git LFS pointer stands here, not the weights", weight.path)
