"""Every tensor of a checkpoint by its number, and what of them is looked for.

Numbers run through the files by their paths, and in a file from its first byte on. The tensors of a file are taken
out of its header when the first of them is asked for, so that the first screen waits for one file only.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate, islice
from operator import attrgetter, lt

import msgspec
from msgspec.structs import replace

from ckptinspect.analysis.count import Count, Row
from ckptinspect.analysis.names import KindRows
from ckptinspect.browse.orders import Order, by_kind, by_name
from ckptinspect.browse.search import Query, lowered
from ckptinspect.model import Checkpoint, Shard, Tally, Tensor

Numbers = Sequence[int]
_PLACE = attrgetter("begin", "end", "name")


class Page(msgspec.Struct, frozen=True):
    """The tensors of one file with their rows, from its first byte on."""

    tensors: Sequence[Tensor]
    rows: Sequence[Row]


class Scope(msgspec.Struct, frozen=True):
    """What is to be seen: tensors of one file (by its number), that stand on lines of the tree from a first one to
    one before a last one, and that have the words of a query.
    """

    query: Query = Query()
    shard: int | None = None
    lines: tuple[int, int] | None = None


class Found(msgspec.Struct, frozen=True):
    """What was found last, to be looked through again for those who go on typing."""

    scope: Scope
    order: Order
    numbers: Numbers


class Figures(msgspec.Struct, frozen=True):
    """What some tensors amount to, in all and by dtype."""

    total: Tally
    dtypes: tuple[tuple[str, Tally], ...]


class Catalogue:
    """The tensors of a counted checkpoint that was opened with its names.

    Where ``only`` is given, those numbers are all that is ever found; ``lines`` are set once the tree is known.
    What takes its time for very many tensors is worked out beside the screen: ``ready_for`` tells whether it is.
    """

    def __init__(self, checkpoint: Checkpoint, counted: Count) -> None:
        self.checkpoint = checkpoint
        self.counted = counted
        read = [shard for shard in checkpoint.shards if shard.header is not None]
        self.shards: Sequence[Shard] = sorted(read, key=attrgetter("path"))
        sizes = (sum(kind.count for kind in shard.header.kinds) for shard in self.shards if shard.header is not None)
        self.starts = [0, *accumulate(sizes)]
        self.only: Numbers | None = None
        self.lines: Sequence[int] | None = None
        self._kind_rows = KindRows(counted)
        self._pages: list[Page | None] = [None] * len(self.shards)
        self._orders: dict[Order, Numbers] = {}
        self._last: Found | None = None

    def __len__(self) -> int:
        return self.starts[-1]

    def shard_of(self, number: int) -> int:
        """The number of the file that a tensor stands in."""
        return bisect_right(self.starts, number) - 1

    def file_of(self, number: int) -> Shard:
        """The file that a tensor stands in."""
        return self.shards[self.shard_of(number)]

    def tensor(self, number: int) -> Tensor:
        """A tensor by its number."""
        shard = self.shard_of(number)
        return self._page(shard).tensors[number - self.starts[shard]]

    def row(self, number: int) -> Row:
        """What a tensor is: the row of its kind (see ``KindRows``)."""
        shard = self.shard_of(number)
        return self._page(shard).rows[number - self.starts[shard]]

    @cached_property
    def tensors(self) -> list[Tensor]:
        """All tensors by their numbers."""
        return [tensor for shard in range(len(self.shards)) for tensor in self._page(shard).tensors]

    @cached_property
    def rows(self) -> list[Row]:
        """The rows of all tensors by their numbers."""
        return [row for shard in range(len(self.shards)) for row in self._page(shard).rows]

    @cached_property
    def names(self) -> list[str]:
        """All names by their numbers."""
        return [tensor.name for tensor in self.tensors]

    @cached_property
    def small_names(self) -> list[str]:
        """All names in small letters, to be searched."""
        return lowered(self.names)

    @cached_property
    def row_numbers(self) -> tuple[list[int], list[Row]]:
        """For each tensor the place of its row in a list of all that differ, and that list."""
        places: dict[int, int] = {}
        numbers, distinct = list[int](), list[Row]()
        for row in self.rows:
            place = places.setdefault(id(row), len(distinct))
            if place == len(distinct):
                distinct.append(row)
            numbers.append(place)
        return numbers, distinct

    def read_names(self) -> None:
        """Work out what it takes to search, and to sum up what is found."""
        _ = self.small_names, self.row_numbers

    def sort_names(self) -> None:
        """Work out what it takes to sort by any column."""
        self.ordered(Order("name"))

    def ready_for(self, scope: Scope, order: Order) -> bool:
        """Whether a scope is found in an order without keeping anybody waiting."""
        named = scope == Scope() or "row_numbers" in self.__dict__
        placed = scope.lines is None or self.lines is not None
        return named and placed and (order.column == "file" or Order("name") in self._orders)

    @property
    def all(self) -> Numbers:
        """Every number that can be found, in the order of the files."""
        return range(len(self)) if self.only is None else self.only

    def ordered(self, order: Order) -> Numbers:
        """Every number that can be found, in this order; worked out once."""
        found = self._orders.get(order)
        if found is None:
            found = self._orders[order] = self._ordered(order)
        return found

    def _ordered(self, order: Order) -> Numbers:
        if order.column == "file":
            return self.all[::-1] if order.down else self.all
        if order.column == "name":
            if order.down:
                return self.ordered(Order("name"))[::-1]
            wanted = None if self.only is None else set(self.only)
            return [number for number in by_name(self.names) if wanted is None or number in wanted]
        return by_kind(order, self.rows, self.ordered(Order("name")))

    def found(self, scope: Scope, order: Order) -> Numbers:
        """The numbers in a scope, in an order."""
        if not scope.query.words:
            return self._within(scope, order)
        query, numbers = self._begun(scope, order)
        numbers = query.among(numbers, self.small_names)
        self._last = Found(scope, order, numbers)
        return numbers

    def _begun(self, scope: Scope, order: Order) -> tuple[Query, Numbers]:
        """What is left of a search, and where: of one that goes on from the last, only what is new in it."""
        last = self._last
        if last is not None and (last.scope.shard, last.scope.lines, last.order) == (scope.shard, scope.lines, order):
            beyond = scope.query.beyond(last.scope.query)
            if beyond is not None:
                return beyond, last.numbers
        return scope.query, self._within(scope, order)

    def _within(self, scope: Scope, order: Order) -> Numbers:
        """The numbers in a scope without its query."""
        numbers = self.ordered(order)
        if scope.shard is not None:
            begin, end = self.starts[scope.shard : scope.shard + 2]
            numbers = [number for number in numbers if begin <= number < end]
        if scope.lines is not None:
            assert self.lines is not None, "the tree has to be known first"
            first, last = scope.lines
            lines = self.lines
            numbers = [number for number in numbers if first <= lines[number] < last]
        return numbers

    def figures(self, numbers: Numbers) -> Figures:
        """What these tensors amount to."""
        if self.only is None and len(numbers) == len(self):
            # All of them: known before any of them is looked at.
            return _figures((row, row.kind.count) for row in self.counted.rows)
        places, rows = self.row_numbers
        return _figures((rows[place], times) for place, times in Counter(map(places.__getitem__, numbers)).items())

    def _page(self, shard: int) -> Page:
        page = self._pages[shard]
        if page is None:
            page = self._pages[shard] = self._read(self.shards[shard])
        return page

    def _read(self, shard: Shard) -> Page:
        assert shard.header is not None
        tensors, rows = shard.header.tensors, self._kind_rows.of(shard)
        begins = [tensor.begin for tensor in tensors]
        if all(map(lt, begins, islice(begins, 1, None))):
            return Page(tensors, rows)
        keys = list(map(_PLACE, tensors))
        order = sorted(range(len(keys)), key=keys.__getitem__)
        return Page([tensors[at] for at in order], [rows[at] for at in order])


def _figures(rows: Iterable[tuple[Row, int]]) -> Figures:
    """The figures of so many tensors of each row."""
    dtypes: dict[str, Tally] = {}
    for row, times in rows:
        code = row.kind.dtype.code
        dtypes[code] = dtypes.get(code, Tally()) + replace(row, kind=replace(row.kind, count=times)).tally
    by_size = sorted(dtypes.items(), key=lambda item: (-item[1].nbytes, item[0]))
    return Figures(sum(dtypes.values(), Tally()), tuple(by_size))
