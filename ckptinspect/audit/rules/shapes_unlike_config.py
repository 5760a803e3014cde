"""CK605 shapes-unlike-config."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.audit.widths import unlike
from ckptinspect.text import listed, quoted


class ShapesUnlikeConfig(Rule, frozen=True):
    """No layer has the shapes that the config gives.

    ## What it does

    Compares the projections of attention and feed-forward (`q_proj`, `k_proj`, `v_proj`, `o_proj`, `gate_proj`,
    `up_proj`, `down_proj`) with the widths that follow from the config. It speaks up only where no layer at all has
    the width.

    ## Why it matters

    A config from another size of the same family is the usual case: the model cannot be built, and the error names
    a tensor, not the config.

    ## What it can't see

    Packed weights, fused projections, and model types other than the most common ones, whose widths may follow from
    other keys.

    ## How to fix

    Put the right config.json beside the weights.
    """

    code: ClassVar[str] = "CK605"
    name: ClassVar[str] = "shapes-unlike-config"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "put the config beside the weights that it belongs to"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components:
            odd = unlike(component)
            if odd:
                first = odd[0]
                shape = f"[{', '.join(map(str, first.shape))}]"
                message = f"{quoted(first.name)} is {shape}; the config makes it [{first.rows}, {first.columns}]"
                others = sorted({found.leaf for found in odd} - {first.leaf})
                also = f" ({listed(others)} too)" if others else ""
                yield self.found(message + also, component.where, first.name)
