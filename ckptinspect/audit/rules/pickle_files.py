"""CK801 pickle-files."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.pickles import PICKLES, is_training_state
from ckptinspect.audit.subject import Subject
from ckptinspect.text import escaped, few, number_of


class PickleFiles(Rule, frozen=True):
    """Files are there that run code when they are loaded.

    ## What it does

    Looks for pickles by the ends of their names (.bin, .pt, .pth, .ckpt, .pkl, .pickle, .joblib). Where only a
    trainer's own files are such, it is information.

    ## Why it matters

    A pickle is a program. Scanners for bad ones have been got around three times in one year (CVE-2025-10155,
    -10156, -10157), and a loader that finds no safetensors takes them without a word.

    ## What it can't see

    Whether there is anything bad in them: they are not read.

    ## How to fix

    Load with `use_safetensors=True` or `weights_only=True`; remove the pickles where safetensors hold the same.
    """

    code: ClassVar[str] = "CK801"
    name: ClassVar[str] = "pickle-files"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "load the safetensors alone; remove the pickles"

    def check(self, subject: Subject) -> Iterator[Finding]:
        pickles = [file for file in subject.files if file.path.endswith(PICKLES)]
        if pickles:
            names = few([escaped(file.path) for file in pickles], 3)
            only = "" if subject.weights else ", and no safetensors file"
            usual = all(is_training_state(file.path) for file in pickles)
            what = f"{number_of(len(pickles), 'pickle')}{only}: {names}"
            yield self.found(
                what, pickles[0].path if len(pickles) == 1 else None, severity=Severity.INFO if usual else None
            )
