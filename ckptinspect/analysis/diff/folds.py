"""Changes that are alike in all but their numbers -> one line: ``model.layers.{0-27}.self_attn.q_proj.weight``."""

from collections.abc import Hashable, Iterable, Sequence

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.diff.base import Change, Kind, Name, Rule, What, is_number, name_of
from ckptinspect.analysis.diff.renaming import Renaming
from ckptinspect.analysis.folding import indices_text
from ckptinspect.quant.leaves import split_leaf

_GROUPS = frozenset({What.PARTS, What.STORAGE})
_KINDS = (Kind.CHANGED, Kind.REMOVED, Kind.ADDED)


class Fold(msgspec.Struct, frozen=True):
    """Changes that are alike: ``name`` stands for all their names, ``example`` is one of them."""

    name: str
    example: Change
    changes: tuple[Change, ...]

    @property
    def tensors(self) -> int:
        """The tensors of the side that has more of them."""
        return max(
            sum(len(change.before) for change in self.changes), sum(len(change.after) for change in self.changes)
        )


class Renamed(msgspec.Struct, frozen=True):
    """Tensors that got other names in one way: ``before`` and ``after`` stand for all of their names."""

    before: str
    after: str
    tensors: int


def folds(changes: Iterable[Change], *, each: bool = False) -> list[Fold]:
    """The changes that are more than renamings, those that are alike as one; with ``each``, every one by itself.

    What changed comes first, then what was removed, then what was added.
    """
    found: dict[Hashable, list[Change]] = {}
    for number, change in enumerate(changes):
        if change.kind is not Kind.RENAMED:
            found.setdefault(number if each else _likeness(change), []).append(change)
    alike = [Fold(pattern(map(_shown_name, those)), those[0], tuple(those)) for those in found.values()]
    return sorted(alike, key=lambda fold: _KINDS.index(fold.example.kind))


def _likeness(change: Change) -> Hashable:
    """What changes have in common that share a line."""
    if What.PARTS in change.what:
        return change.what, *((row.place.module, row.place.role) for row in (change.before[0], change.after[0]))
    return change.kind, change.what, _forms(change.before), _forms(change.after)


def _forms(rows: Iterable[Row]) -> Hashable:
    return tuple((template(name_of(row)), row.kind.dtype.code, row.kind.shape) for row in rows)


def _shown_name(change: Change) -> Name:
    """The name to show for a change: that in NEW; of tensors that belong together the path of their module."""
    rows = change.after or change.before
    if What.STORAGE in change.what and What.NAME not in change.what:
        firsts = [name_of(side[0]) for side in (change.before, change.after)]
        # A bare parameter is itself what the scales on the other side are named after.
        return max(
            (Name(first.component, split_leaf(first.name)[0]) for first in firsts), key=lambda name: len(name.name)
        )
    if not _GROUPS.isdisjoint(change.what):
        return _common([name_of(row) for row in rows])
    return name_of(rows[0])


def template(name: Name) -> tuple[str, ...]:
    """A name without its numbers: the words of it, those that are numbers empty."""
    return name.component, *("" if is_number(word) else word for word in name.name.split("."))


def pattern(names: Iterable[Name]) -> str:
    """One name for several of one template, with the numbers that they have in the place of each.

    >>> pattern([Name("", f"layers.{n}.w1") for n in range(28)])
    'layers.{0-27}.w1'
    """
    several = list(names)
    columns = zip(*(name.name.split(".") for name in several), strict=False)
    words = [column[0] if len(set(column)) == 1 else f"{{{_numbers(set(column))}}}" for column in columns]
    return str(Name(several[0].component, ".".join(words)))


def _numbers(words: set[str]) -> str:
    plain = all(word.isascii() and word.isdigit() and len(word) < 10 for word in words)
    return indices_text(sorted(map(int, words))) if plain else "…"


def _common(names: Sequence[Name]) -> Name:
    """What the names of tensors that belong together have in common at their beginning."""
    words = [name.name.split(".") for name in names]
    common = []
    for column in zip(*words, strict=False):
        if len(set(column)) > 1:
            break
        common.append(column[0])
    return Name(names[0].component, ".".join([*common, "*"]) if len(names) > 1 else names[0].name)


def renamings(changes: Iterable[Change], renaming: Renaming, *, each: bool = False) -> list[Renamed]:
    """Which names became which: by the rules that hold for many, and by template where none does."""
    found: dict[Hashable, list[tuple[Name, Name]]] = {}
    for change in changes:
        if What.NAME in change.what and _GROUPS.isdisjoint(change.what):
            before, after = name_of(change.before[0]), name_of(change.after[0])
            rule = next((rule for rule in renaming.rules if rule.of(before) == after), None)
            key: Hashable = (before, after) if each else rule or (template(before), template(after))
            found.setdefault(key, []).append((before, after))
    return [_renamed(key, pairs) for key, pairs in found.items()]


def _renamed(key: Hashable, pairs: Sequence[tuple[Name, Name]]) -> Renamed:
    before = [old for old, _ in pairs]
    if isinstance(key, Rule) and len(pairs) > 1:
        # A rule may be shorter than what its names have in common: that says more.
        common = _common(before)
        whole = len(str(common)) > len(str(key.before))
        shown = Name(common.component, common.name.removesuffix("*")) if whole else key.before
        return Renamed(f"{shown}*", f"{key.of(shown)}*", len(pairs))
    return Renamed(pattern(before), pattern(new for _, new in pairs), len(pairs))
