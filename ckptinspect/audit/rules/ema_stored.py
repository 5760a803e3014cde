"""CK705 ema-stored."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.analysis.meaning import Meaning
from ckptinspect.audit.aside import set_aside_as
from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject


class EmaStored(Rule, frozen=True):
    """The averaged weights are stored beside the weights themselves.

    ## What it does

    Looks for a second copy of the network under `model_ema.`, as trainers of diffusion models keep it.

    ## Why it matters

    Training goes on from both, inference needs one: half of the file is never used.

    ## What it can't see

    Which of the two gives the better pictures.

    ## How to fix

    Save the one that is meant to be used (`--half`, `prune` in most tools).
    """

    code: ClassVar[str] = "CK705"
    name: ClassVar[str] = "ema-stored"
    severity: ClassVar[Severity] = Severity.INFO
    fix: ClassVar[str] = "save one of the two"

    def check(self, subject: Subject) -> Iterator[Finding]:
        yield from set_aside_as(self, subject, Meaning.EMA, "an averaged (EMA) copy of the weights")
