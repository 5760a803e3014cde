"""CK503 scales-missing."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.scales import unscaled
from ckptinspect.audit.subject import Subject
from ckptinspect.text import number_of, quoted


class ScalesMissing(Rule, frozen=True):
    """A quantized weight has no scales, where its neighbours have them.

    ## What it does

    Looks for 8-bit floating-point weights and packed integers that lack the scales which others of the same leaf
    name have in the same checkpoint.

    ## Why it matters

    Without its scale a weight is off by a factor that nobody knows; the loader leaves the scale at one, and the
    output is noise (imp#1450, sglang#23625). Shards that were quantized apart and put together lose them.

    ## What it can't see

    A checkpoint in which every weight has lost its scales: that is what a plain cast to 8 bits looks like.

    ## How to fix

    Quantize the model again, or find the shard with the scales.
    """

    code: ClassVar[str] = "CK503"
    name: ClassVar[str] = "scales-missing"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "save the checkpoint again with all of its scales"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components:
            bare = unscaled(component)
            if bare:
                count = sum(kind.count for kind in bare)
                what = f"{number_of(count, 'quantized weight has', 'quantized weights have')} no scales"
                yield self.found(
                    f"{what}, where others have them: {quoted(bare[0].example)}", component.where, bare[0].example
                )
