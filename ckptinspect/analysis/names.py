"""From kinds back to single tensors, for those who ask for each by its name."""

from collections.abc import Iterator

from msgspec.structs import replace

from ckptinspect.analysis.count import Count, Row, tensor_keys
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.model import Checkpoint, Tensor


def rows_by_tensor(checkpoint: Checkpoint, counted: Count) -> Iterator[tuple[Tensor, Row]]:
    """Every tensor with a row of its own: its place by its own name, its meaning that of its kind.

    Needs a checkpoint that was opened with its names.
    """
    rows = {(row.shard, row.kind.key, row.meaning is Meaning.REPEATED): row for row in counted.rows}
    for shard in checkpoint.shards:
        if shard.header is None:
            continue
        naming = counted.namings[shard.component]
        repeated = {tensor.name for tensor in shard.repeated}
        tensors = shard.header.tensors
        for tensor, key in zip(tensors, tensor_keys(tensors, shard.header.apart), strict=True):
            row = rows[shard.path, key, tensor.name in repeated]
            kind = replace(row.kind, count=1, example=tensor.name)
            yield tensor, replace(row, kind=kind, place=naming.place(tensor.name, shard.component))


def by_tensor(checkpoint: Checkpoint, counted: Count) -> Count:
    """The same count with one row a tensor, for groupings by what kinds have folded away."""
    return replace(counted, rows=tuple(row for _, row in rows_by_tensor(checkpoint, counted)))
