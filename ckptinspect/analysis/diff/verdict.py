"""What happened between two checkpoints, in a sentence: rules asked in order, each for what those before left over."""

from collections.abc import Iterator

import msgspec

from ckptinspect.analysis.diff.adapters import adapters
from ckptinspect.analysis.diff.base import Kind
from ckptinspect.analysis.diff.clauses import (
    Changes,
    Clause,
    Rule,
    cast,
    counted_otherwise,
    modules,
    no_parameters,
    others,
    regrouped,
    renamed,
    reshaped,
)
from ckptinspect.analysis.diff.depth import depth_of, experts, layers
from ckptinspect.analysis.diff.facts import Facts
from ckptinspect.analysis.diff.quantizing import quantized
from ckptinspect.analysis.diff.widths import resized, vocabulary, widths, written
from ckptinspect.model import Tally
from ckptinspect.text import bytes_text, number_of

# Of the smaller side, the percentage of parameters below which the other has nothing of it worth a word.
_NOTHING = 1


class Verdict(msgspec.Struct, frozen=True):
    """A sentence on two checkpoints, and the clauses that it is made of."""

    sentence: str
    clauses: tuple[Clause, ...]

    @property
    def asides(self) -> tuple[str, ...]:
        """What is to be said besides."""
        return tuple(clause.message for clause in self.clauses if clause.aside)


def verdict_on(facts: Facts) -> Verdict:
    """What happened, by the rules that have something to say of it."""
    if facts.equal:
        return Verdict(_equal(facts), ())
    rest: Changes = facts.changes
    clauses: list[Clause] = []
    for rule in RULES:
        for clause in rule(facts, rest):
            clauses.append(clause)
            explained = set(map(id, clause.changes))
            rest = [change for change in rest if id(change) not in explained]
    if all(clause.aside for clause in clauses):
        clauses = [msgspec.structs.replace(clause, aside=False) for clause in clauses]
    said = "; ".join(clause.message for clause in clauses if not clause.aside)
    tail = _tail(facts)
    return Verdict(f"{said}: {tail}" if tail else said, tuple(clauses))


def _equal(facts: Facts) -> str:
    total = facts.before.total
    if not total.tensors:
        return "nothing to compare"
    what = "names and shapes" if facts.ignore_dtype else "names, dtypes and shapes"
    figures = f"{number_of(total.tensors, 'tensor')}, {_parameters(total)} parameters, {bytes_text(total.nbytes)}"
    return f"no difference in {what} ({figures})"


def _tail(facts: Facts) -> str:
    """Parameters and bytes before and after; nothing where both are the same and other names are all."""
    before, after = facts.before.total, facts.after.total
    same = before.parameters == after.parameters and not before.unexplained and not after.unexplained
    if same and before.nbytes == after.nbytes and all(change.kind is Kind.RENAMED for change in facts.changes):
        return ""
    parameters = f"same {before.parameters:,}" if same else f"{_parameters(before)} → {_parameters(after)}"
    return f"{parameters} parameters, {_bytes(before.nbytes, after.nbytes)}"


def _parameters(tally: Tally) -> str:
    return f"{'at least ' if tally.unexplained else ''}{tally.parameters:,}"


def _bytes(before: int, after: int) -> str:
    """Bytes before and after; the difference where they look the same."""
    if bytes_text(before) != bytes_text(after):
        return f"{bytes_text(before)} → {bytes_text(after)}"
    sign = "+" if after > before else ""
    return bytes_text(before) if before == after else f"{bytes_text(before)} ({sign}{bytes_text(after - before)})"


def another_model(facts: Facts, rest: Changes) -> Iterator[Clause]:
    """Two models of which the one has nothing of the other."""
    smaller = min(facts.before.total.parameters, facts.after.total.parameters)
    if not rest or facts.kept * 100 >= smaller * _NOTHING:
        return
    sized = resized(rest)
    if len(sized) * 2 < min(facts.before.total.tensors, facts.after.total.tensors):
        counts = [sum(change.kind is kind for change in rest) for kind in (Kind.REMOVED, Kind.ADDED)]
        little = "next to nothing" if facts.kept else "nothing"
        message = f"{little} in common ({number_of(counts[0], 'tensor')} removed, {counts[1]:,} added)"
    else:
        little = "almost everything" if facts.kept else "everything"
        depths = (
            depth_of(row for change in facts.changes for row in change.before),
            depth_of(row for change in facts.changes for row in change.after),
        )
        depth = f"{depths[0]} → {number_of(depths[1], 'layer')}" if depths[0] != depths[1] else ""
        message = f"{little} differs ({written((size for sizes in sized.values() for size in sizes), depth)})"
    yield Clause("another-model", message, tuple(rest))


RULES: tuple[Rule, ...] = (
    adapters,
    another_model,
    renamed,
    quantized,
    cast,
    regrouped,
    reshaped,
    vocabulary,
    layers,
    experts,
    widths,
    modules,
    counted_otherwise,
    no_parameters,
    others,
)
