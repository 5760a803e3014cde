"""An answer before it is drawn: its data for machines, and blocks of text and tables for people.

Blocks hold typed values, never formatted ones; each renderer formats and escapes once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from ckptinspect.analysis.nest import Contents

Cell = str | int | float | None


class Format(StrEnum):
    """How a column's values are written."""

    TEXT = "text"
    NAME = "name"
    COUNT = "count"
    SHORT_COUNT = "short count"
    BYTES = "bytes"
    SHORT_BYTES = "short bytes"
    COUNT_CHANGE = "change of a count"
    BYTES_CHANGE = "change of bytes"
    SHARE = "share"
    NUMBER = "number"
    DECIMAL = "decimal"


class Column(msgspec.Struct, frozen=True):
    """A column of a table. Where not all fit, those that are ``spare`` have what room is left, the least first."""

    title: str
    format: Format = Format.TEXT
    spare: int = 0

    @property
    def is_number(self) -> bool:
        """Whether the values are aligned to the right."""
        return self.format not in {Format.TEXT, Format.NAME}


class Table(msgspec.Struct, frozen=True):
    """Rows under columns, with the sums at the foot.

    Where the screen is too narrow for a table that ``folds``, the last column goes below its row.
    """

    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Cell]]
    foot: Sequence[Sequence[Cell]] = ()
    title: str = ""
    folds: bool = False


class Step(msgspec.Struct, frozen=True):
    """How an addition goes on: terms that are added to what it came to, and what that gives."""

    terms: tuple[tuple[int, str], ...]
    total: tuple[int, str]


class Sum(msgspec.Struct, frozen=True):
    """An addition written out: signed terms, and what they come to; then the ``steps`` that go on from there."""

    terms: tuple[tuple[int, str], ...]
    total: tuple[int, str]
    title: str = ""
    steps: tuple[Step, ...] = ()

    @property
    def stages(self) -> "tuple[Step, ...]":
        """The addition itself and its steps."""
        return (Step(self.terms, self.total), *self.steps)


class Branch(msgspec.Struct, frozen=True):
    """A line of a tree with what hangs below it.

    ``names`` are those of the modules that share the line; ``detail`` says what they are, ``brief`` in fewer words.
    """

    names: tuple[str, ...]
    detail: str
    brief: str
    parameters: int
    nbytes: int
    children: "tuple[Branch, ...]" = ()

    @property
    def label(self) -> str:
        """The names in one."""
        return ", ".join(name or "''" for name in self.names)


class Tree(msgspec.Struct, frozen=True):
    """A tree of modules."""

    root: Branch
    title: str = ""


class Lines(msgspec.Struct, frozen=True):
    """Plain lines."""

    lines: tuple[str, ...]


class Formulas(msgspec.Struct, frozen=True):
    """Equations: a name, its expression, its value."""

    equations: tuple[tuple[str, str, int], ...]


class Figure(msgspec.Struct, frozen=True):
    """A number with how it comes about: ``formula`` in numbers, ``words`` with names, ``marks`` its remarks.

    ``short`` and ``binary`` are the value in larger units. Without a value, ``reason`` says why there is none.
    """

    name: str
    value: int | None
    short: str
    binary: str
    formula: str
    exact: bool
    words: str = ""
    marks: tuple[int, ...] = ()
    reason: str = ""

    @property
    def derivation(self) -> tuple[str, ...]:
        """The formula in words, where it has any, and in numbers with its marks; or the reason for having none."""
        if self.value is None:
            return (f"no figure: {self.reason}",)
        marks = f"  [{', '.join(map(str, self.marks))}]" if self.marks else ""
        sign = "=" if self.exact else "≈"
        words = (f"{sign} {self.words}",) if self.words else ()
        return (*words, f"{'=' if words else sign} {self.formula}{marks}")


class FigureGroup(msgspec.Struct, frozen=True):
    """Figures under one title; ``remarks`` are those that their marks number, from 1, ``about`` holds for all."""

    title: str
    figures: tuple[Figure, ...]
    remarks: tuple[str, ...] = ()
    about: tuple[str, ...] = ()


class Figures(msgspec.Struct, frozen=True):
    """Groups of figures, all aligned alike; ``legend`` explains their signs."""

    groups: tuple[FigureGroup, ...]
    legend: str


class Remark(msgspec.Struct, frozen=True):
    """Something to be said of a place: how bad it is, by which rule, and what to try."""

    severity: str
    rule: str
    text: str
    hint: str


class Remarks(msgspec.Struct, frozen=True):
    """Remarks, place by place."""

    title: str
    places: tuple[tuple[str, tuple[Remark, ...]], ...]


class Series(msgspec.Struct, frozen=True):
    """Measured values under one name."""

    label: str
    values: tuple[float, ...]


class Plot(msgspec.Struct, frozen=True):
    """Each value of each series as a dot on one scale from 0, with named lines across. Where nothing can be drawn
    it is left out: all that it shows stands in a table as well.
    """

    title: str
    series: tuple[Series, ...]
    lines: tuple[tuple[str, float], ...] = ()


class Bars(msgspec.Struct, frozen=True):
    """Bytes on several sides, a bar for each of ``sides`` in every row. Left out where nothing can be drawn: a table
    says the same.
    """

    title: str
    sides: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]


class Inside(msgspec.Struct, frozen=True):
    """All that a checkpoint holds, down to the single tensor, to be walked through. ``header_bytes`` are those of the
    files that belong to no tensor.
    """

    name: str
    contents: "Contents"
    header_bytes: int


Block = Table | Sum | Tree | Lines | Formulas | Figures | Remarks | Plot | Bars | Inside


class Report(msgspec.Struct, frozen=True):
    """One verb's answer. ``data`` is its JSON; ``rows`` gives its main list for csv and jsonl, where it has one, and
    ``columns`` what each of them has: that of the first where they are not given.
    ``objects`` is what jsonl gives where that is another list. ``page`` makes the blocks of a page, which has room for
    more than ``blocks``; None where it shows the same.
    """

    kind: str
    data: msgspec.Struct
    title: str
    blocks: tuple[Block, ...]
    notes: tuple[str, ...] = ()
    rows: Callable[[], Iterable[msgspec.Struct | Mapping[str, object]]] | None = None
    columns: tuple[str, ...] = ()
    objects: Callable[[], Iterable[msgspec.Struct]] | None = None
    page: Callable[[], tuple[Block, ...]] | None = None
