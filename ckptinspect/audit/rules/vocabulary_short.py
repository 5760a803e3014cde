"""CK601 vocabulary-short."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.embedding import embedding_of
from ckptinspect.audit.subject import Subject
from ckptinspect.text import quoted


class VocabularyShort(Rule, frozen=True):
    """The embedding has fewer rows than the vocabulary has tokens.

    ## What it does

    Compares the rows of the token embedding with `vocab_size` of the config.

    ## Why it matters

    Loading fails with a mismatch of sizes, or a token beyond the last row reads what lies behind it: CodeLlama's
    config had more tokens than its embedding rows (transformers#26714).

    ## What it can't see

    The tokenizer: it may know more tokens than the config says.

    ## How to fix

    Resize the embedding to the vocabulary (`resize_token_embeddings`) and save again, or write the true size into
    the config.
    """

    code: ClassVar[str] = "CK601"
    name: ClassVar[str] = "vocabulary-short"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "resize the embedding, or correct vocab_size"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components:
            found = embedding_of(component)
            if found is not None and found.rows < found.vocabulary:
                message = f"{quoted(found.name)} has {found.rows:,} rows; vocab_size is {found.vocabulary:,}"
                yield self.found(message, component.where, found.name)
