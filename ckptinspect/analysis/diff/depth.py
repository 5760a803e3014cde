"""The rules for layers and experts that one side has and the other has not."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.diff.base import Change, Kind, Name, name_of
from ckptinspect.analysis.diff.clauses import Changes, Clause
from ckptinspect.analysis.diff.facts import Facts
from ckptinspect.analysis.diff.widths import EXPERTS, resized
from ckptinspect.analysis.folding import indices_text
from ckptinspect.model import Checkpoint
from ckptinspect.text import number_of


class Names:
    """The names of one side, sorted, so that what begins alike is found without a look at the rest."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._names: dict[str, list[str]] = {}
        for shard in checkpoint.shards:
            if shard.header is not None:
                self._names.setdefault(shard.component, []).extend(tensor.name for tensor in shard.header.tensors)
        for names in self._names.values():
            names.sort()

    def numbers_below(self, prefix: Name) -> set[int]:
        """The numbers that come next in the names that begin so."""
        names = self._names.get(prefix.component, [])
        found = set()
        at = bisect_left(names, prefix.name)
        while at < len(names) and names[at].startswith(prefix.name):
            word = names[at][len(prefix.name) :].partition(".")[0]
            if word.isascii() and word.isdigit() and len(word) < 10:
                found.add(int(word))
            # "/" comes right behind ".": on to the first name with another word in this place.
            at = max(at + 1, bisect_left(names, f"{prefix.name}{word}/"))
        return found


class _Item(NamedTuple):
    """One of several that are counted: the prefix in front of its number, and the number."""

    prefix: Name
    number: int


def _item(name: Name, path: str, number: int | None, *, last: bool = False) -> _Item | None:
    """The layer, or (``last``) the expert, of this number in a module's path."""
    if number is None:
        return None
    before, found, _ = f".{path}.".rpartition(f".{number}.") if last else f".{path}.".partition(f".{number}.")
    return _Item(Name(name.component, f"{before[1:]}." if before else ""), number) if found else None


class _Sides(NamedTuple):
    """The names of the side that has something, and of the one that has not, in the words of the first."""

    ours: Names
    theirs: Names
    facts: Facts
    kind: Kind

    def there(self, prefix: Name) -> set[int]:
        """The numbers that the other side has in the place of a prefix."""
        translated = self.facts.renaming.of(prefix) if self.kind is Kind.REMOVED else prefix
        return self.theirs.numbers_below(translated)


def _sides(facts: Facts, rest: Changes) -> Iterator[_Sides]:
    """The two directions in which there is something to be looked for."""
    kinds = [kind for kind in (Kind.REMOVED, Kind.ADDED) if any(change.kind is kind for change in rest)]
    if kinds:
        old, new = Names(facts.old), Names(facts.new)
        for kind in kinds:
            yield _Sides(old, new, facts, kind) if kind is Kind.REMOVED else _Sides(new, old, facts, kind)


def layers(facts: Facts, rest: Changes) -> Iterator[Clause]:
    """Whole layers that are gone, or new."""
    for sides in _sides(facts, rest):
        found = _by_item(rest, sides.kind, lambda row: _item(name_of(row), row.place.path, row.place.layer))
        if gone := _gone(found, sides):
            texts = ", ".join(_layers_text(prefix, numbers, sides) for prefix, numbers in gone.items())
            yield Clause(f"layers-{sides.kind}", texts, _changes(gone, found))


def experts(facts: Facts, rest: Changes) -> Iterator[Clause]:
    """Experts that are gone, or new, with the rows of the routers that choose them."""
    for sides in _sides(facts, rest):
        found = _by_item(rest, sides.kind, lambda row: _item(name_of(row), row.place.path, row.place.expert, last=True))
        if gone := _gone(found, sides):
            message = f"{_how_many(gone, sides)} experts {sides.kind} in {number_of(len(gone), 'layer')}"
            yield Clause(f"experts-{sides.kind}", message, (*_changes(gone, found), *_routers(rest)))


def depth_of(rows: Iterable[Row]) -> int:
    """The layers of the stack that holds the most parameters."""
    sizes: Counter[Name] = Counter()
    numbers: dict[Name, set[int]] = {}
    for row in rows:
        if (item := _item(name_of(row), row.place.path, row.place.layer)) is not None:
            sizes[item.prefix] += row.parameters
            numbers.setdefault(item.prefix, set()).add(item.number)
    return len(numbers[max(sizes, key=lambda prefix: (sizes[prefix], prefix))]) if sizes else 0


_Found = Mapping[_Item, Sequence[Change]]
_Gone = Mapping[Name, Sequence[int]]


def _by_item(rest: Changes, kind: Kind, item_of: Callable[[Row], _Item | None]) -> _Found:
    found: dict[_Item, list[Change]] = {}
    for change in rest:
        if change.kind is kind and (item := item_of((change.before or change.after)[0])) is not None:
            found.setdefault(item, []).append(change)
    return found


def _gone(found: Iterable[_Item], sides: _Sides) -> _Gone:
    """Of these items, those that the other side does not have at all; in stacks of which it has a part."""
    by_prefix: dict[Name, list[int]] = {}
    for item in found:
        by_prefix.setdefault(item.prefix, []).append(item.number)
    gone = {}
    for prefix, numbers in sorted(by_prefix.items()):
        there = sides.there(prefix)
        if there and (absent := sorted(set(numbers) - there)):
            gone[prefix] = absent
    return gone


def _changes(gone: _Gone, found: _Found) -> tuple[Change, ...]:
    return tuple(change for prefix, numbers in gone.items() for n in numbers for change in found[_Item(prefix, n)])


def _layers_text(prefix: Name, numbers: Sequence[int], sides: _Sides) -> str:
    there, ours = sides.there(prefix), sides.ours.numbers_below(prefix)
    which, noun = f"{prefix}{indices_text(numbers)}", number_of(len(numbers), "layer")
    if sides.kind is Kind.ADDED:
        return f"{noun} added ({which}, to {len(ours) - len(numbers)})"
    verb = "removed" if max(there) < min(numbers) else "missing"
    return f"{noun} {verb} ({which}, of {len(ours)})"


def _how_many(gone: _Gone, sides: _Sides) -> str:
    """The experts of a layer that are gone, and of how many, where that is the same in all of them."""
    counts = {len(numbers) for numbers in gone.values()}
    totals = {len(sides.ours.numbers_below(prefix)) for prefix in gone}
    if len(counts) > 1:
        return f"{min(counts)} to {max(counts)}"
    return f"{counts.pop()} of {totals.pop()}" if len(totals) == 1 and sides.kind is Kind.REMOVED else f"{counts.pop()}"


def _routers(rest: Changes) -> Iterator[Change]:
    for index, sizes in resized(rest).items():
        if {size.what for size in sizes} == {EXPERTS}:
            yield rest[index]
