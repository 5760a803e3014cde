"""Audits of folders in tests."""

from collections.abc import Mapping
from pathlib import Path

from ckptinspect.audit.base import Finding
from ckptinspect.audit.choice import chosen
from ckptinspect.audit.read import Beside, read_subjects
from ckptinspect.audit.rules import RULES
from ckptinspect.audit.run import audited
from ckptinspect.audit.subject import Hashed, Subject
from ckptinspect.model import Checkpoint, Ref
from ckptinspect.sources.base import File, run
from ckptinspect.sources.local import LocalSource


class ListedSource(LocalSource):
    """A folder whose files have digests, and that says how many parameters it has, as a repository of the Hub does."""

    def __init__(self, root: str, digests: Mapping[str, str], parameters: int | None) -> None:
        super().__init__(root)
        self.digests = digests
        self.parameters = parameters

    async def list(self) -> tuple[File, ...]:
        return tuple(File(file.path, file.size, self.digests.get(file.path)) for file in await super().list())

    async def claimed_parameters(self) -> int | None:
        return self.parameters


def subjects_of(
    folder: Path,
    *,
    base: Checkpoint | None = None,
    hashes: Mapping[str, Hashed] | None = None,
    digests: Mapping[str, str] | None = None,
    parameters: int | None = None,
    path: str = "",
) -> list[Subject]:
    """The subjects of a folder."""
    source = ListedSource(str(folder), digests or {}, parameters)
    ref = Ref(str(folder), "local", str(folder), path=path)
    return run(source, read_subjects(source, ref, Beside(base, hashes)))


def findings_in(folder: Path, *select: str) -> list[Finding]:
    """What some rules find in a folder; all of them where none is named."""
    rules = chosen(RULES, select)
    return [finding for subject in subjects_of(folder) for finding in audited(subject, rules, debug=True)]
