"""CK204 size-mismatch."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.defects import by_file
from ckptinspect.audit.subject import Subject


class SizeMismatch(Rule, frozen=True):
    """A tensor's bytes are not those that its dtype and shape ask for.

    ## What it does

    Multiplies every shape with the width of its dtype, in the arithmetic of 64 bits that the reference uses, and
    compares it with the offsets.

    ## Why it matters

    A shape that claims more than the bytes hold makes a reader run beyond them; shapes whose product overflows have
    been used to show parameter counts of 10 to the power of 308. The reference implementation refuses the file.

    ## What it can't see

    Tensors of a dtype that is not in the format's table: of those the width is not known.

    ## How to fix

    Write the file again with the safetensors library. A file that came so from somebody else is not to be trusted.
    """

    code: ClassVar[str] = "CK204"
    name: ClassVar[str] = "size-mismatch"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "write the file again with the safetensors library"

    def check(self, subject: Subject) -> Iterator[Finding]:
        yield from by_file(self, subject, "size-mismatch", "reversed-offsets", "overflow", "sub-byte")
