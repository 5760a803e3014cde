"""CK506 quantization-unlike-config."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.numbers import explained_in
from ckptinspect.audit.subject import Subject
from ckptinspect.quant.witness import CODE


class QuantizationUnlikeConfig(Rule, frozen=True):
    """The config describes another quantization than the weights have.

    ## What it does

    Compares the method, bits and group size that the config gives, and the modules that it leaves out, with what
    the headers show, module by module.

    ## Why it matters

    A loader unpacks by the config: with other bits or groups it fails with a mismatch of sizes at best, and unpacks
    noise at worst. Mixed quantizations, and models that were quantized twice, keep the config of the first run.

    ## What it can't see

    Patterns of the config that are not followed, and layouts that no scheme here knows.

    ## How to fix

    Copy the quantization section of the tool that wrote the weights.
    """

    code: ClassVar[str] = "CK506"
    name: ClassVar[str] = "quantization-unlike-config"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "put the config beside the weights that it belongs to"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components:
            if subject.counted is None or not explained_in(subject, component.name):
                continue
            notes = [note for note in subject.counted.quantized[component.name].notes if note.code == CODE]
            if notes:
                more = f" (and {len(notes) - 1} more)" if len(notes) > 1 else ""
                yield self.found(f"{notes[0].message}{more}", component.where)
