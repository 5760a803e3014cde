"""CK604 layers-unlike-config."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.layers import layers_said, only_stack
from ckptinspect.audit.subject import Subject
from ckptinspect.text import escaped, number_of


class LayersUnlikeConfig(Rule, frozen=True):
    """There are fewer layers than the config says.

    ## What it does

    Compares the layers of the language model with `num_hidden_layers`, where there is one stack and the config is
    no encoder-decoder's.

    ## Why it matters

    A set of shards that lost its last one, and whose index was written for what was left, opens without a
    complaint. The missing layers are left at random.

    ## What it can't see

    Models that run one stored layer many times (ALBERT, Zamba) look the same: such model types are left out as far
    as they are known.

    ## How to fix

    Fetch the last shard, or write the number of layers that there are.
    """

    code: ClassVar[str] = "CK604"
    name: ClassVar[str] = "layers-unlike-config"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "find the shard with the last layers, or correct the config"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components if subject.whole else ():
            said = layers_said(component.config)
            stack = only_stack(component.stacks, component.rows)
            if said is not None and stack is not None and not stack.gaps and len(stack.layers) < said:
                message = (
                    f"{escaped(stack.prefix)} has {number_of(len(stack.layers), 'layer')}; the config says {said:,}"
                )
                yield self.found(message, component.where)
