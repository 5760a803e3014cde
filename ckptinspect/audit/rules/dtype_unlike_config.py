"""CK402 dtype-unlike-config."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.numbers import WIDTHS, config_dtype, is_quantized
from ckptinspect.audit.subject import Subject


class DtypeUnlikeConfig(Rule, frozen=True):
    """Most weights are stored in another dtype than the config says.

    ## What it does

    Compares `dtype` (or `torch_dtype`) of every config with the floating-point dtype that most of the elements
    have. Quantized checkpoints are left out: their config speaks of what they unpack to.

    ## Why it matters

    transformers converts to the config's dtype as it loads, so weights stored wider cost twice the download and
    nothing of them arrives; weights stored narrower are shown as what they no longer are (transformers#29955).

    ## What it can't see

    Why: some trainers keep their master weights in float32 on purpose.

    ## How to fix

    Save the model in the dtype that the config names, or write the dtype that it was saved in.
    """

    code: ClassVar[str] = "CK402"
    name: ClassVar[str] = "dtype-unlike-config"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "save in the config's dtype, or correct the config"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components:
            said = config_dtype(component.config)
            stored = component.floats
            if said is None or not stored or is_quantized(component):
                continue
            most = max(stored, key=lambda code: (stored[code].parameters, code))
            whole = sum(tally.parameters for tally in stored.values())
            if most != said and most in WIDTHS and 2 * stored[most].parameters > whole:
                share = 100 * stored[most].parameters // whole
                wasted = stored[most].nbytes - stored[most].nbytes * WIDTHS[said] // WIDTHS[most]
                message = f"the config says {said}; {share} % of the elements are {most}"
                yield self.found(message, component.where, wasted=max(0, wasted))
