"""CK806 remote-code."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.text import few, quoted


class RemoteCode(Rule, frozen=True):
    """Loading the model asks for code from its repository to be run.

    ## What it does

    Looks for `auto_map` in the config, by which transformers finds Python files beside the weights.

    ## Why it matters

    `trust_remote_code=True` runs what stands there, today's version and tomorrow's: it is as safe as its author's
    account.

    ## What it can't see

    What the code does: it is not read.

    ## How to fix

    Read the code, and pin the revision that you have read.
    """

    code: ClassVar[str] = "CK806"
    name: ClassVar[str] = "remote-code"
    severity: ClassVar[Severity] = Severity.INFO
    fix: ClassVar[str] = "read the code before you allow it"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for path, config in subject.configs.items():
            if section := config.section("auto_map"):
                names = few([quoted(key) for key in sorted(section.values)], 3)
                yield self.found(f"the config maps {names} to code of the repository", path)
