"""The values of a comparison: a tensor on either side is a row of a count, for one tensor alone."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.model import Tally


class What(StrEnum):
    """In what the two sides of a change differ."""

    NAME = "name"
    DTYPE = "dtype"
    SHAPE = "shape"
    SIZE = "size"
    STORAGE = "storage"
    PARTS = "parts"
    MEANING = "meaning"


class Kind(StrEnum):
    """What happened to a tensor, or to some that belong together."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    RENAMED = "renamed"


class Name(NamedTuple):
    """A tensor's name, in the component of a pipeline that it is in; that is empty outside of pipelines."""

    component: str
    name: str

    def __str__(self) -> str:
        return f"{self.component}/{self.name}" if self.component else self.name


class Rule(NamedTuple):
    """A renaming that holds for many tensors: names that begin with ``before`` begin with ``after`` in NEW."""

    before: Name
    after: Name

    def of(self, name: Name) -> Name | None:
        """What the name becomes; None where the rule does not fit it.

        >>> rule = Rule(Name("", "model."), Name("", "model.language_model."))
        >>> str(rule.of(Name("", "model.norm.weight"))), rule.of(Name("", "lm_head.weight"))
        ('model.language_model.norm.weight', None)
        """
        if name.component != self.before.component or not name.name.startswith(self.before.name):
            return None
        return Name(self.after.component, self.after.name + name.name[len(self.before.name) :])


class Change(msgspec.Struct, frozen=True):
    """Tensors of OLD and what NEW has in their place; either may be none.

    ``what`` says in what they differ, in the order of ``What``; it is empty where one side has nothing.
    """

    before: tuple[Row, ...]
    after: tuple[Row, ...]
    what: tuple[What, ...] = ()

    @property
    def kind(self) -> Kind:
        """What happened."""
        if not self.before or not self.after:
            return Kind.REMOVED if self.before else Kind.ADDED
        return Kind.RENAMED if self.what == (What.NAME,) else Kind.CHANGED

    @property
    def lost(self) -> Tally:
        """What the tensors of OLD amount to."""
        return sum((row.tally for row in self.before), Tally())

    @property
    def gained(self) -> Tally:
        """What the tensors of NEW amount to."""
        return sum((row.tally for row in self.after), Tally())

    @property
    def parameters(self) -> tuple[int, int]:
        """The parameters before and after."""
        return sum(row.parameters for row in self.before), sum(row.parameters for row in self.after)


def is_number(word: str) -> bool:
    """Whether a word of a name is nothing but digits: the number of a layer, or of an expert."""
    return word.isascii() and word.isdigit()


def name_of(row: Row) -> Name:
    """The name of the one tensor that a row is of."""
    return Name(row.component, row.kind.example)


def main_row(rows: tuple[Row, ...]) -> Row:
    """Of tensors that belong together the one that holds the weights: the largest."""
    return max(rows, key=lambda row: (row.kind.nbytes, row.kind.example))


def differences(before: Row, after: Row) -> tuple[What, ...]:
    """In what a tensor differs from the one in its place."""
    old, new = before.kind, after.kind
    same_form = old.dtype == new.dtype and old.shape == new.shape
    found = {
        What.NAME: name_of(before) != name_of(after),
        What.DTYPE: old.dtype != new.dtype,
        What.SHAPE: old.shape != new.shape,
        What.SIZE: same_form and old.nbytes != new.nbytes,
        What.MEANING: same_form and (before.meaning, before.parameters) != (after.meaning, after.parameters),
    }
    return tuple(what for what, differs in found.items() if differs)
