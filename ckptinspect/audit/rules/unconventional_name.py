"""CK904 unconventional-name."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.selection import Standing, WeightSet
from ckptinspect.text import escaped, few


def _is_odd(found: WeightSet) -> bool:
    return found.standing is Standing.FREE or (found.standing is Standing.SHARDED and found.index is None)


class UnconventionalName(Rule, frozen=True):
    """The weights have a name that loaders do not look for.

    ## What it does

    Looks for a config of transformers beside weights of which none is called as transformers calls them.

    ## Why it matters

    `from_pretrained` says that the repository has no weights, though they are there.

    ## What it can't see

    Loaders that take any name.

    ## How to fix

    Rename the file to `model.safetensors`, or the shards to `model-0000X-of-0000N.safetensors` with an index.
    """

    code: ClassVar[str] = "CK904"
    name: ClassVar[str] = "unconventional-name"
    severity: ClassVar[Severity] = Severity.INFO
    fix: ClassVar[str] = "rename the file to model.safetensors"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components:
            folder = component.shards[0].path.rpartition("/")[0]
            sets = subject.sets.get(folder, ())
            if component.config.text("model_type") and sets and all(_is_odd(found) for found in sets):
                names = few([escaped(shard.path) for shard in component.shards], 2)
                yield self.found(f"transformers does not look for {names}", component.shards[0].path)
