"""CK303 tensor-absent."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.text import few, number_of, quoted


class TensorAbsent(Rule, frozen=True):
    """The index names a tensor that no shard has.

    ## What it does

    Compares the names in every index with the names in the headers of its shards, whenever all of those could be
    read.

    ## Why it matters

    A loader looks for the tensor, and fails or leaves it at random. huggingface_hub#4725 tells of one: 1,199 names
    in the index, 1,198 tensors in the files. The Hub's client does not compare them, and says that it must be
    checked downstream (huggingface_hub#4728).

    ## What it can't see

    Whether the tensor should be there, or should not be in the index.

    ## How to fix

    If the tensor belongs to the model, save it again. Otherwise write the index anew from the shards.
    """

    code: ClassVar[str] = "CK303"
    name: ClassVar[str] = "tensor-absent"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "write the index anew from the shards"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for indexed in subject.indexed:
            if indexed.absent:
                names = few([quoted(name) for name in indexed.absent], 3)
                message = f"the index names {number_of(len(indexed.absent), 'tensor')} that no shard has: {names}"
                yield self.found(message, indexed.path, indexed.absent[0])
