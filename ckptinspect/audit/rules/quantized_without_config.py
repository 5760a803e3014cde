"""CK501 quantized-without-config."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.numbers import explained_in, is_elsewhere
from ckptinspect.audit.subject import Subject
from ckptinspect.quant.claims import quantization_of
from ckptinspect.text import number_of


class QuantizedWithoutConfig(Rule, frozen=True):
    """The weights are quantized, and no config says how.

    ## What it does

    Looks for packed or scaled weights, by their sibling tensors, in checkpoints whose config has a `model_type` and
    no quantization section, and without any of the files that tools keep it in beside the config.

    ## Why it matters

    A loader builds the model without quantization, finds tensors that it does not know, and leaves the weights at
    random: a white image, 64 missing tensors (sglang#23625, imp#1450). ComfyUI and LTX have met it (ComfyUI#15520,
    LTX-2#181).

    ## What it can't see

    Loaders that recognise the tensors by themselves. Weights in an 8-bit dtype without scales may be a plain cast,
    and are no finding.

    ## How to fix

    Copy the `quantization_config` of the tool that quantized the model into config.json.
    """

    code: ClassVar[str] = "CK501"
    name: ClassVar[str] = "quantized-without-config"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "write the quantization into config.json"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components:
            units = explained_in(subject, component.name)
            config = component.config
            if (
                not units
                or not config.text("model_type")
                or quantization_of(config)
                or is_elsewhere(subject, component)
            ):
                continue
            first = next(iter(units[0].parameters), None)
            count = sum(kind.count for unit in units for kind in unit.parameters)
            what = f"{number_of(count, 'weight is', 'weights are')} quantized"
            yield self.found(
                f"{what}, and the config does not say how", component.where, first.example if first else None
            )
