"""CK707 unused-weights."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.analysis.meaning import Meaning
from ckptinspect.audit.aside import set_aside_as
from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject


class UnusedWeights(Rule, frozen=True):
    """Weights are stored that the model class does not load.

    ## What it does

    Looks for weights that classes of transformers are known to pass over, such as the relative bias in T5's cross-
    attention.

    ## Why it matters

    They are reported as unexpected every time the model is loaded, and make it look larger than it is.

    ## What it can't see

    Weights that only the model's own code could tell.

    ## How to fix

    Nothing needs fixing; a fresh save leaves them out.
    """

    code: ClassVar[str] = "CK707"
    name: ClassVar[str] = "unused-weights"
    severity: ClassVar[Severity] = Severity.INFO
    fix: ClassVar[str] = "save the model with a current version of its library"

    def check(self, subject: Subject) -> Iterator[Finding]:
        yield from set_aside_as(self, subject, Meaning.UNUSED, "weights that no model class loads")
