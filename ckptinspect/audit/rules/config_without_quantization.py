"""CK502 config-without-quantization."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.analysis.meaning import Meaning
from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.numbers import explained_in, is_about_weights, is_wide_float
from ckptinspect.audit.subject import Subject
from ckptinspect.quant.claims import quantization_of
from ckptinspect.text import listed, quoted


class ConfigWithoutQuantization(Rule, frozen=True):
    """The config speaks of a quantization that the weights do not have.

    ## What it does

    Looks for a quantization section in the config of a checkpoint that has floating-point weights of 16 bits and
    more and nothing else. Sections for the KV cache alone, for sparsity and for methods that quantize as they load
    are no finding.

    ## Why it matters

    A merge or a dequantized copy keeps the config of the model that it came from. Loaders then build quantized
    layers and find none of their tensors.

    ## What it can't see

    Loaders that ignore the section.

    ## How to fix

    Remove `quantization_config` from config.json, or save the quantized weights.
    """

    code: ClassVar[str] = "CK502"
    name: ClassVar[str] = "config-without-quantization"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "take the quantization out of the config, or save the quantized weights"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components:
            section = quantization_of(component.config)
            method = section.text("quant_method", "quant_algo") or "mlx"
            if not is_about_weights(section) or explained_in(subject, component.name) or not component.rows:
                continue
            weights = [row for row in component.rows if row.meaning is not Meaning.BUFFER]
            if weights and all(is_wide_float(row) for row in weights):
                codes = listed(sorted({row.kind.dtype.code for row in weights}))
                message = f"the config says {quoted(method)}; the weights are {codes} and not quantized"
                yield self.found(message, component.where)
