"""CK211 empty-tensors."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.text import number_of


class EmptyTensors(Rule, frozen=True):
    """Weights without elements are stored.

    ## What it does

    Looks for tensors called `weight` whose shape has a zero in it. Where most of the weights are so, it is an
    error.

    ## Why it matters

    A model that was trained with its weights spread over machines (DeepSpeed ZeRO-3) and saved without gathering
    them holds placeholders of the shape `[0]`: the file is small, the training is lost, and loading says `size
    mismatch … torch.Size([0])`.

    ## What it can't see

    Weights that are there and hold zeros.

    ## How to fix

    Save with `stage3_gather_16bit_weights_on_model_save`, or put the checkpoint together with `zero_to_fp32.py`.
    """

    code: ClassVar[str] = "CK211"
    name: ClassVar[str] = "empty-tensors"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "gather the weights before saving them (ZeRO-3, FSDP)"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for weight in subject.weights:
            kinds = (
                [k for k in weight.header.kinds if k.template.endswith("weight")] if weight.header is not None else []
            )
            empty = [kind for kind in kinds if kind.rank and not kind.elements]
            if empty:
                count, total = sum(kind.count for kind in empty), sum(kind.count for kind in kinds)
                severity = Severity.ERROR if 2 * count > total else None
                message = f"{count:,} of {number_of(total, 'weight')} have no elements"
                yield self.found(message, weight.path, empty[0].example, severity=severity)
