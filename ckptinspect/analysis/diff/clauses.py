"""The parts of a verdict: what a clause is, and the rules that need no more than a change itself."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.diff.base import Change, Kind, What
from ckptinspect.analysis.diff.facts import Facts
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.analysis.tree import module_rank
from ckptinspect.naming.roles import Role
from ckptinspect.text import listed, number_of

Changes = Sequence[Change]


class Clause(msgspec.Struct, frozen=True):
    """Something that happened: a stable code, the words for it, and the changes that it explains.

    One that is an ``aside`` does not stand in the sentence, as long as there is another.
    """

    code: str
    message: str
    changes: tuple[Change, ...]
    aside: bool = False


Rule = Callable[[Facts, Changes], Iterator[Clause]]
"""From what other rules have left over to what this one can say of it."""


def renamed(facts: Facts, rest: Changes) -> Iterator[Clause]:
    """Tensors under other names; nothing else of the model need have changed."""
    count = sum(len(change.before) for change in facts.changes if What.NAME in change.what and _one_to_one(change))
    if not count or not rest:
        return
    kept = facts.before.total.tensors - sum(len(change.before) for change in facts.of(Kind.REMOVED))
    which = number_of(count, "tensor") if count == kept else f"{count:,} of {number_of(kept, 'tensor')}"
    message = f"same model under other names ({which} renamed)" if facts.same_model else f"{which} renamed"
    yield Clause("renamed", message, tuple(change for change in rest if change.kind is Kind.RENAMED))


def _one_to_one(change: Change) -> bool:
    return What.PARTS not in change.what and What.STORAGE not in change.what


def cast(facts: Facts, rest: Changes) -> Iterator[Clause]:
    """The same tensors in another dtype."""
    changes = tuple(change for change in rest if set(change.what) in ({What.DTYPE}, {What.NAME, What.DTYPE}))
    if not changes:
        return
    held = {code: tally.parameters for (code,), tally in facts.before.by(lambda row: row.kind.dtype.code).items()}
    found: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        found.setdefault((change.before[0].kind.dtype.code, change.after[0].kind.dtype.code), []).append(change)
    whole = [codes for codes, those in found.items() if sum(c.parameters[0] for c in those) == held[codes[0]] > 0]
    parts = [
        f"{'' if codes in whole else number_of(len(those), 'tensor') + ' '}cast from {codes[0]} to {codes[1]}"
        for codes, those in sorted(found.items())
    ]
    aside = any(What.STORAGE in change.what for change in facts.changes)
    yield Clause("cast", listed(parts), changes, aside=aside)


_FUSED = {Role.EXPERT: "experts", Role.ATTENTION: "attention weights", Role.MLP: "mlp weights"}


def regrouped(facts: Facts, rest: Changes) -> Iterator[Clause]:
    """The same parameters in more tensors or in fewer."""
    found: dict[str, list[Change]] = {}
    for change in rest:
        if What.PARTS in change.what:
            roles = {Role(row.place.role) for row in (*change.before, *change.after)}
            found.setdefault(_FUSED.get(roles.pop(), "weights") if len(roles) == 1 else "weights", []).append(change)
    for what, changes in sorted(found.items()):
        before = sum(len(change.before) for change in changes)
        after = sum(len(change.after) for change in changes)
        verb = "fused" if after < before else "split" if after > before else "regrouped"
        yield Clause("regrouped", f"{what} {verb} ({number_of(before, 'tensor')} into {after:,})", tuple(changes))


def reshaped(facts: Facts, rest: Changes) -> Iterator[Clause]:
    """The same elements under another shape."""
    for code, of_this_form in (("transposed", _is_transposed), ("reshaped", _is_reshaped)):
        changes = tuple(change for change in rest if What.SHAPE in change.what and of_this_form(change))
        if changes:
            yield Clause(code, f"{number_of(len(changes), 'tensor')} {code}", changes)


def _is_transposed(change: Change) -> bool:
    (before,), (after,) = change.before, change.after
    return sorted(before.kind.shape) == sorted(after.kind.shape)


def _is_reshaped(change: Change) -> bool:
    (before,), (after,) = change.before, change.after
    return not _is_transposed(change) and before.kind.elements == after.kind.elements > 0


def modules(facts: Facts, rest: Changes) -> Iterator[Clause]:
    """Whole modules that one side has and the other has not."""
    old, new = ({row.place.module for row in count.rows if row.parameters} for count in (facts.before, facts.after))
    for kind, ours, theirs in ((Kind.REMOVED, old, new), (Kind.ADDED, new, old)):
        changes = tuple(change for change in rest if change.kind is kind and _row(change).place.module in ours - theirs)
        if changes:
            names = sorted({_row(change).place.module for change in changes}, key=module_rank)
            parameters = sum(_row(change).parameters for change in changes)
            yield Clause(f"modules-{kind}", f"{listed(names)} {kind} ({parameters:,} parameters)", changes)


def _row(change: Change) -> Row:
    return (change.before or change.after)[0]


_NOUNS = {
    Meaning.BUFFER: "buffer",
    Meaning.TIED: "stored copy of a tied weight",
    Meaning.COPY: "copy of the embedding or head in MTP layers",
    Meaning.EMA: "tensor of the EMA copy",
    Meaning.FROZEN: "frozen tensor of an adapter",
    Meaning.UNUSED: "weight that the model class does not load",
    Meaning.REPEATED: "tensor that stands in another shard too",
    Meaning.SCALE: "quantization scale or map",
    Meaning.LOW_RANK: "tensor of a low-rank branch",
    Meaning.PHANTOM: "bias of zeros that the quantizer wrote",
}
_PLURALS = {
    Meaning.TIED: "stored copies of tied weights",
    Meaning.COPY: "copies of the embedding or head in MTP layers",
    Meaning.EMA: "tensors of the EMA copy",
    Meaning.FROZEN: "frozen tensors of an adapter",
    Meaning.UNUSED: "weights that the model class does not load",
    Meaning.REPEATED: "tensors that stand in another shard too",
    Meaning.SCALE: "quantization scales and maps",
    Meaning.LOW_RANK: "tensors of low-rank branches",
    Meaning.PHANTOM: "biases of zeros that the quantizer wrote",
}


def no_parameters(facts: Facts, rest: Changes) -> Iterator[Clause]:
    """Tensors that are no parameters, and came or went."""
    for kind in (Kind.REMOVED, Kind.ADDED):
        found: dict[Meaning, list[Change]] = {}
        for change in rest:
            if change.kind is kind and _row(change).meaning in _NOUNS:
                found.setdefault(_row(change).meaning, []).append(change)
        for meaning, changes in sorted(found.items()):
            message = f"{len(changes):,} {_noun(meaning, len(changes))} {kind}"
            yield Clause(f"{meaning.name.lower().replace('_', '-')}-{kind}", message, tuple(changes))


def _noun(meaning: Meaning, count: int) -> str:
    return _NOUNS[meaning] if count == 1 else _PLURALS.get(meaning, f"{_NOUNS[meaning]}s")


def counted_otherwise(facts: Facts, rest: Changes) -> Iterator[Clause]:
    """The same tensors, of which the configs say other things."""
    changes = tuple(change for change in rest if set(change.what) <= {What.NAME, What.MEANING} and change.what)
    if changes:
        yield Clause("counted-otherwise", f"{number_of(len(changes), 'tensor')} counted otherwise", changes)


def others(facts: Facts, rest: Changes) -> Iterator[Clause]:
    """Whatever no other rule has explained."""
    counts: Counter[str] = Counter()
    for change in rest:
        bias = _row(change).kind.example.rpartition(".")[2] == "bias"
        noun = "bias" if bias and change.kind is not Kind.CHANGED else "tensor"
        counts[f"{noun} {change.kind}"] += max(len(change.before), len(change.after))
    parts = []
    for what, count in sorted(counts.items()):
        noun, kind = what.split()
        plural = {"bias": "biases", "tensor": "tensors"}[noun]
        parts.append(f"{count:,} {noun if count == 1 else plural} {kind}")
    if parts:
        yield Clause("others", listed(parts), tuple(rest))
