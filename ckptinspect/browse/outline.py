"""The tree as lines that can be opened and closed, and the line that each tensor stands on."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.lines import Line
from ckptinspect.analysis.owners import DEEPEST, Part, Split, part_of, split_for
from ckptinspect.model import Tensor

ROOT = 0
NOWHERE = -1
# So many lines are opened to begin with.
_FIRST = 16


class Item(msgspec.Struct, frozen=True):
    """A line of the tree by its number: how deep it stands, below which other, and the first number behind all of
    those below it.
    """

    line: Line
    depth: int
    above: int
    end: int

    @property
    def label(self) -> str:
        """The names of the line, and how often it stands in the one above."""
        times = f" {self.line.repeat:,} ×" if self.line.indices else ""
        return ", ".join(name or "''" for name in self.line.names) + times


class Outline:
    """The lines of a tree by numbers, from its root on; some of them are open."""

    def __init__(self, root: Line) -> None:
        self.items: list[Item] = []
        self._add(root, 0, ROOT)
        self.opened = {ROOT}
        room = _FIRST - len(root.children)
        for number in self.below(ROOT):
            takes = len(self.items[number].line.children)
            if takes <= room and self.open(number):
                room -= takes

    def _add(self, line: Line, depth: int, above: int) -> int:
        number = len(self.items)
        self.items.append(Item(line, depth, above, 0))
        end = number + 1
        for child in line.children:
            end = self._add(child, depth + 1, number)
        self.items[number] = Item(line, depth, above, end)
        return end

    def below(self, number: int) -> list[int]:
        """The lines right below one."""
        found, at = [], number + 1
        while at < self.items[number].end:
            found.append(at)
            at = self.items[at].end
        return found

    def trail(self, number: int) -> list[int]:
        """The lines that lead to one, without the root, itself the last."""
        found = []
        while number != ROOT:
            found.append(number)
            number = self.items[number].above
        return found[::-1]

    def visible(self) -> list[int]:
        """The lines that are to be seen, from the top."""
        found, at = [], 0
        while at < len(self.items):
            found.append(at)
            at = at + 1 if at in self.opened else self.items[at].end
        return found

    def open(self, number: int) -> bool:
        """Open a line; whether there was anything to open."""
        if number in self.opened or not self.items[number].line.children:
            return False
        self.opened.add(number)
        return True

    def close(self, number: int) -> bool:
        """Close a line; whether it was open."""
        if number not in self.opened:
            return False
        self.opened.remove(number)
        return True

    def reveal(self, number: int) -> None:
        """Open all that stands above a line."""
        self.opened.update((ROOT, *self.trail(number)[:-1]))

    def lines_of(self, tensors: Sequence[Tensor], rows: Sequence[Row]) -> list[int]:
        """The number of the line that each tensor stands on; NOWHERE for one that is on none."""
        stands = _Stands(self.items)
        return [stands.line(tensor.name, row) for tensor, row in zip(tensors, rows, strict=True)]


class _Stand:
    """A word of the paths that lines have: what stands behind it, and the lines of the parts of the module that it
    ends.
    """

    __slots__ = ("behind", "lines", "named", "others")

    def __init__(self) -> None:
        self.named: dict[str, _Stand] = {}
        self.behind: dict[str, list[_Stand]] = {}
        self.lines: dict[int, int] = {}
        # Of modules that share a line, it has the parts of the first alone; those of the others look the same.
        self.others = NOWHERE

    def word(self, word: str) -> "_Stand":
        """What stands behind a word that stands for itself alone."""
        if word not in self.named:
            self.named[word] = _Stand()
            self.behind.setdefault(word, []).append(self.named[word])
        return self.named[word]

    def run(self, run: "_Run") -> "_Stand":
        """What stands behind each of some numbers."""
        if id(self) not in run.stands:
            stand = run.stands[id(self)] = _Stand()
            for word in run.words:
                self.behind.setdefault(word, []).append(stand)
        return run.stands[id(self)]


class _Run:
    """Numbers that stand for each other in the paths of a line and of those below it, with what is behind them."""

    def __init__(self, line: Line) -> None:
        self.at = line.paths[0].count(".")
        self.words = tuple(map(str, line.indices))
        self.stands: dict[int, _Stand] = {}


class _Stands:
    """From a tensor's module and its part of it to the line that shows it."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._root = _Stand()
        self._walked: dict[str, list[_Stand]] = {}
        self._parts: dict[Part, int] = {}
        self._kinds: dict[int, _OfKind] = {}
        runs: list[tuple[_Run, ...]] = []
        for number, item in enumerate(items):
            above = runs[item.depth - 1] if item.depth else ()
            del runs[item.depth :]
            runs.append((*above, _Run(item.line)) if item.line.indices else above)
            for path in item.line.paths if item.line.parts else ():
                self._add(number, item.line, _owner(path, item.line), {run.at: run for run in runs[-1]})

    def _add(self, number: int, line: Line, path: str, runs: Mapping[int, _Run]) -> None:
        # An empty path is that of the root, or of a module in it whose name is empty.
        for stand in (self._stand(path, runs), *((self._root,) if not path else ())):
            for part in line.parts:
                stand.lines.setdefault(self._part(part), number)
            if len(line.paths) > 1:
                stand.others = number

    def line(self, name: str, row: Row) -> int:
        """The line of a tensor by its name, given the row of its kind."""
        kind = self._kinds.get(id(row))
        if kind is None:
            kind = self._kinds[id(row)] = _OfKind(row)
        path, leaf = kind.split(name)
        part = kind.parts.get(leaf)
        if part is None:
            part = kind.parts[leaf] = self._part(part_of(leaf, row))
        if row.component:
            path = row.component if path is None else f"{row.component}.{path}"
        found = NOWHERE
        for stand in (self._root,) if path is None else self._at(path):
            if part in stand.lines:
                return stand.lines[part]
            found = max(found, stand.others)
        return found

    def _part(self, part: Part) -> int:
        return self._parts.setdefault(part, len(self._parts))

    def _stand(self, path: str, runs: Mapping[int, _Run]) -> _Stand:
        """Where a path of a line ends, made as far as it is not there yet."""
        stand = self._root
        for at, word in enumerate(path.split(".")):
            stand = stand.run(runs[at]) if at in runs else stand.word(word)
        return stand

    def _at(self, path: str) -> list[_Stand]:
        """Where the path of a tensor's module may end."""
        found = self._walked.get(path)
        if found is None:
            above, dot, word = path.rpartition(".")
            # The way to an expert, to a block, is walked once for all modules in it.
            found = self._walked[path] = _behind(self._above(above) if dot else [self._root], word)
        return found

    def _above(self, path: str) -> list[_Stand]:
        return self._at(path) if path.count(".") < DEEPEST else self._walk(path.split("."))

    def _walk(self, words: Sequence[str]) -> list[_Stand]:
        stands = [self._root]
        for word in words:
            stands = _behind(stands, word)
        return stands


class _OfKind:
    """How the names of a row's tensors fall apart, and the numbers of their parts by what follows the path."""

    __slots__ = ("parts", "row", "split")

    def __init__(self, row: Row) -> None:
        # Held, so that no other row can have its identity.
        self.row = row
        self.split: Split = split_for(row)
        self.parts: dict[str, int] = {}


def _owner(path: str, line: Line) -> str:
    """The path of the module that a line's tensors belong to."""
    return path.removesuffix(line.leaf).removesuffix(".") if line.leaf else path


def _behind(stands: Iterable[_Stand], word: str) -> list[_Stand]:
    return [behind for stand in stands for behind in stand.behind.get(word, ())]
