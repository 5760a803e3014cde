"""CK301 missing-shard."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.selection import WeightSet, joined
from ckptinspect.text import escaped, few, number_of


class MissingShard(Rule, frozen=True):
    """A shard that the index names, or the numbering promises, is not there.

    ## What it does

    Compares the files that every index names, and the numbers of every `00001-of-0000N` set, with the files that
    there are.

    ## Why it matters

    A loader that passes over what is missing leaves those layers at random: the model loads, and answers with
    garbage (sglang#32279). Published repositories have it: an index of 30 shards beside 15 files (CoSER#3).

    ## What it can't see

    Whether the shard exists elsewhere. Where nothing is there of what an index names, the index is stale: another
    rule says so.

    ## How to fix

    Fetch the shards again; if they were never published, tell whoever should have.
    """

    code: ClassVar[str] = "CK301"
    name: ClassVar[str] = "missing-shard"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "fetch the shards that are missing"

    def check(self, subject: Subject) -> Iterator[Finding]:
        covered: set[str] = set()
        for indexed in subject.indexed:
            covered.update(indexed.present)
            if indexed.missing and not indexed.stale:
                shards = len(indexed.missing) + len(indexed.present)
                yield self._found(indexed.missing, shards, "that the index names", indexed.path)
        for folder, sets in subject.sets.items():
            for found in sets:
                paths = {joined(folder, name) for name in found.files}
                if found.missing and paths and covered.isdisjoint(paths) and not _has_a_whole_twin(found, sets):
                    missing = tuple(joined(folder, name) for name in found.missing)
                    yield self._found(missing, found.total, "of the set", min(paths))

    def _found(self, missing: Sequence[str], total: int, which: str, path: str) -> Finding:
        names = few([escaped(name) for name in missing], 3)
        shards = number_of(total, "shard")
        what = f"{len(missing):,} of {shards} {which} {'is' if len(missing) == 1 else 'are'} not there"
        return self.found(f"{what}: {names}", path)


def _has_a_whole_twin(found: WeightSet, sets: Sequence[WeightSet]) -> bool:
    """Whether the same weights are there whole: then these files are left over, and another rule's business."""
    twins = (other for other in sets if (other.base, other.variant) == (found.base, found.variant))
    return any(other.files and not other.missing for other in twins)
