"""The seam for audit rules: what a rule is, and what it finds."""

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

import msgspec

if TYPE_CHECKING:
    from ckptinspect.audit.subject import Subject


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """The checkpoint does not load, or loads as something else."""
    WARNING = "warning"
    """It wastes bytes, misleads, or puts whoever loads it at risk."""
    INFO = "info"
    """Good to know."""

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


def failing(fail_on: str) -> frozenset[str]:
    """The severities from this one on; none for any other word.

    >>> sorted(failing("warning")), sorted(failing("never"))
    (['error', 'warning'], [])
    """
    order = [str(severity) for severity in Severity]
    return frozenset(order[: order.index(fail_on) + 1]) if fail_on in order else frozenset()


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong.

    ``rule`` is the rule's code; ``path`` the file below the root that it is about, None for the whole;
    ``tensor`` the name of a tensor, or of the first of several; ``wasted_bytes`` what could be left out.
    """

    rule: str
    severity: Severity
    message: str
    path: str | None = None
    tensor: str | None = None
    wasted_bytes: int = 0


class Audited(msgspec.Struct, frozen=True):
    """A checkpoint that was looked at. ``accepted`` are findings that a baseline left out; ``commit`` is the Hub's."""

    ref: str
    findings: tuple[Finding, ...]
    requests: int = 0
    bytes_read: int = 0
    commit: str | None = None
    accepted: int = 0


class Skipped(msgspec.Struct, frozen=True):
    """A checkpoint that could not be looked at: ``kind`` is the error's, ``bug`` where the fault is ours."""

    ref: str
    kind: str
    reason: str
    requests: int = 0
    bytes_read: int = 0


class Rule(msgspec.Struct, frozen=True):
    """One rule. Its fields are its settings, with their defaults; its docstring is its page.

    The docstring has a line that says what it finds, and under four headings what it does, why that matters, what
    it can't see, and how to fix what it found. ``fix`` is the last in a few words, for every finding.
    """

    code: ClassVar[str] = ""
    name: ClassVar[str] = ""
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = ""

    def check(self, subject: "Subject") -> "Iterator[Finding]":
        """Everything that this rule has to say of a checkpoint, in a fixed order."""
        raise NotImplementedError

    def found(
        self,
        message: str,
        path: str | None = None,
        tensor: str | None = None,
        *,
        wasted: int = 0,
        severity: Severity | None = None,
    ) -> Finding:
        """A finding of this rule, of its own severity unless another is given."""
        return Finding(self.code, severity or self.severity, message, path, tensor, wasted)
