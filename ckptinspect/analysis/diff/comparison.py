"""Two checkpoints -> what became of the one in the other."""

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import cached_property
from typing import NamedTuple

from msgspec.structs import replace

from ckptinspect.analysis.count import Count, Row, count
from ckptinspect.analysis.diff.base import Change, What, name_of
from ckptinspect.analysis.diff.facts import Facts
from ckptinspect.analysis.diff.pairing import paired
from ckptinspect.analysis.diff.verdict import Verdict, verdict_on
from ckptinspect.analysis.names import rows_by_tensor
from ckptinspect.model import Checkpoint


class Diff(Facts, frozen=True, dict=True):
    """How ``new`` differs from ``old``, by their headers: changes, tallies of both sides, and a sentence."""

    def __repr__(self) -> str:
        return f"Diff({self.sentence!r})"

    @cached_property
    def verdict(self) -> Verdict:
        """What happened, as clauses, each with the changes that speak for it."""
        return verdict_on(self)

    @property
    def sentence(self) -> str:
        """What happened, in a sentence."""
        return self.verdict.sentence


class _Selection(NamedTuple):
    """The changes to look at, and those to leave aside."""

    changes: tuple[Change, ...]
    ignored: tuple[Change, ...]


def diff(old: Checkpoint, new: Checkpoint, *, match: str | None = None, ignore_dtype: bool = False) -> Diff:
    """How two checkpoints differ, by their headers; values are not compared.

    ``match`` is a glob for the names of the tensors to compare, on either side; with ``ignore_dtype`` a tensor of
    the same shape in another dtype is no change. Needs checkpoints that were opened with their names.
    """
    before, after = count(old), count(new)
    found = paired((old, before), (new, after))
    changes = found.changes
    if match is not None:
        pattern = re.compile(translate(match))
        changes = tuple(change for change in changes if _matches(change, pattern))
        before = _matching(old, before, pattern, [row for change in changes for row in change.before])
        after = _matching(new, after, pattern, [row for change in changes for row in change.after])
    selected = _without_dtypes(changes) if ignore_dtype else _Selection(changes, ())
    return Diff(old, new, before, after, *selected, found.renaming, match, ignore_dtype)


def _matches(change: Change, pattern: "re.Pattern[str]") -> bool:
    return any(pattern.match(row.kind.example) for row in (*change.before, *change.after))


def _matching(checkpoint: Checkpoint, counted: Count, pattern: "re.Pattern[str]", changed: Iterable[Row]) -> Count:
    """The count of the tensors whose names match, and of those that became of such, or such of them."""
    partners = set(map(name_of, changed))
    rows = (row for _, row in rows_by_tensor(checkpoint, counted))
    return replace(
        counted, rows=tuple(row for row in rows if pattern.match(row.kind.example) or name_of(row) in partners)
    )


def _without_dtypes(changes: tuple[Change, ...]) -> _Selection:
    """The changes without those in dtype; where there is no other, a change is left aside."""
    kept, ignored = [], []
    for change in changes:
        what = tuple(what for what in change.what if what is not What.DTYPE)
        if what == change.what:
            kept.append(change)
        elif what:
            kept.append(replace(change, what=what))
        else:
            ignored.append(change)
    return _Selection(tuple(kept), tuple(ignored))
