"""From kinds back to single tensors, for those who ask for each by its name."""

from collections.abc import Container, Iterator, Mapping

from msgspec.structs import replace

from ckptinspect.analysis.count import Count, Row
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.analysis.quantized import tensor_keys
from ckptinspect.model import Checkpoint, Kind, Tensor


def rows_by_tensor(
    checkpoint: Checkpoint, counted: Count, wanted: Container[tuple[str, str]] | None = None
) -> Iterator[tuple[Tensor, Row]]:
    """Every tensor with a row of its own: its place by its own name, its meaning that of its kind and module.

    ``wanted`` are the tensors to give, by shard and name; all where it is None. Needs a checkpoint that was opened
    with its names.
    """
    rows = {(row.component, row.kind.key, row.meaning is Meaning.REPEATED, row.unit): row for row in counted.rows}
    rests = {(row.component, row.kind.dtype.code): row for row in counted.rows if not row.kind.example}
    for shard in checkpoint.shards:
        if shard.header is None:
            continue
        naming, units = counted.namings[shard.component], counted.quantized[shard.component].units
        repeated = {tensor.name for tensor in shard.repeated}
        tensors = shard.header.tensors
        if wanted is not None:
            tensors = tuple(tensor for tensor in tensors if (shard.path, tensor.name) in wanted)
        for tensor, key in zip(tensors, tensor_keys(tensors, shard.header.apart), strict=True):
            again = tensor.name in repeated
            unit = units.number(tensor.name, key) if key in units.apart and not again else None
            row = rows.get((shard.component, key, again, unit)) or _unlike(rests, shard.component, tensor)
            kind = Kind(key[0], tensor.dtype, tensor.shape, tensor.nbytes, 1, tensor.name)
            place = naming.place(tensor.name, shard.component)
            own = (kind, place, shard.component, shard.path)
            yield tensor, Row(*own, row.meaning, row.parameters, row.unit, row.shape, row.scheme)


def _unlike(rests: Mapping[tuple[str, str], Row], component: str, tensor: Tensor) -> Row:
    """The row for one of so many kinds that the header reader counts them by dtype alone (``kinds.py``)."""
    rest = rests.get((component, tensor.dtype.code)) or next(
        row for (part, _), row in rests.items() if part == component
    )
    return replace(rest, parameters=tensor.elements if rest.meaning is Meaning.PARAMETER else 0)


def by_tensor(checkpoint: Checkpoint, counted: Count) -> Count:
    """The same count with one row a tensor, for groupings by what kinds have folded away."""
    return replace(counted, rows=tuple(row for _, row in rows_by_tensor(checkpoint, counted)))
