"""CK504 orphaned-scales."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.scales import orphaned
from ckptinspect.audit.subject import Subject
from ckptinspect.text import number_of, quoted


class OrphanedScales(Rule, frozen=True):
    """Scales stand beside a weight that is not quantized, or beside none.

    ## What it does

    Looks for `weight_scale_inv` and `weight_scale` beside floating-point weights of 16 bits and more, and where no
    weight is.

    ## Why it matters

    A checkpoint that was dequantized and kept its scales is scaled twice by loaders that apply whatever scale they
    find.

    ## What it can't see

    Scales of other names, which models have for reasons of their own.

    ## How to fix

    Save the weights without the scales.
    """

    code: ClassVar[str] = "CK504"
    name: ClassVar[str] = "orphaned-scales"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "leave the scales out, or save the weights that they belong to"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components:
            scales = orphaned(component)
            if scales:
                count, nbytes = sum(kind.count for kind in scales), sum(kind.count * kind.nbytes for kind in scales)
                what = f"{number_of(count, 'scale')} without a quantized weight: {quoted(scales[0].example)}"
                yield self.found(what, component.where, scales[0].example, wasted=nbytes)
