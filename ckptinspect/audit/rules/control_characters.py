"""CK803 control-characters."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.text import number_of, quoted


class ControlCharacters(Rule, frozen=True):
    """Names hold characters that act on a terminal or reorder what is read.

    ## What it does

    Looks at the names of tensors, at the keys of the metadata and at the names of files.

    ## Why it matters

    Tools that print names as they are let a checkpoint clear the screen, write to the clipboard, or show another
    name than the true one: five of five tools that were tried did. No model needs such names.

    ## What it can't see

    The values of the metadata, which may be any text.

    ## How to fix

    Rename the tensors. If it came so from somebody else, be careful with it.
    """

    code: ClassVar[str] = "CK803"
    name: ClassVar[str] = "control-characters"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "rename the tensors"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for weight in subject.weights:
            kinds = [k for k in weight.header.kinds if not k.example.isprintable()] if weight.header is not None else []
            if kinds:
                what = number_of(sum(kind.count for kind in kinds), "tensor's name holds", "tensors' names hold")
                message = f"{what} control characters: {quoted(kinds[0].example)}"
                yield self.found(message, weight.path, kinds[0].example)
            keys = [key for key in weight.header.metadata if not key.isprintable()] if weight.header is not None else []
            if keys:
                yield self.found(f"the metadata's key {quoted(keys[0])} holds control characters", weight.path)
        for file in subject.files:
            if not file.path.isprintable():
                yield self.found("the file's name holds control characters", file.path)
