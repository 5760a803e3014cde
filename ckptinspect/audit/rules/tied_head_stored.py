"""CK701 tied-head-stored."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.analysis.meaning import Meaning
from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.copies import where_of
from ckptinspect.audit.subject import Subject
from ckptinspect.text import quoted


class TiedHeadStored(Rule, frozen=True):
    """A weight that is tied to another one is stored all the same.

    ## What it does

    Looks for heads, and other weights, that the config or the model class ties to an embedding of the same shape,
    and that are in the files.

    ## Why it matters

    The loader ties them and throws the stored one away. It makes the model look larger than it is (Gemma2-9B as
    10.2B, mergekit#385) and every download longer, by 0.78 GB in one case (lmms-engine#157). Merges and quantizers
    write it (mergekit#390, llm-compressor#2798).

    ## What it can't see

    Whether the two are equal. If they are not, the config is wrong and the stored head is the better one.

    ## How to fix

    Save the model with a current version of transformers, which leaves it out.
    """

    code: ClassVar[str] = "CK701"
    name: ClassVar[str] = "tied-head-stored"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "save the model without the head"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components:
            for row in component.rows:
                if row.meaning is Meaning.TIED:
                    ties = subject.counted.ties if subject.counted is not None else ()
                    tied_to = next((tie.tied_to for tie in ties if tie.name == row.kind.example), "another")
                    message = f"{quoted(row.kind.example)} is tied to {quoted(tied_to)} and stored all the same"
                    path = where_of(component, row.kind)
                    yield self.found(message, path, row.kind.example, wasted=row.tally.nbytes)
