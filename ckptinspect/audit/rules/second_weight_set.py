"""CK702 second-weight-set."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.copies import grouped
from ckptinspect.audit.subject import Subject
from ckptinspect.selection import joined
from ckptinspect.text import escaped, few, number_of, quoted


class SecondWeightSet(Rule, frozen=True):
    """A folder holds two sets of the same weights.

    ## What it does

    Looks for a second numbering (`-of-00002` beside `-of-00004`), and for a single file beside shards of the same
    name, in one folder.

    ## Why it matters

    Loaders that read every file load both, and which of two tensors of a name counts is chance:
    granite-3.2-8b-instruct came with a second set of shards, and merging it crashed (unsloth-zoo#808). Every
    download is twice as long.

    ## What it can't see

    Which of the sets is the right one.

    ## How to fix

    Remove the set that is not meant, and write the index for the other.
    """

    code: ClassVar[str] = "CK702"
    name: ClassVar[str] = "second-weight-set"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "remove the files of the set that is not meant"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for folder, sets in subject.sets.items():
            for (base, variant), group in grouped(sets).items():
                if len(group) < 2:
                    continue
                first, *others = group
                paths = [joined(folder, name) for found in others for name in found.files]
                sizes = {file.path: file.size for file in subject.files}
                what = f"{number_of(len(paths), 'file')} of another set of {quoted(base + variant * bool(variant))}"
                beside = (
                    f"beside {few([escaped(name) for name in first.files], 1)}: {few([escaped(p) for p in paths], 2)}"
                )
                yield self.found(f"{what} {beside}", paths[0], wasted=sum(sizes[path] for path in paths))
