"""CK311 unindexed-file."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.selection import Standing, joined
from ckptinspect.text import bytes_text


class UnindexedFile(Rule, frozen=True):
    """A safetensors file beside the index is not in it.

    ## What it does

    Looks, in every folder with an index whose shards are there, for safetensors files of no known purpose that the
    index does not name.

    ## Why it matters

    Loaders that take every `*.safetensors` of a folder take it as well: a stray 4-bit file among bfloat16 shards
    broke a model (mlx-vlm#1464), and every download fetches it (mflux#603).

    ## What it can't see

    What the file is for. A second set of shards, other precisions and adapters have rules of their own or are no
    finding.

    ## How to fix

    Move the file to a folder of its own, remove it, or name its tensors in the index.
    """

    code: ClassVar[str] = "CK311"
    name: ClassVar[str] = "unindexed-file"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "remove the file, or name it in the index"

    def check(self, subject: Subject) -> Iterator[Finding]:
        named = {path for indexed in subject.indexed for path in indexed.present}
        folders = {indexed.folder for indexed in subject.indexed if indexed.present}
        for folder in sorted(folders):
            for found in subject.sets.get(folder, ()):
                stray = found.standing is Standing.FREE and not found.total
                for path in (joined(folder, name) for name in found.files):
                    if stray and path not in named and path in subject.weight:
                        size = subject.weight[path].size
                        yield self.found(f"{bytes_text(size)} that the index does not name", path, wasted=size)
