"""CK307 wrong-total-size."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.claims import claimed
from ckptinspect.audit.subject import Subject


class WrongTotalSize(Rule, frozen=True):
    """The index gives a wrong size of the whole.

    ## What it does

    Compares `metadata.total_size` of every index, the bytes of all tensors, with the headers of its shards,
    whenever all are there and could be read.

    ## Why it matters

    Tools that plan memory or show progress believe the number: one showed 96 GB for a model of 64 (Edge0#104). A
    wrong one says that the index was not written for these shards.

    ## What it can't see

    Why it differs. Some writers put the size of the files there, headers included: the message says so where it is
    that.

    ## How to fix

    Write the index anew from the shards.
    """

    code: ClassVar[str] = "CK307"
    name: ClassVar[str] = "wrong-total-size"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "write the index anew from the shards"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for indexed in subject.indexed:
            said = claimed(indexed.index.metadata.get("total_size"))
            shards = [subject.weight.get(path) for path in indexed.present]
            read = [shard for shard in shards if shard is not None and shard.sound]
            if said is None or indexed.missing or not read or len(read) < len(shards):
                continue
            there = sum(shard.tensor_bytes for shard in read)
            if said != there:
                files = sum(shard.size for shard in read)
                why = ", which is the size of the files with their headers" if said == files else ""
                yield self.found(f"the index says {said:,} bytes{why}; the tensors take {there:,}", indexed.path)
