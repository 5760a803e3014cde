"""CK405 dtype-not-in-config."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.numbers import config_dtype
from ckptinspect.audit.subject import Subject


class DtypeNotInConfig(Rule, frozen=True):
    """The config does not say in which dtype the model runs.

    ## What it does

    Looks for `dtype` or `torch_dtype` in the config of a model of transformers (one with a `model_type`) whose
    weights are BF16.

    ## Why it matters

    Servers fall back on float16 where nothing is said, and bfloat16 weights overflow in it: sglang#30594 crashed on
    such a model.

    ## What it can't see

    What the loader would choose.

    ## How to fix

    Add `"dtype": "bfloat16"` to the config.
    """

    code: ClassVar[str] = "CK405"
    name: ClassVar[str] = "dtype-not-in-config"
    severity: ClassVar[Severity] = Severity.INFO
    fix: ClassVar[str] = "write `dtype` into the config"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components:
            stored = component.floats
            most = max(stored, key=lambda code: (stored[code].parameters, code), default=None)
            config = component.config
            if most == "BF16" and config.text("model_type") and config_dtype(config) is None:
                yield self.found("the weights are BF16, and the config says no dtype", component.where)
