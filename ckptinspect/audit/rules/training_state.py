"""CK901 training-state."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.pickles import is_training_state
from ckptinspect.audit.subject import Subject
from ckptinspect.text import bytes_text, escaped, few, number_of


class TrainingState(Rule, frozen=True):
    """The state of a training run lies among the weights.

    ## What it does

    Looks for optimizers, schedulers, random states and ZeRO partitions by their names, and tells of them where they
    take `at_least` bytes, a megabyte.

    ## Why it matters

    An optimizer takes two to six times the bytes of the model, and everybody who fetches the repository fetches it.
    It is a pickle, and of use to nobody but its author.

    ## What it can't see

    Whether the run is meant to be taken up again by others.

    ## How to fix

    Leave them out with `.gitignore` or `ignore_patterns`, or push with `hub_strategy='end'`.
    """

    code: ClassVar[str] = "CK901"
    name: ClassVar[str] = "training-state"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "leave the training state out of what is published"
    at_least: int = 1_000_000

    def check(self, subject: Subject) -> Iterator[Finding]:
        files = [file for file in subject.files if is_training_state(file.path)]
        wasted = sum(file.size for file in files)
        if files and wasted >= self.at_least:
            names = few([escaped(file.path) for file in files], 3)
            message = f"{number_of(len(files), 'file')} ({bytes_text(wasted)}) of the state of a training run: {names}"
            yield self.found(message, files[0].path if len(files) == 1 else None, wasted=wasted)
