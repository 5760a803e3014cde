"""CK802 path-escape."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.index import unsafe
from ckptinspect.text import quoted


class PathEscape(Rule, frozen=True):
    """An index names a file outside of its folder.

    ## What it does

    Looks at every file name of an index for steps up, absolute paths, addresses, backslashes and control
    characters, however often they are escaped.

    ## Why it matters

    A loader that follows the name reads a file that the author of the checkpoint has chosen, or asks another server
    for it with the user's token: huggingface_hub did, until its #4935.

    ## What it can't see

    Links inside the folder that lead out of it: the Hub's cache is made of such.

    ## How to fix

    Do not load it. If you have written it, give names relative to the index.
    """

    code: ClassVar[str] = "CK802"
    name: ClassVar[str] = "path-escape"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "do not load this checkpoint"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for file in subject.indexes:
            bad = [(name, why) for name in file.index.shards if (why := unsafe(name))] if file.index is not None else []
            if bad:
                more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
                yield self.found(f"the shard name {quoted(bad[0][0])} {bad[0][1]}{more}", file.path)
