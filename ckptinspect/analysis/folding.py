"""Modules that are alike -> one structure; layers that are alike -> one run.

Every module gets a number by what it holds: equal tensors under equal names make equal structures, so that a
mixture of 58 layers of 256 experts is looked at once.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import msgspec

from ckptinspect.analysis.keys import natural
from ckptinspect.analysis.owners import Node, Owners, Part
from ckptinspect.model import Tally


class Structure(msgspec.Struct, frozen=True, dict=True, eq=False):
    """A module with all that is in it; modules that are alike share one."""

    number: int
    parts: tuple[Part, ...]
    children: "tuple[tuple[str, Structure], ...]"

    @cached_property
    def tally(self) -> Tally:
        """What the module and all modules in it amount to."""
        own = (part.tally for part in self.parts)
        return sum((*own, *(child.tally for _, child in self.children)), Tally())

    @cached_property
    def modules(self) -> frozenset[str]:
        """The modules of ``Place`` that its tensors belong to."""
        own = {part.module for part in self.parts}
        return frozenset(own.union(*(child.modules for _, child in self.children)))

    @cached_property
    def items(self) -> "tuple[tuple[str, Structure], ...]":
        """The modules inside that are counted: those of ``layers``, of ``experts``, of a Sequential."""
        return tuple(child for child in self.children if _is_index(child[0]))

    @property
    def is_container(self) -> bool:
        """Whether it does nothing but to count what is in it."""
        return bool(self.children) and not self.parts and len(self.items) == len(self.children)


class Run(msgspec.Struct, frozen=True):
    """Items of a container that are alike, by their indices."""

    indices: tuple[int, ...]
    structure: Structure


class Folder:
    """Turns the modules of a component into structures."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        self._known: dict[tuple[tuple[int, ...], frozenset[tuple[str, int]]], Structure] = {}
        self._leaves: dict[tuple[int, ...], Structure] = {}

    def fold(self, node: Node) -> Structure:
        """The structure of a module."""
        if not node.children and (structure := self._leaves.get(tuple(node.parts))) is not None:
            # Most modules hold none: with their tensors in the order of some other, they are known at once.
            return structure
        children = {word: self.fold(child) for word, child in node.children.items()}
        parts = tuple(node.parts) if len(node.parts) == 1 else tuple(sorted(node.parts))
        key = (parts, frozenset((word, child.number) for word, child in children.items()))
        structure = self._known.get(key)
        if structure is None:
            own = sorted((self._owners.parts[number] for number in parts), key=lambda part: part.leaf)
            structure = self._known[key] = Structure(len(self._known), tuple(own), tuple(children.items()))
        if not children:
            self._leaves[tuple(node.parts)] = structure
        return structure


def folded(owners: Owners) -> Structure:
    """The structure of a whole component."""
    return Folder(owners).fold(owners.root)


def runs_of(container: Structure) -> list[Run]:
    """The items of a module, those that are alike together, in the order of their first index."""
    found: dict[int, list[int]] = {}
    structures: dict[int, Structure] = {}
    for word, child in sorted(container.items, key=lambda item: natural(item[0])):
        found.setdefault(child.number, []).append(int(word))
        structures[child.number] = child
    return [Run(tuple(indices), structures[number]) for number, indices in found.items()]


def indices_text(indices: Sequence[int]) -> str:
    """The indices of a run as people write them.

    >>> indices_text(range(28)), indices_text((0, 1, 2, 60)), indices_text((3,))
    ('0-27', '0-2, 60', '3')
    >>> indices_text(range(0, 24, 2)), indices_text([i for i in range(48) if i % 4 != 3])
    ('0, 2, 4, …, 22', '0-2, 4-6, 8-10, …, 44-46')
    """
    spans = [str(first) if first == last else f"{first}-{last}" for first, last in _spans(indices)]
    return ", ".join(spans if len(spans) <= 4 else [*spans[:3], "…", spans[-1]])


def _spans(indices: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = last = None
    for index in indices:
        if first is None or last is None:
            first = last = index
        elif index == last + 1:
            last = index
        else:
            yield first, last
            first = last = index
    if first is not None and last is not None:
        yield first, last


def _is_index(word: str) -> bool:
    """Whether the word is an integer as a ModuleList writes it."""
    return word.isascii() and word.isdigit() and len(word) < 10 and (word == "0" or word[0] != "0")
