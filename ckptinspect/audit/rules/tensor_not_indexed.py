"""CK305 tensor-not-indexed."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.text import escaped, number_of, quoted


class TensorNotIndexed(Rule, frozen=True):
    """A shard holds a tensor that the index does not name.

    ## What it does

    Compares the names in the headers of an index's shards with the names in the index.

    ## Why it matters

    Loaders that go by the index never load the tensor; those that read whole shards do. The same checkpoint is then
    two models.

    ## What it can't see

    Whether the tensor is meant to be part of the model.

    ## How to fix

    Write the index anew from the shards, or save the shards without the tensor.
    """

    code: ClassVar[str] = "CK305"
    name: ClassVar[str] = "tensor-not-indexed"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "write the index anew from the shards"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for indexed in subject.indexed:
            if indexed.unindexed:
                shard, name = indexed.unindexed[0]
                first = f"{quoted(name)} of {escaped(shard)} is not in the index"
                more = len(indexed.unindexed) - 1
                message = first + (f"; {number_of(more, 'more is', 'more are')} not" if more else "")
                yield self.found(message, indexed.path, name)
