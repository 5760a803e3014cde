"""CK603 layer-missing."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.layers import is_searched, layers_said
from ckptinspect.audit.subject import Subject
from ckptinspect.text import escaped, few, number_of


class LayerMissing(Rule, frozen=True):
    """A layer is missing between others.

    ## What it does

    Numbers the layers of every stack of four and more that are mostly alike, and looks for gaps. It keeps silent
    where a shard is missing or could not be read, since that says enough, and where the config has as many layers
    as there are.

    ## Why it matters

    A conversion or a merge that loses a shard's worth of tensors still writes a file that opens. The loader leaves
    the layer at random, with a warning among hundreds of lines.

    ## What it can't see

    Layers missing at the end, of which another rule tells, and single tensors missing inside a layer.

    ## How to fix

    Find the shard that held the layer, or save the model again.
    """

    code: ClassVar[str] = "CK603"
    name: ClassVar[str] = "layer-missing"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "find the shard with the layer, or save the model again"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components if subject.whole else ():
            for stack in component.stacks if not is_searched(component.config) else ():
                if stack.gaps and len(stack.layers) != layers_said(component.config):
                    gaps = few([f"{stack.prefix}.{number}" for number in stack.gaps], 3)
                    are = "is" if len(stack.gaps) == 1 else "are"
                    count = number_of(max(stack.layers) + 1, "layer")
                    yield self.found(f"{escaped(gaps)} {are} not there, of {count}", component.where)
