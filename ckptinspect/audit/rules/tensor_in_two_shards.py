"""CK306 tensor-in-two-shards."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.text import few, number_of, quoted


class TensorInTwoShards(Rule, frozen=True):
    """A tensor stands in more than one shard.

    ## What it does

    Compares the names of all shards that belong together. Where the index names one of the copies it is a warning.
    Slices of torch's distributed checkpoints, which share a name, are told apart by their offsets.

    ## Why it matters

    A loader that reads every shard takes whichever comes last (vLLM does, syv-ai#123). Some repositories overlay a
    few tensors on purpose and say in the index which one counts (colibri#1479).

    ## What it can't see

    Whether the copies are equal.

    ## How to fix

    Save the checkpoint again from one set of weights, or remove the shard of another build.
    """

    code: ClassVar[str] = "CK306"
    name: ClassVar[str] = "tensor-in-two-shards"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "save the checkpoint again, or remove the shard that does not belong to it"

    def check(self, subject: Subject) -> Iterator[Finding]:
        named = {name for indexed in subject.indexed if not indexed.stale for name in indexed.index.weight_map}
        for shard in subject.checkpoint.shards if subject.checkpoint is not None else ():
            if not shard.repeated:
                continue
            settled = all(tensor.name in named for tensor in shard.repeated)
            what = number_of(len(shard.repeated), "tensor of this shard stands", "tensors of this shard stand")
            names = few([quoted(tensor.name) for tensor in shard.repeated], 3)
            yield self.found(
                f"{what} in another one too, which {'the index names' if settled else 'is counted'}: {names}",
                shard.path,
                shard.repeated[0].name,
                wasted=sum(tensor.nbytes for tensor in shard.repeated),
                severity=Severity.WARNING if settled else None,
            )
