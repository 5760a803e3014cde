"""CK304 tensor-misplaced."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.text import escaped, number_of, quoted


class TensorMisplaced(Rule, frozen=True):
    """The index names the wrong shard for a tensor.

    ## What it does

    Compares, for every name of an index, the shard that it gives with the shard that has it.

    ## Why it matters

    Loaders that open the shard that the index names do not find the tensor there. Those that read every shard never
    notice, so the file is published with the mistake. No other tool that was tried told of it.

    ## What it can't see

    Whether the two copies are the same, where a tensor stands in several shards.

    ## How to fix

    Write the index anew from the shards.
    """

    code: ClassVar[str] = "CK304"
    name: ClassVar[str] = "tensor-misplaced"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "write the index anew from the shards"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for indexed in subject.indexed:
            if indexed.misplaced:
                name, said, found = indexed.misplaced[0]
                first = f"{quoted(name)} is in {escaped(found)}, not in {escaped(said)}"
                more = len(indexed.misplaced) - 1
                also = f"; {number_of(more, 'more is', 'more are')} misplaced too" if more else ""
                yield self.found(f"{first}, where the index has it{also}", indexed.path, name)
