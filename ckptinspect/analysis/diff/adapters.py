"""The rules for adapters: laid beside a model, added to one, merged or dropped."""

import re
from collections.abc import Iterable, Iterator, Sequence

from ckptinspect.analysis.adapter_fit import misfits_in, modules_of
from ckptinspect.analysis.count import Count, Row
from ckptinspect.analysis.diff.base import Change, Kind, What
from ckptinspect.analysis.diff.clauses import Changes, Clause
from ckptinspect.analysis.diff.facts import Facts
from ckptinspect.model import Checkpoint
from ckptinspect.naming.adapters import adapter_name
from ckptinspect.naming.roles import Role
from ckptinspect.quant.leaves import split_leaf
from ckptinspect.text import number_of

# What sd-scripts (kohya) put before the names of their modules.
_FLAT = re.compile(r"^lora_(unet|te[0-9]?|transformer)_")
# The parts of a LoRA that lead from the inputs: [rank, in].
_DOWN = frozenset({"A", "down"})


def adapters(facts: Facts, rest: Changes) -> Iterator[Clause]:
    """An adapter on one side that is not on the other."""
    olds, news = _is_one(facts.old, facts.before), _is_one(facts.new, facts.after)
    if {olds, news} == {True, False}:
        before = [row for change in rest for row in change.before]
        after = [row for change in rest for row in change.after]
        misfits = _misfits(*((facts.new, facts.old) if news else (facts.old, facts.new)))
        sides = ("NEW", after, "OLD", before) if news else ("OLD", before, "NEW", after)
        yield Clause("adapter", _laid_on(*sides, misfits), tuple(rest))
        return
    if olds and news:
        yield from _other_rank(rest)
        return
    # Whether the product was added to the weights stands in their values alone.
    for kind, verb in ((Kind.REMOVED, "merged or dropped"), (Kind.ADDED, "added")):
        changes = tuple(change for change in rest if change.kind is kind and _is_adapter(_row(change)))
        if changes:
            yield Clause(f"adapter-{kind}", f"adapter {verb} ({_form(map(_row, changes))})", changes)


def _is_one(checkpoint: Checkpoint, counted: Count) -> bool | None:
    """Whether a checkpoint is an adapter; None where it is a model with one, or empty."""
    if checkpoint.layout == "adapter":
        return True
    found = {_is_adapter(row) for row in counted.rows if row.parameters}
    return found.pop() if len(found) == 1 else None


def _is_adapter(row: Row) -> bool:
    return row.place.role is Role.ADAPTER or row.place.module == "adapter"


def _other_rank(rest: Changes) -> Iterator[Clause]:
    """An adapter for the same modules, of another rank."""
    changes = tuple(change for change in rest if change.before and change.after and What.SHAPE in change.what)
    before = _ranks(row for change in changes for row in change.before)
    after = _ranks(row for change in changes for row in change.after)
    if len(before) == len(after) == 1 and before != after:
        modules = number_of(len({_row(change).place.path for change in changes}), "module")
        yield Clause("adapter-rank", f"adapter of another rank ({before[0]} → {after[0]} on {modules})", changes)


def _laid_on(which: str, adapter: Sequence[Row], other: str, model: Sequence[Row], misfits: int) -> str:
    """What is to be said of an adapter beside a model: how many of its modules the model has, and as they should be."""
    paths = {(row.component, split_leaf(row.kind.example)[0]) for row in model}
    # An adapter of a pipeline names its components, or does not.
    theirs = {_spelled(part, path) for component, path in paths for part in (component, "")}
    ours = {_spelled(row.component, row.place.path) for row in adapter}
    fitting, form = len(ours & theirs), _form(adapter)
    if fitting < len(ours):
        form += f", of which {other} has {fitting or 'none'}"
    if misfits:
        return f"{which} is an adapter for another model than {other} ({form}, {misfits:,} of other shapes)"
    return f"{which} is an adapter{f' for {other}' if fitting == len(ours) else ''} ({form})"


def _misfits(adapter: Checkpoint, model: Checkpoint) -> int:
    """How many of an adapter's modules the model has in another shape."""
    headers = [shard.header for shard in adapter.shards if shard.header is not None and shard.header.raw is not None]
    tensors = (tensor for header in headers for tensor in header.tensors)
    return sum(not misfit.missing for misfit in misfits_in(tensors, modules_of(model)))


def _spelled(component: str, path: str) -> str:
    """A module's path as all writers of adapters have it: without wrappers, and without the dots that some drop."""
    flat = f"{component}.{path}" if component else path
    return _FLAT.sub("", flat.removeprefix("base_model.model.").replace(".", "_"))


def _row(change: Change) -> Row:
    return (change.before or change.after)[0]


def _form(rows: Iterable[Row]) -> str:
    """What kind of adapter it is, and on how many modules."""
    tensors = list(rows)
    modules = {(row.component, row.place.path) for row in tensors}
    ranks = _ranks(tensors)
    if not ranks:
        return f"on {number_of(len(modules), 'module')}"
    rank = f"rank {ranks[0]}" if len(ranks) == 1 else f"ranks {ranks[0]} to {ranks[-1]}"
    return f"LoRA of {rank} on {number_of(len(modules), 'module')}"


def _ranks(rows: Iterable[Row]) -> list[int]:
    """The ranks of the matrices that lead down to them."""
    return sorted({row.kind.shape[0] for row in rows if row.kind.rank > 1 and _leads_down(row.kind.example)})


def _leads_down(name: str) -> bool:
    said = adapter_name(name)
    return said is not None and said.method == "lora" and said.part in _DOWN
