"""CK310 index-missing."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.copies import BASES
from ckptinspect.audit.subject import Subject
from ckptinspect.selection import joined
from ckptinspect.text import number_of


class IndexMissing(Rule, frozen=True):
    """A set of shards has no index.

    ## What it does

    Looks for the index of every numbered set that a loader would take. The shards of torch's distributed
    checkpoints need none.

    ## Why it matters

    transformers and diffusers find shards through the index alone, and say that there are no weights. Loaders that
    read every file of the folder succeed.

    ## What it can't see

    Whether a loader is used that needs no index.

    ## How to fix

    Load the shards with a tool that reads every file, and save the model again; or write the index from the
    headers.
    """

    code: ClassVar[str] = "CK310"
    name: ClassVar[str] = "index-missing"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "write the index from the shards"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for folder, sets in subject.sets.items():
            first = sets[0]
            if first.total > 1 and first.index is None and first.base in BASES:
                path = joined(folder, first.files[0])
                if path in subject.taken:
                    yield self.found(f"{number_of(len(first.files), 'shard')} without an index", path)
