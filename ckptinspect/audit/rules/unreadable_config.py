"""CK606 unreadable-config."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.errors import SourceError
from ckptinspect.text import escaped


class UnreadableConfig(Rule, frozen=True):
    """A config cannot be read.

    ## What it does

    Reads config.json, adapter_config.json, params.json, model_index.json and modules.json beside the weights. One
    of which no bytes could be had is `unread-file`'s.

    ## Why it matters

    Without its config a checkpoint is a heap of numbers: no loader opens it. Half a file, a pointer and a page that
    a server answered are the common cases.

    ## What it can't see

    Configs that are valid JSON and nonsense.

    ## How to fix

    Fetch it again, or take it from the model that this one was made of.
    """

    code: ClassVar[str] = "CK606"
    name: ClassVar[str] = "unreadable-config"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "fetch the config again"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for path, error in subject.unread.items():
            if not isinstance(error, SourceError):
                yield self.found(escaped(error.what), path)
