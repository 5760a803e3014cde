"""The rules for tensors of another size: a vocabulary that grew, widths that were pruned, another model altogether."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.diff.base import Change, Kind, What
from ckptinspect.analysis.diff.clauses import Changes, Clause
from ckptinspect.analysis.diff.facts import Facts
from ckptinspect.model import Shape
from ckptinspect.naming.roles import Role
from ckptinspect.text import number_of

VOCABULARY, POSITIONS, HIDDEN, CLASSES, EXPERTS = "vocabulary", "positions", "hidden size", "classes", "experts"
_WIDTHS = {
    Role.ATTENTION: "attention width",
    Role.MLP: "mlp width",
    Role.EXPERT: "expert width",
    Role.SHARED_EXPERT: "shared expert width",
    Role.SSM: "state space width",
    Role.CONV: "channels",
    Role.PROJECTOR: "projector width",
    Role.ADAPTER: "adapter width",
    Role.EMBEDDING: "embedding width",
    Role.HEAD: "head width",
    Role.NORM: "norm width",
}
_ORDER = (HIDDEN, VOCABULARY, POSITIONS, "layers", *sorted(_WIDTHS.values()), EXPERTS, CLASSES)
_POSITION = re.compile(r"(^|[._])(wpe|pos|position|positions|position_embeddings?|embed_positions)([._]|$)")
_MOST_SIZES = 3


class Size(NamedTuple):
    """A dimension that has changed, by what it is."""

    what: str
    before: int
    after: int


def resized(rest: Changes) -> dict[int, tuple[Size, ...]]:
    """What changed in size, by the index of its change; changes of rank are left out."""
    found = {index: change for index, change in enumerate(rest) if _is_resized(change)}
    hidden = _hidden(found.values())
    return {index: tuple(_sizes(change, hidden)) for index, change in found.items()}


def _is_resized(change: Change) -> bool:
    """Whether a change has two shapes to be compared: of tensors, or of the weights of modules stored otherwise."""
    stored = What.STORAGE in change.what and _has_one_weight(change.before) and _has_one_weight(change.after)
    if not stored and (change.kind is not Kind.CHANGED or What.SHAPE not in change.what):
        return False
    before, after = shape_of(change.before[0]), shape_of(change.after[0])
    return before is not None and after is not None and len(before) == len(after)


def _has_one_weight(rows: tuple[Row, ...]) -> bool:
    return sum(row.parameters > 0 for row in rows) == 1


def shape_of(row: Row) -> Shape | None:
    """The shape of a tensor; of a packed weight that of its parameters, where it is known."""
    if row.shape is not None:
        return row.shape
    return row.kind.shape if row.parameters in {0, row.kind.elements} else None


def _hidden(changes: Iterable[Change]) -> tuple[int, int] | None:
    """The width of the token embedding before and after, where that has changed."""
    for change in changes:
        before, after = _shapes(change)
        if _is_token_table(change) and len(before) == 2 and before[1] != after[1]:
            return before[1], after[1]
    return None


def _shapes(change: Change) -> tuple[Shape, Shape]:
    return shape_of(change.before[0]) or (), shape_of(change.after[0]) or ()


def _is_token_table(change: Change) -> bool:
    row = change.before[0]
    in_text = row.place.module in {"model", "lm_head"}
    return in_text and row.place.role in {Role.EMBEDDING, Role.HEAD} and not _POSITION.search(row.kind.example)


def _sizes(change: Change, hidden: tuple[int, int] | None) -> Iterator[Size]:
    row = change.before[0]
    for axis, (before, after) in enumerate(zip(*_shapes(change), strict=True)):
        if before != after:
            yield Size(HIDDEN if (before, after) == hidden else _what(change, row, axis), before, after)


def _what(change: Change, row: Row, axis: int) -> str:
    role, rank = Role(row.place.role), len(row.kind.shape)
    if axis == 0 and _is_token_table(change):
        return VOCABULARY
    if role is Role.EMBEDDING and _POSITION.search(row.kind.example):
        return POSITIONS
    if axis == 0 and row.place.module == "head" and role is Role.HEAD:
        return CLASSES
    if axis == 0 and (role is Role.ROUTER or (role is Role.EXPERT and row.place.expert is None and rank > 1)):
        return EXPERTS
    return _WIDTHS.get(role, "widths")


def vocabulary(facts: Facts, rest: Changes) -> Iterator[Clause]:
    """A table of tokens, positions or classes with more rows, or with fewer."""
    for what in (VOCABULARY, POSITIONS, CLASSES):
        found = {index: sizes for index, sizes in resized(rest).items() if {s.what for s in sizes} == {what}}
        if found:
            pairs = sorted({size[1:] for sizes in found.values() for size in sizes}, reverse=True)
            message = f"{what} {_grew(pairs, 'row')}"
            yield Clause(what, message, tuple(rest[index] for index in found))


def _grew(pairs: list[tuple[int, int]], noun: str) -> str:
    """How a table grew or shrank.

    >>> _grew([(32000, 32064)], "row")
    'grew by 64 rows (32,000 → 32,064)'
    """
    texts = ", ".join(f"{before:,} → {after:,}" for before, after in pairs[:_MOST_SIZES])
    by = {after - before for before, after in pairs}
    if len(by) > 1:
        return f"of other sizes ({texts})"
    (rows,) = by
    return f"{'grew' if rows > 0 else 'shrank'} by {number_of(abs(rows), noun)} ({texts})"


def widths(facts: Facts, rest: Changes) -> Iterator[Clause]:
    """Weights that are narrower, as pruning leaves them, or wider."""
    found = resized(rest)
    if not found:
        return
    sizes = [size for several in found.values() for size in several]
    less, more = ({(size.after < size.before) is shrunk for size in sizes} == {True} for shrunk in (True, False))
    total = facts.difference.parameters
    # Of another hidden size is a model that was pruned, and one that never was the same.
    sure = HIDDEN not in {size.what for size in sizes}
    verb = "pruned" if sure and less and total < 0 else "widened" if sure and more and total > 0 else "resized"
    layers = {layer for index in found for row in rest[index].before if (layer := _layer(row)) is not None}
    where = f" in {number_of(len(layers), 'layer')}" if layers else ""
    yield Clause(verb, f"{verb} ({written(sizes)}{where})", tuple(rest[index] for index in found))


def _layer(row: Row) -> tuple[str, int] | None:
    return None if row.place.layer is None else (row.place.module, row.place.layer)


def written(sizes: Iterable[Size], layers: str = "") -> str:
    """Sizes before and after, by what they are.

    >>> written([Size("mlp width", 18944, 14336), Size("hidden size", 3584, 4096), Size("mlp width", 18944, 14336)])
    'hidden size 3,584 → 4,096, mlp width 18,944 → 14,336'
    """
    found: dict[str, Counter[tuple[int, int]]] = {}
    for size in sizes:
        found.setdefault(size.what, Counter())[size.before, size.after] += 1
    texts = {what: f"{what} {_changes(counts)}" for what, counts in found.items()}
    if layers:
        texts["layers"] = layers
    order = {what: number for number, what in enumerate(_ORDER)}
    return ", ".join(texts[what] for what in sorted(texts, key=lambda what: (order.get(what, len(order)), what)))


def _changes(counts: "Counter[tuple[int, int]]") -> str:
    ordered = sorted(counts, key=lambda pair: (-counts[pair], pair))
    texts = [f"{before:,} → {after:,}" for before, after in ordered[:_MOST_SIZES]]
    return " and ".join(texts) + " and others" * (len(ordered) > _MOST_SIZES)
