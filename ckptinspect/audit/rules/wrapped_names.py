"""CK902 wrapped-names."""

import re
from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.text import number_of, quoted

_WRAPPED = re.compile(r"^module\.|(?:^|\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")


class WrappedNames(Rule, frozen=True):
    """Names still have the prefix of a training wrapper.

    ## What it does

    Looks for `module.` (DDP), `_orig_mod.` (torch.compile), `_fsdp_wrapped_module.` and
    `_checkpoint_wrapped_module.` in the names of tensors.

    ## Why it matters

    A loader that looks for `model.layers.0…` finds `_orig_mod.model.layers.0…`, takes every weight for unexpected
    and every one of its own for missing, and starts from random ones.

    ## What it can't see

    Models that have a module of that name by themselves.

    ## How to fix

    Save `model._orig_mod` or `model.module`, or strip the prefix.
    """

    code: ClassVar[str] = "CK902"
    name: ClassVar[str] = "wrapped-names"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "save the inner module's state_dict"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for weight in subject.weights:
            kinds = weight.header.kinds if weight.header is not None else ()
            wrapped = [kind for kind in kinds if _WRAPPED.search(kind.example)]
            if wrapped:
                count = sum(kind.count for kind in wrapped)
                message = f"{number_of(count, 'name')} with a wrapper's prefix: {quoted(wrapped[0].example)}"
                yield self.found(message, weight.path, wrapped[0].example)
