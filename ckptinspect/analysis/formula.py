"""The closed form of a count, module by module: sums of products that evaluate to the parameters, exactly.

Only parameters are in it; buffers, scales, tied copies and packed weights of unknown width are left out.
"""

from collections.abc import Iterator

import msgspec

from ckptinspect.analysis.count import Count
from ckptinspect.analysis.lines import Line
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.analysis.module_kinds import Module, weight_and_bias
from ckptinspect.analysis.names import kinds_by_tensor
from ckptinspect.analysis.owners import Part
from ckptinspect.analysis.symbols import Names
from ckptinspect.analysis.terms import Dim, Product, Repeat, Term, sum_text, unnamed
from ckptinspect.analysis.tree import TensorRow, by_module, module_rank, top_lines
from ckptinspect.analysis.vocabulary import Vocabulary
from ckptinspect.model import Checkpoint, elements_in

# Modules in which a bias adds one to what is multiplied with the outputs, and where in the shape those stand.
_OUTPUTS = {"Linear": 0, "Conv1D": 1, "Conv1d": 0, "Conv2d": 0, "Conv3d": 0}
_OUTPUTS |= {"ConvTranspose1d": 1, "ConvTranspose2d": 1, "ConvTranspose3d": 1}
_TWICE = frozenset({"LayerNorm", "GroupNorm", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d"})


class Formula(msgspec.Struct, frozen=True):
    """What one module comes to: ``expression`` in numbers, ``symbolic`` with the config's keys, of which
    ``symbols`` gives the values. ``derived`` are names that are no keys, with what they are; ``unnamed`` are the
    numbers that the config has no name for; ``unfolded`` are parameters that stand in it as plain numbers.
    """

    module: str
    expression: str
    symbolic: str | None
    value: int
    symbols: dict[str, int]
    derived: dict[str, str]
    unnamed: frozenset[int] = frozenset()
    unfolded: int = 0


def formulas(checkpoint: Checkpoint, counted: Count, module: str | None = None) -> list[Formula]:
    """The formulas of all modules, or of one, in the order of a forward pass.

    Needs a checkpoint that was opened with its names. Raises RefError for a module that there is not.
    """
    modules = by_module(kinds_by_tensor(checkpoint, counted), module)
    return [_formula(checkpoint, name, modules[name]) for name in sorted(modules, key=module_rank)]


def _formula(checkpoint: Checkpoint, module: str, rows: list[TensorRow]) -> Formula:
    component = rows[0][1].component
    config = checkpoint.configs.get(component)
    # A name must stand in arithmetic: a component that is called 2_Dense cannot be in front of one.
    spelled = component.isidentifier() or not component
    vocabulary = Vocabulary(config, module, component) if config and spelled else None
    names = Names(vocabulary)
    counted = [(tensor, row) for tensor, row in rows if row.meaning is Meaning.PARAMETER]
    terms = [term for line in top_lines(counted) for term in _terms(line, names)]
    return Formula(
        module,
        sum_text(terms),
        sum_text(terms, symbolic=True) if vocabulary is not None else None,
        sum(row.parameters for _, row in counted),
        dict(sorted(names.used.items())),
        dict(sorted(vocabulary.derived.items())) if vocabulary is not None else {},
        frozenset(unnamed(terms)),
        sum(row.parameters for _, row in counted if row.shape is None and row.parameters % (row.kind.elements or 1)),
    )


def _terms(line: Line, names: Names) -> Iterator[Term]:
    """A line of the tree as terms of a sum; a repeated one as a single term."""
    below = (term for child in line.children for term in _terms(child, names))
    terms: tuple[Term, ...] = (*_own_terms(line, names), *below)
    if line.repeat > 1:
        yield Repeat(names.count(line.paths[0], line.indices, line.items), terms)
    else:
        yield from terms


def _own_terms(line: Line, names: Names) -> Iterator[Product]:
    """The terms of each of the modules that share a line; none for a branch."""
    if line.module is not None:
        for path in line.paths:
            yield from _products(path, line.module, line.parts, names)


def _products(path: str, module: Module, parts: tuple[Part, ...], names: Names) -> Iterator[Product]:
    weight, bias = weight_and_bias(parts)
    if weight is None or module.kind in {"Packed", "Parameter"}:
        for part in parts:
            yield Product(_dims(path, part, names))
        return
    dims = names.dims(path, module.kind, weight.shape, weight.role)
    if module.kind in _TWICE:
        yield Product((*dims, Dim(2)))
    elif (at := _OUTPUTS.get(module.kind)) is not None and bias is not None:
        yield Product((dims[at],), (*dims[:at], *dims[at + 1 :]))
    else:
        yield Product(dims[::-1] if module.kind == "Linear" else dims)
    for part in parts:
        if part is not weight and part is not bias:
            yield Product(_dims(path, part, names))


def _dims(path: str, part: Part, names: Names) -> tuple[Dim, ...]:
    """The factors of a tensor on its own; a packed one times the parameters in an element."""
    if part.parameters == elements_in(part.shape):
        return names.dims(path, "Parameter", part.shape, part.role)
    times, rest = divmod(part.parameters, part.elements or 1)
    return (Dim(part.parameters),) if rest else (*map(Dim, part.shape), Dim(times))
