"""CK611 adapter-without-config."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.selection import joined


class AdapterWithoutConfig(Rule, frozen=True):
    """An adapter of PEFT has no config.

    ## What it does

    Looks for adapter_config.json beside every `adapter_model.safetensors`.

    ## Why it matters

    The scale of the adapter (`lora_alpha`) and what it is for stand in the config alone: without it PEFT does not
    load the weights, and other loaders guess.

    ## What it can't see

    Adapters of other tools, which keep this in the metadata.

    ## How to fix

    Save the adapter with `save_pretrained`, which writes both.
    """

    code: ClassVar[str] = "CK611"
    name: ClassVar[str] = "adapter-without-config"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "put adapter_config.json beside the adapter"

    def check(self, subject: Subject) -> Iterator[Finding]:
        paths = {file.path for file in subject.files} | set(subject.unread)
        for weight in subject.weights:
            folder, _, name = weight.path.rpartition("/")
            if name == "adapter_model.safetensors" and joined(folder, "adapter_config.json") not in paths:
                yield self.found("no adapter_config.json stands beside it", weight.path)
