"""What a page has room for beside the tables of ``show``: every tensor, the tree, the files."""

from collections.abc import Iterator, Sequence

from ckptinspect.analysis.count import Count
from ckptinspect.model import Checkpoint
from ckptinspect.report import v1
from ckptinspect.report.document import Block, Cell, Column, Format, Inside, Sum, Table, Tree


def page_blocks(
    data: v1.ShowData, checkpoint: Checkpoint, counted: Count, blocks: Sequence[Block]
) -> tuple[Block, ...]:
    """The blocks of a terminal with those of a page among them, where the checkpoint was read with its names."""
    headers = [shard.header for shard in checkpoint.shards if shard.header is not None]
    if any(header.raw is None for header in headers) or not headers:
        return tuple(blocks)
    sums = [block for block in blocks if isinstance(block, Sum)]
    said = [block for block in blocks if not isinstance(block, Sum)]
    inside, modules = _whole(data, checkpoint, counted)
    return (*said, inside, *sums, modules, *_files(data))


def _whole(data: v1.ShowData, checkpoint: Checkpoint, counted: Count) -> tuple[Inside, Tree]:
    from ckptinspect.analysis.names import rows_by_tensor
    from ckptinspect.analysis.nest import contents
    from ckptinspect.analysis.tree import tree
    from ckptinspect.report.tree import branch_of, name_of

    name = name_of(checkpoint.ref)
    inside = Inside(name, contents(rows_by_tensor(checkpoint, counted)), data.totals.header_bytes)
    return inside, Tree(branch_of(tree(checkpoint, counted), (name,)), "As print(model) would show it")


def _files(data: v1.ShowData) -> Iterator[Block]:
    """The files, those that could not be read with the reason."""
    if len(data.files) < 2:
        return
    columns = [
        Column("file", Format.NAME),
        Column("tensors", Format.COUNT),
        Column("header bytes", Format.COUNT),
        Column("bytes", Format.COUNT),
        Column("size", Format.SHORT_BYTES),
    ]
    rows: list[list[Cell]] = [[f.path, f.tensors, f.header_bytes, f.bytes, f.bytes] for f in data.files]
    sums = [sum(getattr(file, name) for file in data.files) for name in ("tensors", "header_bytes", "bytes", "bytes")]
    foot: list[Cell] = ["total", *sums]
    if data.failed:
        columns.append(Column("not read"))
        rows = [[*row, file.error] for row, file in zip(rows, data.files, strict=True)]
        foot.append(None)
    yield Table(tuple(columns), rows, (foot,), "Files")
