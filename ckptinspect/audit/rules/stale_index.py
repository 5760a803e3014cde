"""CK302 stale-index."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.text import escaped, few, number_of


class StaleIndex(Rule, frozen=True):
    """An index names files of which none is there.

    ## What it does

    Compares the files that an index names with the files of its folder. Where a single `model.safetensors` is
    there, which loaders take before the index, it is a warning.

    ## Why it matters

    All of six published Qwen3-VL conversions kept the index of the model that they were made from: 13 shards and
    62.1 GB, beside 4 shards and 18.3 GB (nativ#370). Loaders that go by the index fail; those that read every file
    succeed, so that nobody notices.

    ## What it can't see

    An index that is of another build and names files that happen to be there.

    ## How to fix

    Write the index anew with the tool that wrote the shards. For a single file leave it out.
    """

    code: ClassVar[str] = "CK302"
    name: ClassVar[str] = "stale-index"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "write the index anew for the files that are there, or remove it"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for indexed in subject.indexed:
            if indexed.stale:
                names = few([escaped(path) for path in indexed.missing], 2)
                message = f"the index names {number_of(len(indexed.missing), 'shard')}, none of which is there: {names}"
                single = indexed.path.removesuffix(".index.json") in subject.weight
                yield self.found(message, indexed.path, severity=Severity.WARNING if single else None)
