"""Stored tensors that are no parameters of the model, as one finding a component."""

from collections.abc import Iterator

from ckptinspect.analysis.meaning import Meaning
from ckptinspect.audit.base import Finding, Rule
from ckptinspect.audit.subject import Subject
from ckptinspect.model import Tally
from ckptinspect.text import bytes_text, number_of, quoted


def set_aside_as(rule: Rule, subject: Subject, meaning: Meaning, what: str, at_least: int = 0) -> Iterator[Finding]:
    """For each component that holds ``at_least`` bytes of this meaning, how much it is and what is one of them."""
    for component in subject.components:
        rows = [row for row in component.rows if row.meaning is meaning]
        tally = sum((row.tally for row in rows), Tally())
        if rows and tally.nbytes >= at_least:
            example = rows[0].kind.example
            many = f"{bytes_text(tally.nbytes)} in {number_of(tally.tensors, 'tensor')}"
            message = f"{many} of {what}: {quoted(example)}"
            yield rule.found(message, component.where, example, wasted=tally.nbytes)
