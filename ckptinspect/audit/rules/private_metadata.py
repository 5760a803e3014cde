"""CK805 private-metadata."""

import re
from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.text import few, number_of, quoted

_PRIVATE = re.compile(
    r"prompt|workflow|parameters|ss_tag_frequency|ss_datasets?|ss_dataset_dirs|ss_reg_dataset_dirs|ss_bucket_info"
)
_HOME = re.compile(r"/home/\w|/Users/\w|[A-Za-z]:\\{1,2}Users\\")


class PrivateMetadata(Rule, frozen=True):
    """The metadata holds what its author may not have meant to publish.

    ## What it does

    Looks for entries that tools write by themselves: prompts and workflows of ComfyUI, the captions, folders and
    settings of kohya's trainer (`ss_tag_frequency`, `ss_dataset_dirs`, `ss_datasets`), and values that name a
    folder of a home directory. The values are never shown.

    ## Why it matters

    The captions of a training set can name the people in its pictures, and a workflow holds every prompt. The
    trainer writes them into the file without asking.

    ## What it can't see

    What stands in them: their names alone decide.

    ## How to fix

    Save the file again without the metadata, or with `format` alone.
    """

    code: ClassVar[str] = "CK805"
    name: ClassVar[str] = "private-metadata"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "save the file without these entries"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for weight in subject.weights:
            metadata = weight.header.metadata if weight.header is not None else {}
            keys = sorted(key for key, value in metadata.items() if _PRIVATE.fullmatch(key) or _HOME.search(value))
            if keys:
                names = few([quoted(key) for key in keys], 4)
                entries = number_of(len(keys), "entry", "entries")
                yield self.found(f"{entries} of the metadata may be private: {names}", weight.path)
