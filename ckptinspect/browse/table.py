"""The pane of tensors: what was found of a catalogue, in columns as far as there is room for them."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.browse.catalogue import Catalogue, Numbers
from ckptinspect.browse.lines import LinesPane
from ckptinspect.browse.orders import Order
from ckptinspect.browse.writing import DIM, PLAIN, Piece, abbreviated, fitted, inert
from ckptinspect.report.screen import width_of
from ckptinspect.text import bytes_text, count_text, shape_text

_GAP = "  "
# Names have so much room beside two columns, and so much beside any more.
_LEGIBLE, _READABLE = 22, 36


class Column(msgspec.Struct, frozen=True):
    """A column beside the name, at most so wide; ``of`` gives what stands in it, by the kind of the tensor."""

    title: str
    of: Callable[[Row], str]
    right: bool = False
    widest: int = 24


# The file of a tensor is no matter of its kind.
_FILE = Column("file", lambda row: row.shard)
COLUMNS = (
    Column("shape", lambda row: shape_text(row.kind.shape), widest=16),
    Column("dtype", lambda row: row.kind.dtype.code),
    Column("bytes", lambda row: bytes_text(row.kind.nbytes), right=True),
    Column("parameters", lambda row: count_text(row.parameters), right=True),
    Column("module", lambda row: row.place.module),
    Column("elements", lambda row: count_text(row.kind.elements), right=True),
    _FILE,
)
"""The columns beside the name; those at the end are the first for which there is no room."""


class TensorsPane(LinesPane):
    """What was found, one tensor a line."""

    heads = 1

    def __init__(self, catalogue: Catalogue, moved: Callable[[], None]) -> None:
        super().__init__(moved, id="tensors")
        self.empty = "nothing is found: Esc widens what is looked for"
        self.numbers: Numbers = ()
        self._catalogue, self._widths = catalogue, _widths(catalogue)
        self._order = Order()

    @property
    def number(self) -> int | None:
        """The tensor under the cursor."""
        return self.numbers[self.cursor] if self.cursor < len(self.numbers) else None

    def list(self, numbers: Numbers, order: Order, *, keep: bool) -> None:
        """Show these tensors; where ``keep`` is asked for, the cursor stays on its tensor if that is one of them."""
        kept = self.number if keep else None
        self.numbers, self._order = numbers, order
        self.show(len(numbers), numbers.index(kept) if kept is not None and kept in numbers else 0)

    def head(self, width: int) -> Iterator[Piece]:
        """The titles; a sign stands at the one that is sorted by."""
        columns, room = self._columns(width)
        yield fitted(self._title("name"), room), DIM
        for column in columns:
            yield _GAP + fitted(self._title(column.title), self._widths[column.title], right=column.right), DIM

    def pieces(self, number: int, width: int) -> Iterator[Piece]:
        """A tensor."""
        columns, room = self._columns(width)
        number = self.numbers[number]
        row = self._catalogue.row(number)
        yield fitted(abbreviated(inert(self._catalogue.tensor(number).name), room) or "''", room), PLAIN
        for column in columns:
            text = self._catalogue.file_of(number).path if column is _FILE else column.of(row)
            yield _GAP + fitted(inert(text), self._widths[column.title], right=column.right), PLAIN

    def _title(self, title: str) -> str:
        sign = ("-" if self._order.down else "+") if title == self._order.column else ""
        return f"{sign}{title}"

    def _columns(self, width: int) -> tuple[Sequence[Column], int]:
        """The columns that have room, that which is sorted by before all others; and the room that names have."""
        kept: set[str] = set()
        room = width
        for column in sorted(COLUMNS, key=lambda column: column is _FILE or column.title != self._order.column):
            taken = len(_GAP) + self._widths[column.title]
            if room - taken >= (_LEGIBLE if len(kept) < 2 else _READABLE):
                kept.add(column.title)
                room -= taken
        return [column for column in COLUMNS if column.title in kept], room


def _widths(catalogue: Catalogue) -> dict[str, int]:
    """How wide each column is for what stands in it: known from the kinds, before any tensor is looked at."""
    files = [shard.path for shard in catalogue.shards]
    rows = catalogue.counted.rows
    return {column.title: _width(column, files if column is _FILE else map(column.of, rows)) for column in COLUMNS}


def _width(column: Column, texts: Iterable[str]) -> int:
    widest = max((width_of(inert(text)) for text in texts), default=0)
    return max(len(column.title) + 1, min(widest, column.widest))
