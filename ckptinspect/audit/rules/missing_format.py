"""CK209 missing-format."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.text import escaped, few, number_of


class MissingFormat(Rule, frozen=True):
    """The metadata does not say what the file was written for.

    ## What it does

    Looks for `format` in the metadata of every file with tensors, and tells of them together.

    ## Why it matters

    transformers and accelerate refused files without it (accelerate#1151, mlx#743, safetensors#549), and others
    failed on empty metadata, which is legal (fastsafetensors#89).

    ## What it can't see

    Whether the format that is written is the right one.

    ## How to fix

    Save with `metadata={'format': 'pt'}`.
    """

    code: ClassVar[str] = "CK209"
    name: ClassVar[str] = "missing-format"
    severity: ClassVar[Severity] = Severity.INFO
    fix: ClassVar[str] = "write `format` (`pt`, `mlx`, …) into the metadata"

    def check(self, subject: Subject) -> Iterator[Finding]:
        without = [
            weight.path
            for weight in subject.weights
            if weight.header is not None and weight.header.kinds and "format" not in weight.header.metadata
        ]
        if without:
            path = without[0] if len(without) == 1 else None
            what = (
                f"{number_of(len(without), 'file')} ({few([escaped(path) for path in without])})"
                if path is None
                else "it"
            )
            yield self.found(f"{what} {'does' if path else 'do'} not say a format in the metadata", path)
