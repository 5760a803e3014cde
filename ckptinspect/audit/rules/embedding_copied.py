"""CK708 embedding-copied."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.analysis.meaning import Meaning
from ckptinspect.audit.aside import set_aside_as
from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject


class EmbeddingCopied(Rule, frozen=True):
    """Multi-token-prediction layers have copies of embedding and head.

    ## What it does

    Looks for an embedding and a head inside the layers of multi-token prediction, of the shapes that the main model
    has.

    ## Why it matters

    DeepSeek-V3 stores both again: 1.85 of its 684.5 billion elements. Loaders that share them throw the copies
    away.

    ## What it can't see

    Whether the copies are equal.

    ## How to fix

    Nothing needs fixing where loaders expect them.
    """

    code: ClassVar[str] = "CK708"
    name: ClassVar[str] = "embedding-copied"
    severity: ClassVar[Severity] = Severity.INFO
    fix: ClassVar[str] = "leave the copies out if your loader shares them"

    def check(self, subject: Subject) -> Iterator[Finding]:
        yield from set_aside_as(
            self, subject, Meaning.COPY, "copies of embedding and head, in layers of multi-token prediction"
        )
