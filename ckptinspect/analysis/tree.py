"""Names and shapes -> the tree that ``print(model)`` shows.

A top-level line is a module as ``show`` names it, by its own path: ``visual``, ``model`` and ``lm_head`` in one
layout, ``model.visual``, ``model.language_model`` and ``lm_head`` in the other. In a pipeline it is a component.
A layer for multi-token prediction stands apart from the layers it is numbered with: ``model.layers.61``.
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from ckptinspect.analysis.count import Count, Row
from ckptinspect.analysis.folding import Structure, folded
from ckptinspect.analysis.lines import Line, Spot, branch, counted_lines, gathered, inside, own_lines, siblings
from ckptinspect.analysis.module_kinds import Around, Module, around
from ckptinspect.analysis.names import kinds_by_tensor
from ckptinspect.analysis.order import in_order, rank
from ckptinspect.analysis.owners import owners_of
from ckptinspect.errors import RefError
from ckptinspect.model import Checkpoint, Tally, Tensor
from ckptinspect.naming.base import MODULES

TensorRow = tuple[Tensor, Row]
_Keyed = tuple[tuple[object, ...], Line]

_ORDER = {module: number for number, module in enumerate(MODULES)}
# These stand inside other modules and do not take them apart.
_INSIDE = frozenset({"adapter", "other"})


def tree(checkpoint: Checkpoint, counted: Count, module: str | None = None) -> Line:
    """The modules of a checkpoint that own tensors, or those of one ``module`` only; the root has no name.

    Needs a checkpoint that was opened with its names. Raises RefError for a module that there is not.
    """
    rows: Iterable[TensorRow] = kinds_by_tensor(checkpoint, counted)
    if module is None:
        return branch("", None, top_lines(rows, tied_lines(counted)))
    return branch("", None, top_lines(by_module(rows, module)[module]))


def by_module(rows: Iterable[TensorRow], module: str | None = None) -> dict[str, list[TensorRow]]:
    """The tensors of each module, or of one. Raises RefError, which lists the modules there are, for any other."""
    found: dict[str, list[TensorRow]] = {}
    for tensor, row in rows:
        found.setdefault(row.place.module, []).append((tensor, row))
    if module is None:
        return found
    if module not in found:
        there = ", ".join(sorted(found, key=module_rank))
        raise RefError(f"no module {module!r} in it", hint=f"choose one of {there}")
    return {module: found[module]}


def module_rank(module: str) -> tuple[int, str]:
    """Where a module comes in a forward pass."""
    return _ORDER.get(module, len(_ORDER)), module


def pruned(line: Line, depth: int) -> Line:
    """The line with ``depth`` levels below it; what is deeper is in the sums of the lines above."""
    return replace(line, children=tuple(pruned(child, depth - 1) for child in line.children) if depth else ())


def top_lines(rows: Iterable[TensorRow], others: Iterable[_Keyed] = ()) -> list[Line]:
    """The top-level lines of these tensors, and some others, in the order of a forward pass."""
    found = list(others)
    main: list[TensorRow] = []
    draft: list[TensorRow] = []
    for item in rows:
        (draft if item[1].place.module == "mtp" else main).append(item)
    for owners in owners_of(draft).values():
        found += _keyed("", {"mtp"}, _draft(Spot(None, folded(owners))))
    for component, owners in owners_of(main).items():
        root = folded(owners)
        if component:
            found += _keyed(component, root.modules, _component(component, Spot(component, root)))
        else:
            found += _split("", Spot(None, root), Around(""))
    return [line for _, line in sorted(found, key=lambda item: item[0])]


def tied_lines(counted: Count) -> Iterator[_Keyed]:
    """Weights that the model has and the files have not, since they are others' too."""
    for tie in counted.ties:
        if tie.stored:
            continue
        name, tied_to = (text.removesuffix(".weight") for text in (tie.name, tie.tied_to))
        module = Module("Tied", (("tied_to", tied_to), ("stored", False)))
        naming = next(iter(counted.namings.values()))
        yield from _keyed(name, {naming.module_of(tie.name)}, [Line((name,), (name,), Tally(), module)])


def _keyed(name: str, modules: Iterable[str], lines: Iterable[Line]) -> list[_Keyed]:
    first = min(map(module_rank, modules))
    return [((*first, rank(name.partition(".")[0]), rank(line.names[0])), line) for line in lines]


def _split(name: str, spot: Spot, beside: Around) -> list[_Keyed]:
    """The lines of a top-level path: those of its own module, and longer paths for those of other modules."""
    structure = spot.structure
    if structure.is_container:
        return _keyed(name, structure.modules, counted_lines(name, spot))
    if spot.path is not None and len(_modules(structure)) < 2:
        return _keyed(name, structure.modules, _whole(name, spot, beside))
    found = _keyed(name, _modules(structure), own_lines(name, spot, beside))
    groups = _by_module(structure)
    home = _home(groups) if spot.path is not None else None
    among = around("", structure.children)
    for module, children in groups.items():
        if module is not None and module == home:
            lines = siblings(spot, in_order(children), branching=True)
            found += _keyed(name, {module}, gathered(name, spot.path, lines))
            continue
        for word, child in children:
            longer = f"{name}.{word}" if spot.path is not None else word
            found += _split(longer, spot.at(word, child), replace(among, name=word))
    return found


def _whole(name: str, spot: Spot, beside: Around) -> list[Line]:
    """The lines of a path that is all of one module: its longest part that all have in common, and what is below."""
    lines = list(own_lines(name, spot, beside))
    while not lines and (only := _only_child(spot.structure)) is not None:
        name, spot = f"{name}.{only[0]}", spot.at(*only)
        lines = list(own_lines(name, spot, Around(only[0])))
    return [*lines, *gathered(name, spot.path, inside(spot, branching=True))]


def _draft(spot: Spot) -> list[Line]:
    """The line of the layers for multi-token prediction, by the longest path that they have in common."""
    words = []
    while not spot.structure.parts and len(spot.structure.children) == 1:
        (word, child), *_ = spot.structure.children
        words.append(word)
        spot = spot.at(word, child)
    name = ".".join(words)
    return [branch(name, spot.path, [*own_lines("", spot, Around(name)), *inside(spot)])]


def _component(name: str, spot: Spot) -> list[Line]:
    """The lines of a pipeline's component, which has one of its own whatever is in it."""
    lines = inside(spot, branching=True)
    return [*own_lines(name, spot, Around(name)), *([branch(name, spot.path, lines)] if lines else [])]


def _only_child(structure: Structure) -> tuple[str, Structure] | None:
    """The one module in a module, where it is no container and neither is the one that it is in."""
    if len(structure.children) != 1 or structure.is_container:
        return None
    child = structure.children[0]
    return None if child[1].is_container else child


def _modules(structure: Structure) -> frozenset[str]:
    return structure.modules - _INSIDE or structure.modules


def _by_module(structure: Structure) -> dict[str | None, list[tuple[str, Structure]]]:
    """The modules inside by what they belong to; under None those that belong to several."""
    found: dict[str | None, list[tuple[str, Structure]]] = {}
    for word, child in structure.children:
        modules = _modules(child)
        found.setdefault(min(modules) if len(modules) == 1 else None, []).append((word, child))
    return found


def _home(groups: dict[str | None, list[tuple[str, Structure]]]) -> str | None:
    """The module that a path is named for, though others stand below it: the largest with several children."""
    sizes = {
        module: sum(child.tally.nbytes for _, child in children)
        for module, children in groups.items()
        if module is not None and len(children) > 1
    }
    return max(sizes, key=lambda module: (sizes[module], module), default=None)
