"""Names of OLD -> names of NEW, where one model has two layouts.

Prefixes first: ``model.`` became ``model.language_model.`` where the bulk of the tensors says so, by equal
endings and shapes. What other names there are is paired by template: names that are equal without the wrappers of
training frameworks, that end alike, or, where a module goes by other names as a whole, in the order in which a
model applies them. Whatever pairs has the same shape and the same numbers in its name.
"""

from collections import Counter
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.diff.base import Name, Rule, is_number
from ckptinspect.analysis.diff.sides import Rows
from ckptinspect.analysis.order import rank
from ckptinspect.model import Shape
from ckptinspect.naming.name import unwrapped

Pairs = dict[Name, Name]
_Votes = Counter[Rule]

# Rules to try, and candidates for a template: a hostile header must not make either a product of its names.
_MOST_RULES = 32
_MOST_CANDIDATES = 8


class Bunch(msgspec.Struct, frozen=True, eq=False, dict=True):
    """Tensors whose names differ in their numbers only: in words that are digits, which are empty in ``words``."""

    component: str
    words: tuple[str, ...]
    names: tuple[Name, ...]
    shapes: frozenset[Shape]
    row: Row

    @property
    def place(self) -> tuple[str, str]:
        """Where the tensors stand, and what they do there."""
        return self.row.place.module, self.row.place.role

    @cached_property
    def by_numbers(self) -> dict[tuple[str, ...], Name]:
        """The names by the numbers in them."""
        at = [index for index, word in enumerate(self.words) if not word]
        found = {}
        for name in self.names:
            words = name.name.split(".")
            found[tuple(words[index] for index in at)] = name
        return found


def bunches(rows: Rows) -> list[Bunch]:
    """The tensors by their names without numbers, in the order of their first."""
    found: dict[tuple[str, tuple[str, ...]], list[Name]] = {}
    for name in rows:
        words = tuple("" if is_number(word) else word for word in name.name.split("."))
        found.setdefault((name.component, words), []).append(name)
    return [
        Bunch(component, words, tuple(names), frozenset(rows[name].kind.shape for name in names), rows[names[0]])
        for (component, words), names in found.items()
    ]


class Renaming:
    """The names of OLD and what NEW calls them, as far as that is known; it grows with each step.

    ``old`` and ``new`` are the tensors that have no partner yet.
    """

    def __init__(self, old: Rows, new: Rows) -> None:
        self.old, self.new = dict(old), dict(new)
        self.pairs: Pairs = {}
        self.rules: tuple[Rule, ...] = ()
        self._bunched: tuple[list[Bunch], list[Bunch]] | None = None

    def of(self, name: Name) -> Name:
        """What a name is, or would be, in NEW."""
        if name in self.pairs:
            return self.pairs[name]
        return next((target for rule in self.rules if (target := rule.of(name)) is not None), name)

    def leave_out(self, before: Iterable[Name], after: Iterable[Name]) -> None:
        """Look for no partners of these any more."""
        self._bunched = None
        for name in before:
            self.old.pop(name, None)
        for name in after:
            self.new.pop(name, None)

    def _bunches(self) -> tuple[list[Bunch], list[Bunch]]:
        """Both sides in bunches, until one of them has a partner."""
        if self._bunched is None:
            self._bunched = bunches(self.old), bunches(self.new)
        return self._bunched

    def by_prefixes(self) -> None:
        """Learn rules from the bulk of the tensors, and pair what follows them.

        Always from the same side, so that OLD and NEW in each other's place come to the same pairs.
        """
        if not self.old or not self.new:
            return
        if min(self.old) < min(self.new):
            self._learn()
            return
        mirror = Renaming(self.new, self.old)
        mirror._learn()
        self.old, self.new = mirror.new, mirror.old
        self.pairs = {after: before for before, after in mirror.pairs.items()}
        self.rules = _longest_first(Rule(rule.after, rule.before) for rule in mirror.rules)

    def _learn(self) -> None:
        rules = [rule for rule in _likeliest(_votes(*self._bunches(), _alike)) if self._proven(rule)]
        most = min(len(self.old), len(self.new)) // 2
        for rule in _likeliest(_votes(*self._bunches(), _ends_alike)) if most else ():
            # Models of other sizes have no shape in common; there names alone have to prove it, and of the most.
            if len(found := list(self._fitting(rule))) > most:
                self._pair(found)
                rules.append(rule)
        self.rules = _longest_first(rules)
        for rule in rules:
            # What the bulk has proved holds for the tensors too whose shape has changed.
            self._pair(list(self._fitting(rule)))

    def _proven(self, rule: Rule) -> bool:
        """Whether most of what could follow a rule does, and most of that keeps its size and its role.

        The tensors that do are pairs then. A single one must keep its module as well.
        """
        fitting = list(self._fitting(rule))
        found = [pair for pair in fitting if self._same_size(*pair)]
        alike = [pair for pair in found if self._same_place(*pair, alone=len(found) == 1)]
        could = min(_below(rule.before, self.old), _below(rule.after, self.new))
        proven = bool(alike) and len(alike) * 2 >= len(fitting) and len(fitting) * 2 >= could
        self._pair(found if proven else ())
        return proven

    def by_templates(self, same: Callable[[Bunch], Hashable]) -> None:
        """Pair templates for which ``same`` gives one key on either side and no other template does."""
        old, new = (_alone(side, same) for side in self._bunches())
        for key in old.keys() & new.keys():
            self._pair_bunches(old[key], new[key])

    def by_order(self, modules: Container[str]) -> None:
        """Pair the tensors of these modules, that go by other names as a whole, as a model applies them."""
        old, new = (_in_order(side, modules) for side in self._bunches())
        for key in old.keys() & new.keys():
            if len(old[key]) == len(new[key]):
                for before, after in zip(old[key], new[key], strict=True):
                    self._pair_bunches(before, after)

    def _pair_bunches(self, before: Bunch, after: Bunch) -> None:
        numbers = after.by_numbers
        pairs = [(name, numbers[key]) for key, name in before.by_numbers.items() if key in numbers]
        if pairs and all(self._same_size(*pair) for pair in pairs):
            self._pair(pairs)

    def _fitting(self, rule: Rule) -> Iterator[tuple[Name, Name]]:
        for name in self.old:
            target = rule.of(name)
            if target is not None and target in self.new:
                yield name, target

    def _same_size(self, before: Name, after: Name) -> bool:
        """Whether two tensors have one shape or, where one is packed, as many parameters."""
        old, new = self.old[before], self.new[after]
        if old.kind.shape == new.kind.shape:
            return True
        packed = any(row.parameters != row.kind.elements for row in (old, new))
        return packed and old.parameters == new.parameters > 0

    def _same_place(self, before: Name, after: Name, *, alone: bool) -> bool:
        old, new = self.old[before].place, self.new[after].place
        return old.role == new.role and (not alone or old.module == new.module)

    def _pair(self, pairs: Iterable[tuple[Name, Name]]) -> None:
        for before, after in pairs:
            if before in self.old and after in self.new:
                self._bunched = None
                self.pairs[before] = after
                del self.old[before], self.new[after]


def _longest_first(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(sorted(rules, key=lambda rule: (-len(rule.before.name), rule)))


def _below(prefix: Name, rows: Rows) -> int:
    """How many tensors begin so."""
    return sum(name.component == prefix.component and name.name.startswith(prefix.name) for name in rows)


def _likeliest(votes: _Votes) -> list[Rule]:
    return sorted(votes, key=lambda rule: (-votes[rule], rule))[:_MOST_RULES]


def _votes(old: Sequence[Bunch], new: Sequence[Bunch], alike: Callable[[int, Bunch, Bunch], bool]) -> _Votes:
    """The prefixes that may have become others, with the tensors that speak for each.

    ``alike`` tells of two bunches with so many last words in common whether they speak at all.
    """
    endings: dict[tuple[str, ...], list[Bunch]] = {}
    for bunch in new:
        for at in range(len(bunch.words)):
            endings.setdefault(bunch.words[at:], []).append(bunch)
    votes: _Votes = Counter()
    for bunch in old:
        for ending, others in _longest_common(bunch, endings, alike):
            for other in others:
                before, after = _prefix(bunch, ending), _prefix(other, ending)
                if before is not None and after is not None and before != after:
                    votes[Rule(before, after)] += len(bunch.names)
    return votes


def _longest_common(
    bunch: Bunch, endings: Mapping[tuple[str, ...], list[Bunch]], alike: Callable[[int, Bunch, Bunch], bool]
) -> Iterator[tuple[int, list[Bunch]]]:
    """The most last words that a bunch has in common with others, and those; nothing where there are none."""
    for at in range(len(bunch.words)):
        among = endings.get(bunch.words[at:], ())[:_MOST_CANDIDATES]
        if others := [other for other in among if alike(len(bunch.words) - at, bunch, other)]:
            yield len(bunch.words) - at, others
            return


def _alike(ending: int, bunch: Bunch, other: Bunch) -> bool:
    """Whether two bunches have a shape in common, and names that end alike: two words, or all of a name."""
    tells = ending > 1 or ending in {len(bunch.words), len(other.words)}
    return tells and not bunch.shapes.isdisjoint(other.shapes)


def _ends_alike(ending: int, bunch: Bunch, other: Bunch) -> bool:
    """Whether the names alone are enough, whatever the shapes."""
    return ending > 2


def _prefix(bunch: Bunch, ending: int) -> Name | None:
    """What stands before the ending in every name of a bunch; None where that differs."""
    words = bunch.names[0].name.split(".")
    before = words[: len(words) - ending]
    prefix = ".".join(before) + "." * bool(before)
    if any(not name.name.startswith(prefix) for name in bunch.names):
        return None
    return Name(bunch.component, prefix)


def without_wrappers(bunch: Bunch) -> Hashable:
    """What a template is without what training frameworks wrap around modules; to be equal on both sides."""
    return bunch.component, unwrapped(".".join(bunch.words)), _form(bunch)


def by_ending(bunch: Bunch) -> Hashable:
    """The end of a template, and where its tensors stand; to be equal on both sides."""
    return bunch.place, bunch.words[-2:], _form(bunch)


def _form(bunch: Bunch) -> Hashable:
    return bunch.shapes, frozenset(bunch.by_numbers)


def _alone(found: Iterable[Bunch], same: Callable[[Bunch], Hashable]) -> dict[Hashable, Bunch]:
    """The bunches by a key that no other has."""
    by_key: dict[Hashable, list[Bunch]] = {}
    for bunch in found:
        by_key.setdefault(same(bunch), []).append(bunch)
    return {key: those[0] for key, those in by_key.items() if len(those) == 1}


def _in_order(found: Iterable[Bunch], modules: Container[str]) -> dict[Hashable, list[Bunch]]:
    """Bunches that may stand for each other, in the order in which a model applies them."""
    by_key: dict[Hashable, list[Bunch]] = {}
    for bunch in found:
        if bunch.row.place.module in modules:
            by_key.setdefault((bunch.place, _form(bunch)), []).append(bunch)
    return {key: sorted(those, key=_position) for key, those in by_key.items()}


def _position(bunch: Bunch) -> tuple[object, ...]:
    return tuple(rank(word) for word in bunch.words if word)
