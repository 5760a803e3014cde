"""CK602 vocabulary-padded."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.embedding import embedding_of
from ckptinspect.audit.subject import Subject
from ckptinspect.text import quoted


class VocabularyPadded(Rule, frozen=True):
    """The embedding has more rows than the vocabulary has tokens.

    ## What it does

    Compares the rows of the token embedding with `vocab_size` of the config.

    ## Why it matters

    Rows are added so that their number divides well among devices, which is harmless; a tool that derives the
    vocabulary from the embedding is off by as many tokens (FastChat#153, ReconVLA#7).

    ## What it can't see

    Whether the rows are padding, or tokens that the config has forgotten.

    ## How to fix

    Nothing needs fixing, unless the tokens are real.
    """

    code: ClassVar[str] = "CK602"
    name: ClassVar[str] = "vocabulary-padded"
    severity: ClassVar[Severity] = Severity.INFO
    fix: ClassVar[str] = "nothing: rows are padded for speed"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components:
            found = embedding_of(component)
            if found is not None and found.rows > found.vocabulary:
                message = f"{quoted(found.name)} has {found.rows:,} rows; vocab_size is {found.vocabulary:,}"
                yield self.found(message, component.where, found.name)
