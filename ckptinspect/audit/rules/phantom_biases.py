"""CK507 phantom-biases."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.analysis.meaning import Meaning
from ckptinspect.audit.aside import set_aside_as
from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject


class PhantomBiases(Rule, frozen=True):
    """The quantizer wrote biases that the model does not have.

    ## What it does

    Looks for biases of GPTQ layers whose model class has none.

    ## Why it matters

    AutoGPTQ writes a bias of zeros for every layer. They take room, and tools that count them show too many
    parameters: 1,376,256 in an 8-billion model, which is why the Hub shows 8,031,637,504 for 8,030,261,248.

    ## What it can't see

    Whether they are zeros.

    ## How to fix

    Nothing needs fixing; newer quantizers leave them out.
    """

    code: ClassVar[str] = "CK507"
    name: ClassVar[str] = "phantom-biases"
    severity: ClassVar[Severity] = Severity.INFO
    fix: ClassVar[str] = "quantize with a tool that writes no biases of its own"

    def check(self, subject: Subject) -> Iterator[Finding]:
        yield from set_aside_as(self, subject, Meaning.PHANTOM, "biases that the model class does not have")
