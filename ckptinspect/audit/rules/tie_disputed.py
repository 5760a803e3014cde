"""CK608 tie-disputed."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.analysis.ties import disputed
from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject


class TieDisputed(Rule, frozen=True):
    """The config both ties the head and does not.

    ## What it does

    Compares `tie_word_embeddings` at the top of a config with the one in its section for the text.

    ## Why it matters

    Versions of transformers differ in which of the two they read, so that one loads the stored head and another the
    embedding.

    ## What it can't see

    What the author meant.

    ## How to fix

    Write the same value at both places.
    """

    code: ClassVar[str] = "CK608"
    name: ClassVar[str] = "tie-disputed"
    severity: ClassVar[Severity] = Severity.INFO
    fix: ClassVar[str] = "write the same at both places"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components:
            if disputed(component.config):
                message = "tie_word_embeddings differs between the top of the config and its section for the text"
                yield self.found(message, component.where)
