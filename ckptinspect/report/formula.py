"""``formula``: the closed form that evaluates to the count."""

from collections.abc import Iterator, Sequence

from ckptinspect.analysis.count import count
from ckptinspect.analysis.expected import Disagreement, disagreements
from ckptinspect.analysis.formula import Formula, formulas
from ckptinspect.analysis.notes import notes_on
from ckptinspect.model import Checkpoint, Note
from ckptinspect.report import v1
from ckptinspect.report.common import failed_data, notes_data, ref_data, title_of
from ckptinspect.report.document import Block, Column, Format, Formulas, Report, Table

_NAMED = 8
_SYMBOLS = (Column("name", Format.NAME), Column("value", Format.COUNT))


def formula_report(checkpoint: Checkpoint, module: str | None = None, *, symbols: bool = False) -> Report:
    """The formulas of all modules, or of one, in numbers or with the config's names."""
    counted = count(checkpoint)
    found = formulas(checkpoint, counted, module)
    wrong = disagreements(counted, checkpoint.config) if symbols else ()
    notes = notes_data((*notes_on(checkpoint, counted), *_notes(found, symbols=symbols), *_wrong(wrong)))
    modules = tuple(_data(formula, symbols=symbols) for formula in found)
    data = v1.FormulaData(
        ref=ref_data(checkpoint.ref),
        modules=modules,
        total=_total(modules),
        symbols=dict(sorted({item for formula in found for item in formula.symbols.items()})) if symbols else {},
        failed=failed_data(checkpoint),
        notes=notes,
    )
    return Report(
        "formula",
        data,
        title_of(checkpoint),
        tuple(_blocks(data)),
        tuple(note.message for note in notes),
        lambda: modules,
        v1.ModuleFormulaData.__struct_fields__,
    )


def _data(formula: Formula, *, symbols: bool) -> v1.ModuleFormulaData:
    symbolic = formula.symbolic if symbols else None
    return v1.ModuleFormulaData(formula.module, formula.expression, symbolic, formula.value)


def _total(modules: Sequence[v1.ModuleFormulaData]) -> v1.ModuleFormulaData:
    """The sum of the modules; it has names where any of them has, for the others' numbers are right as well."""
    symbolic = [module.symbolic or module.expression for module in modules if module.value]
    named = any(module.symbolic is not None for module in modules)
    return v1.ModuleFormulaData(
        module="total",
        expression=" + ".join(module.expression for module in modules if module.value) or "0",
        symbolic=(" + ".join(symbolic) or "0") if named else None,
        value=sum(module.value for module in modules),
    )


def _notes(found: Sequence[Formula], *, symbols: bool) -> Iterator[Note]:
    unfolded = sum(formula.unfolded for formula in found)
    if unfolded:
        what = f"{unfolded:,} of the parameters are packed so that no product of dimensions gives them"
        yield Note("not-folded", f"{what}: they stand in the formula as they are")
    if not symbols:
        return
    yield from _nameless(found)
    derived = {item for formula in found for item in formula.derived.items() if item[0] in formula.symbols}
    for name, meaning in sorted(derived):
        yield Note("derived-symbol", f"{name} is no key of the config; it is {meaning}")


def _nameless(found: Sequence[Formula]) -> Iterator[Note]:
    """Which numbers have no name, and why."""
    counted = [formula for formula in found if formula.value]
    without = [formula.module for formula in counted if formula.symbolic is None]
    if without and len(without) == len(counted):
        yield Note("no-config", "there is no config.json whose names the numbers could have")
        return
    if without:
        yield Note("no-config", f"there is no config.json for {', '.join(without)}, whose numbers have no names")
    numbers = sorted({number for formula in counted if formula.symbolic for number in formula.unnamed}, reverse=True)
    if counted and not any(formula.symbols for formula in counted):
        yield Note("no-symbols", "the config has no name for any of the numbers")
    elif numbers:
        some = ", ".join(f"{number:,}" for number in numbers[:_NAMED])
        more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
        yield Note("unnamed", f"the config has no name, or no sure one, for {some}{more}")


def _wrong(disagreements: Sequence[Disagreement]) -> Iterator[Note]:
    """Why a number has no name that one would expect."""
    for disagreement in disagreements:
        yield Note("config-disagrees", disagreement.sentence)


def _blocks(data: v1.FormulaData) -> Iterator[Block]:
    several = [(data.total.module, " + ".join(item.module for item in data.modules if item.value), data.total.value)]
    modules = [(item.module, item.symbolic or item.expression, item.value) for item in data.modules]
    yield Formulas((*modules, *(several if len(modules) > 1 else ())))
    if data.symbols:
        yield Table(_SYMBOLS, [(name, value) for name, value in data.symbols.items()], title="By the config")
