"""CK610 adapter-without-base."""

import re
from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.text import quoted

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


class AdapterWithoutBase(Rule, frozen=True):
    """An adapter does not say what it adapts, or names a folder of its author's machine.

    ## What it does

    Looks at `base_model_name_or_path` of every adapter_config.json.

    ## Why it matters

    Servers that load the base by this name fail: it was null (lorax#315), or a folder under `/home` that nobody
    else has. A repository that was deleted since looks right and is gone as well (lorax#311).

    ## What it can't see

    Whether the repository still exists: that would cost a request for every adapter.

    ## How to fix

    Write the id of the base model on the Hub, with its revision.
    """

    code: ClassVar[str] = "CK610"
    name: ClassVar[str] = "adapter-without-base"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "write the base model's id into adapter_config.json"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for path, config in subject.configs.items():
            if path.rpartition("/")[2] != "adapter_config.json":
                continue
            base = config.text("base_model_name_or_path")
            if not base:
                yield self.found("it names no base model", path)
            elif base.startswith(("/", "./", "../", "~", "\\\\")) or _DRIVE.match(base):
                yield self.found(f"the base model is a folder of another machine: {quoted(base)}", path)
