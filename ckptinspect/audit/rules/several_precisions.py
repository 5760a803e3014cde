"""CK704 several-precisions."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.selection import joined
from ckptinspect.text import bytes_text, escaped, few, number_of


class SeveralPrecisions(Rule, frozen=True):
    """The same weights are there in several precisions.

    ## What it does

    Looks for variants, such as `model.fp16.safetensors`, beside the files that a loader takes without being asked
    for one.

    ## Why it matters

    It is how diffusers means it, and harmless for whoever asks for one variant. A download of the whole repository
    fetches all of them.

    ## What it can't see

    Whether the variants hold the same weights: `non_ema` does not.

    ## How to fix

    Nothing needs fixing. Fetch with `allow_patterns`, or ask for the variant.
    """

    code: ClassVar[str] = "CK704"
    name: ClassVar[str] = "several-precisions"
    severity: ClassVar[Severity] = Severity.INFO
    fix: ClassVar[str] = "fetch the precision that you need alone"

    def check(self, subject: Subject) -> Iterator[Finding]:
        sizes = {file.path: file.size for file in subject.files}
        paths = [
            joined(folder, name)
            for folder, sets in subject.sets.items()
            for found in sets
            if found.variant and any(other.base == found.base and not other.variant for other in sets)
            for name in found.files
        ]
        if paths:
            wasted = sum(sizes[path] for path in paths)
            names = few([escaped(path) for path in paths], 3)
            yield self.found(
                f"{number_of(len(paths), 'file')} ({bytes_text(wasted)}) of other precisions: {names}",
                None,
                wasted=wasted,
            )
