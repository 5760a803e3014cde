"""``show``: modules by dtypes, the sums, and how the count comes about."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import attrgetter

from msgspec.structs import replace

from ckptinspect.analysis.active import Active, active
from ckptinspect.analysis.adapters import adapter_in
from ckptinspect.analysis.count import Count, Row, count
from ckptinspect.analysis.keys import GroupKey, keys_of, natural
from ckptinspect.analysis.names import by_tensor
from ckptinspect.analysis.notes import notes_on
from ckptinspect.analysis.pipeline import model_component
from ckptinspect.analysis.sums import Sum as SumOfParts
from ckptinspect.analysis.sums import used_by_a_token, without_drafts
from ckptinspect.model import Checkpoint, Note, Tally
from ckptinspect.naming.base import MODULES
from ckptinspect.report import v1
from ckptinspect.report.adapter import adapter_data, adapter_notes, component_notes
from ckptinspect.report.common import failed_data, files_data, notes_data, ref_data, sorted_rows, title_of
from ckptinspect.report.document import Block, Cell, Column, Format, Lines, Report, Step, Sum, Table
from ckptinspect.report.quantization import quantization_data, quantization_lines

_FIGURES = tuple(name for name in v1.GroupData.__struct_fields__ if name != "key")
_DEFAULT = keys_of("module,dtype")
_COUNT, _USE = "How the count comes about", "What a token uses"
# Notes of which a sum says the same.
_WRITTEN_OUT = frozenset({"mtp", "active"})
_MODULE_ORDER = {module: number for number, module in enumerate(MODULES)}


def show_report(
    checkpoint: Checkpoint, keys: Sequence[GroupKey] = (), sort: str | None = None, limit: int | None = None
) -> Report:
    """What is in a checkpoint, grouped by ``keys``; by module and dtype where none are given."""
    counted = count(checkpoint, by_shard=any(key.name == "shard" for key in keys))
    grouped = by_tensor(checkpoint, counted) if any(key.needs_names for key in keys) else counted
    by = tuple(keys) or _DEFAULT
    groups = sorted_rows(_groups(grouped, by), sort, _sortable(by))
    data = _data(checkpoint, counted, by, groups, limit)
    blocks: list[Block] = [_table(data)]
    if data.quantization is not None:
        blocks.append(Lines(quantization_lines(data.quantization)))
    blocks += _sums(data)
    notes = tuple(note.message for note in data.notes if note.code not in _WRITTEN_OUT)
    columns = (*data.by, *_FIGURES)
    return Report(
        "show",
        data,
        title_of(checkpoint, data.layout),
        tuple(blocks),
        notes,
        lambda: _flat(data),
        columns,
        page=lambda: _page(data, checkpoint, counted, blocks),
    )


def _page(data: v1.ShowData, checkpoint: Checkpoint, counted: Count, blocks: Sequence[Block]) -> tuple[Block, ...]:
    from ckptinspect.report.overview import page_blocks

    return page_blocks(data, checkpoint, counted, blocks)


def _groups(counted: Count, by: Sequence[GroupKey]) -> list[v1.GroupData]:
    tallies = counted.by(*(key.of for key in by))
    ordered = sorted(
        tallies.items(), key=lambda item: tuple(_rank(key, text) for key, text in zip(by, item[0], strict=True))
    )
    return [v1.GroupData(key, t.tensors, t.stored, t.parameters, t.unexplained, t.nbytes) for key, t in ordered]


def _rank(key: GroupKey, text: str) -> tuple[int, object]:
    if key.name == "module":
        return _MODULE_ORDER.get(text, len(_MODULE_ORDER)), text
    return 0, natural(text)


def _sortable(by: Sequence[GroupKey]) -> dict[str, Callable[[v1.GroupData], object]]:
    figures = {"share": "parameters", "size": "bytes"}
    titles = ("tensors", "parameters", "share", "bytes", "size", "stored_elements")
    columns: dict[str, Callable[[v1.GroupData], object]] = {
        title: attrgetter(figures.get(title, title)) for title in titles
    }
    return {key.name: partial(_key_at, number) for number, key in enumerate(by)} | columns


def _key_at(number: int, group: v1.GroupData) -> object:
    return natural(group.key[number])


def _data(
    checkpoint: Checkpoint, counted: Count, by: Sequence[GroupKey], groups: Sequence[v1.GroupData], limit: int | None
) -> v1.ShowData:
    shown = tuple(groups[:limit])
    adapter, component = adapter_in(checkpoint, counted), model_component(checkpoint, counted)
    told = (*adapter_notes(adapter), *component_notes(component, counted))
    used = active(counted, checkpoint.config)
    return v1.ShowData(
        ref=ref_data(checkpoint.ref),
        via=checkpoint.via,
        layout="snapshot" if checkpoint.via == "snapshot" else _layout(checkpoint, counted),
        files=files_data(checkpoint),
        totals=_totals(checkpoint, counted.total),
        dtypes=_dtypes(counted.rows),
        modules=_modules(counted),
        by=tuple(key.name for key in by),
        groups=shown,
        left_out=len(groups) - len(shown),
        decomposition=tuple(v1.PartData(what, elements) for what, elements in counted.decomposition),
        sums=tuple(_sum_data(found) for found in (*without_drafts(counted), *used_by_a_token(used))),
        active_parameters=used.per_token if used.routed else None,
        adapter=adapter_data(adapter),
        model_component=component,
        quantization=quantization_data(counted),
        tied=tuple(_ties(counted)),
        alternatives=checkpoint.alternatives,
        failed=failed_data(checkpoint),
        notes=notes_data((*notes_on(checkpoint, counted), *_used(used), *told)),
        requests=checkpoint.requests,
        bytes_read=checkpoint.bytes_read,
    )


def _used(used: Active) -> Iterator[Note]:
    """What a token uses of a mixture of experts, where that is known."""
    if used.disagreement:
        yield Note("config-disagrees", used.disagreement)
    if used.routed and used.per_token is not None:
        sent = f"{used.chosen} of {used.experts} experts"
        without = f"; {used.per_token - used.lookup:,} without the embedding" if used.lookup else ""
        yield Note("active", f"a token is sent to {sent} and uses {used.per_token:,} of the parameters{without}")
    elif used.routed and used.reason:
        yield Note("active-unknown", f"what a token uses is not known: {used.reason}")


def _layout(checkpoint: Checkpoint, counted: Count) -> str:
    """The layout of the files; a file of any name that holds nothing but an adapter is one."""
    only_adapter = all(row.place.module == "adapter" for row in counted.rows)
    return "adapter" if only_adapter and counted.rows else checkpoint.layout


def _totals(checkpoint: Checkpoint, total: Tally) -> v1.TotalsData:
    read = [shard for shard in checkpoint.shards if shard.header is not None]
    header_bytes = sum(shard.header.nbytes for shard in read if shard.header is not None)
    return v1.TotalsData(
        files=len(read),
        tensors=total.tensors,
        file_bytes=sum(shard.size for shard in read),
        header_bytes=header_bytes,
        tensor_bytes=total.nbytes,
        stored_elements=total.stored,
        parameters=total.parameters,
        unexplained_elements=total.unexplained,
    )


def _dtypes(rows: Sequence[Row]) -> tuple[v1.DtypeData, ...]:
    tallies: dict[str, Tally] = {}
    for row in rows:
        code = row.kind.dtype.code
        tallies[code] = tallies.get(code, Tally()) + row.tally
    return tuple(v1.DtypeData(code, t.tensors, t.stored, t.parameters, t.nbytes) for code, t in sorted(tallies.items()))


def _modules(counted: Count) -> tuple[v1.ModuleData, ...]:
    found = []
    module = _DEFAULT[0]
    for (name,), t in sorted(counted.by(module.of).items(), key=lambda item: _rank(module, item[0][0])):
        dtypes = _dtypes([row for row in counted.rows if row.place.module == name])
        found.append(v1.ModuleData(name, t.tensors, t.stored, t.parameters, t.nbytes, dtypes))
    return tuple(found)


def _ties(counted: Count) -> Iterator[v1.TieData]:
    for tie in counted.ties:
        place = next(iter(counted.namings.values())).place(tie.name)
        yield v1.TieData(tie.name, tie.tied_to, tie.stored, tie.elements, tie.evidence, place.module, str(place.role))


def _absent(data: v1.ShowData) -> Iterator[Sequence[Cell]]:
    """A row for each group that has nothing but weights tied to others and not stored: bloom's head."""
    found: dict[tuple[str, ...], int] = {}
    if "shard" in data.by or any(":" in name or name in {"layer", "base"} for name in data.by):
        return
    for tie in data.tied:
        key = tuple({"module": tie.module, "role": tie.role}.get(name, "") for name in data.by)
        if not tie.stored and not any(_covers(group.key, key) for group in data.groups):
            found[key] = found.get(key, 0) + tie.elements
    if not data.left_out:
        yield from ((*key, 0, f"({elements:,})", None, 0, None) for key, elements in found.items() if any(key))


def _covers(group: tuple[str, ...], key: tuple[str, ...]) -> bool:
    return all(not mine or mine == theirs for mine, theirs in zip(key, group, strict=True))


def _table(data: v1.ShowData) -> Table:
    """The groups, the headers as a row of their own, and the sums over the whole files."""
    totals = data.totals
    keys = len(data.by)
    columns = (
        *(Column(name, Format.NAME) for name in data.by),
        Column("tensors", Format.COUNT, spare=2),
        Column("parameters", Format.COUNT),
        Column("share", Format.SHARE, spare=4),
        Column("bytes", Format.COUNT, spare=3),
        Column("size", Format.SHORT_BYTES, spare=1),
    )
    whole = totals.parameters or 1
    rows: list[Sequence[Cell]] = [
        (*_cut(group.key), group.tensors, group.parameters, group.parameters / whole, group.bytes, group.bytes)
        for group in data.groups
    ]
    rows += _absent(data)
    if data.left_out:
        shown = [sum(getattr(group, name) for group in data.groups) for name in ("tensors", "parameters", "bytes")]
        rest = (totals.tensors - shown[0], totals.parameters - shown[1], totals.tensor_bytes - shown[2])
        rows.append((f"[{data.left_out:,} more]", *[None] * (keys - 1), *rest[:2], rest[1] / whole, rest[2], rest[2]))
    rows.append(("[header]", *[None] * keys, None, None, totals.header_bytes, totals.header_bytes))
    total = "total" if not totals.unexplained_elements else "at least"
    foot = (total, *[None] * (keys - 1), totals.tensors, totals.parameters, 1.0, totals.file_bytes, totals.file_bytes)
    return Table(columns, rows, (foot,))


def _flat(data: v1.ShowData) -> list[dict[str, object]]:
    """The groups with a column for each of their keys."""
    return [
        dict(zip(data.by, group.key, strict=True)) | {name: getattr(group, name) for name in _FIGURES}
        for group in data.groups
    ]


def _cut(key: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part or "''" for part in key)


def _sum_data(found: SumOfParts) -> v1.SumData:
    parts = tuple(v1.PartData(part.what, part.elements) for part in found.parts)
    return v1.SumData(found.code, found.what, found.elements, found.formula, parts)


def _sums(data: v1.ShowData) -> Iterator[Sum]:
    """The decomposition, where it has more than the stored elements, and the sums that follow it.

    A sum that begins with the one before it goes on below that.
    """
    whole = data.totals.parameters, "parameters"
    decomposition = Sum(_terms(data.decomposition), whole, _COUNT)
    blocks = [decomposition] if len(data.decomposition) > 1 else []
    for found in data.sums:
        total = found.elements, found.what
        if blocks and found.parts[0].what == blocks[-1].stages[-1].total[1]:
            step = Step(_terms(found.parts[1:]), total)
            blocks[-1] = replace(blocks[-1], steps=(*blocks[-1].steps, step))
        else:
            blocks.append(Sum(_terms(found.parts), total, _USE if found.code == "active" else _COUNT))
    yield from blocks


def _terms(parts: Sequence[v1.PartData]) -> tuple[tuple[int, str], ...]:
    return tuple((part.elements, part.what) for part in parts)
