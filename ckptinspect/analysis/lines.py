"""Structures -> the lines of a tree.

In a layer, and below the children of a top-level module, owners are named by dotted paths. Items of a container
that are alike share a line, and so do equal siblings: ``self_attn.k_proj, v_proj``.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from ckptinspect.analysis.folding import Run, Structure, indices_text, runs_of
from ckptinspect.analysis.module_kinds import Around, Module, around, owned_by
from ckptinspect.analysis.order import in_order
from ckptinspect.analysis.owners import Part
from ckptinspect.model import Tally
from ckptinspect.naming.name import folded

_LONGEST_JOINT = 64
_FEW = 3


class Line(msgspec.Struct, frozen=True):
    """A line of the tree.

    ``names`` begin with a path below the line above; any further ones are last words of equal modules that
    share the line. ``paths`` are theirs as stored, in the first of each repeated layer. Where the line stands
    for items of a container, ``indices`` are theirs, out of ``items``. ``parts`` are the tensors of one module;
    ``tally`` is that of all, in all repeats of the lines above. Where a tensor makes no module, ``leaf`` is what its
    path has behind that of its owner.
    """

    names: tuple[str, ...]
    paths: tuple[str, ...]
    tally: Tally
    module: Module | None = None
    parts: tuple[Part, ...] = ()
    indices: tuple[int, ...] = ()
    items: int = 0
    children: "tuple[Line, ...]" = ()
    leaf: str = ""

    @property
    def name(self) -> str:
        """All names of the line."""
        return ", ".join(self.names)

    @property
    def repeat(self) -> int:
        """How many of it there are in one of the line above."""
        return len(self.indices) or 1

    def below(self, word: str) -> "Line":
        """The line with one more word before its name."""
        first, *others = self.names
        gap = " " if self.indices and first.startswith("(") else "."
        return replace(self, names=(f"{word}{gap}{first}", *others))


class Spot(msgspec.Struct, frozen=True):
    """A structure where it stands: its path as stored (None for a root), in ``times`` equal places."""

    path: str | None
    structure: Structure
    times: int = 1

    def at(self, word: str, structure: Structure, times: int = 1) -> "Spot":
        """A module inside."""
        return Spot(word if self.path is None else f"{self.path}.{word}", structure, self.times * times)


def scaled(tally: Tally, times: int) -> Tally:
    """What ``times`` as much amounts to."""
    return Tally(*(times * figure for figure in msgspec.structs.astuple(tally)))


def branch(name: str, path: str | None, children: Iterable[Line]) -> Line:
    """A line that sums up those below it."""
    lines = tuple(children)
    return Line((name,), (path or "",), sum((line.tally for line in lines), Tally()), children=lines)


def gathered(name: str, path: str | None, lines: Sequence[Line]) -> list[Line]:
    """Several lines as a branch; a single one by a longer name."""
    return [branch(name, path, lines)] if len(lines) > 1 else [line.below(name) for line in lines]


def own_lines(name: str, spot: Spot, beside: Around) -> Iterator[Line]:
    """A module's own tensors: one line of its name if they make a module of a known class, else one for each."""
    for owned in owned_by(spot.structure.parts, beside):
        tally = scaled(sum((part.tally for part in owned.parts), Tally()), spot.times)
        words = [word for word in (name, owned.leaf) if word]
        path = ".".join(word for word in (spot.path or "", owned.leaf) if word)
        yield Line((".".join(words),), (path,), tally, owned.module, owned.parts, leaf=owned.leaf)


def inside(spot: Spot, *, branching: bool = False) -> list[Line]:
    """The lines of what is inside a module, without its own; with ``branching``, its children as branches."""
    items = list(counted_lines("", spot)) if spot.structure.items else []
    counted = {word for word, _ in spot.structure.items}
    others = [child for child in spot.structure.children if child[0] not in counted]
    return items + siblings(spot, in_order(others), branching=branching)


def siblings(spot: Spot, children: Sequence[tuple[str, Structure]], *, branching: bool) -> list[Line]:
    """The lines of some of the modules inside a module, in the order given."""
    found = _Siblings()
    beside = around("", children)
    for word, structure in children:
        child = spot.at(word, structure)
        found.add(word, own_lines(word, child, replace(beside, name=word)))
        if structure.is_container:
            found.lines.extend(counted_lines(word, child))
        elif branching:
            found.lines.extend(gathered(word, child.path, inside(child)))
        else:
            found.lines.extend(line.below(word) for line in inside(child))
    return found.lines


class _Siblings:
    """The lines of a module, in which equal modules share one."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._shared: dict[tuple[object, ...], int] = {}

    def add(self, word: str, lines: Iterable[Line]) -> None:
        """Add the own lines of the child of this name."""
        for line in lines:
            if line.name != word or not word:
                self.lines.append(line)
                continue
            key = (line.module, line.tally, _norm(line))
            at = self._shared.get(key)
            if at is not None and len(self.lines[at].name) + len(word) < _LONGEST_JOINT:
                self.lines[at] = _joint(self.lines[at], line)
            else:
                self._shared[key] = len(self.lines)
                self.lines.append(line)


def _norm(line: Line) -> str | None:
    """What keeps LayerNorms apart: their names but for digits, since those of a block say where each is applied."""
    return folded(line.name) if line.module is not None and line.module.kind == "LayerNorm" else None


def _named(line: Line) -> Line:
    """An item's own tensors, where other lines stand beside them."""
    return line if line.name else replace(line, names=tuple(part.leaf for part in line.parts))


def _joint(line: Line, other: Line) -> Line:
    return replace(line, names=line.names + other.names, paths=line.paths + other.paths, tally=line.tally + other.tally)


def counted_lines(word: str, spot: Spot) -> Iterator[Line]:
    """The lines of what a container counts: items that are alike share one."""
    runs = runs_of(spot.structure)
    beside = around((spot.path or "").rpartition(".")[2], spot.structure.items)
    singles = {run.indices[0]: _single(word, run, spot, beside) for run in runs if len(run.indices) == 1}
    large = any(len(own) + len(inner) > _FEW for own, inner in singles.values())
    for run in runs:
        if len(run.indices) > 1:
            yield _repeated(word, run, spot, beside)
            continue
        own, inner = singles[run.indices[0]]
        yield from own
        name, path = _item(word, run), spot.at(str(run.indices[0]), run.structure).path
        yield from gathered(name, path, inner) if large else (line.below(name) for line in inner)


def _item(word: str, run: Run) -> str:
    return f"{word}.{run.indices[0]}" if word else str(run.indices[0])


def _single(word: str, run: Run, spot: Spot, beside: Around) -> tuple[list[Line], list[Line]]:
    item = spot.at(str(run.indices[0]), run.structure)
    return list(own_lines(_item(word, run), item, beside)), inside(item)


def _repeated(word: str, run: Run, spot: Spot, beside: Around) -> Line:
    """One line for several items that are alike, with what is in each of them below it."""
    item = spot.at(str(run.indices[0]), run.structure, len(run.indices))
    own, inner = list(own_lines("", item, beside)), inside(item)
    name = f"{word} ({indices_text(run.indices)})" if word else f"({indices_text(run.indices)})"
    if len(own) == 1 and not own[0].name and not inner:
        line = replace(own[0], names=(name,))
    else:
        line = branch(name, item.path, [*(_named(line) for line in own), *inner])
    return replace(line, indices=run.indices, items=len(spot.structure.items))
