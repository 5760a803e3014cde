"""CK706 buffers-stored."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.analysis.meaning import Meaning
from ckptinspect.audit.aside import set_aside_as
from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject


class BuffersStored(Rule, frozen=True):
    """Buffers are stored that the model makes by itself.

    ## What it does

    Looks for masks, rotary tables, position ids and the like, and tells of them where they take `at_least` bytes, a
    megabyte.

    ## Why it matters

    GPT-2's files hold twelve causal masks of 50 MB together, which makes 137 million elements of 124 million
    parameters. Newer versions of a model leave their buffers out, and warn about each as unexpected
    (transformers#35255, #39063).

    ## What it can't see

    Buffers that carry what was learned, such as the statistics of a normalization: those are stored for a reason,
    and are small.

    ## How to fix

    Save the model with a current version of transformers.
    """

    code: ClassVar[str] = "CK706"
    name: ClassVar[str] = "buffers-stored"
    severity: ClassVar[Severity] = Severity.INFO
    fix: ClassVar[str] = "save the model with a current version of its library"
    at_least: int = 1_000_000

    def check(self, subject: Subject) -> Iterator[Finding]:
        yield from set_aside_as(self, subject, Meaning.BUFFER, "buffers", self.at_least)
