"""From kinds back to single tensors, for those who ask for each by its name."""

from collections import Counter
from collections.abc import Container, Iterator, Sequence

from msgspec.structs import replace

from ckptinspect.analysis.count import Count, Row
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.fold import templates
from ckptinspect.model import Checkpoint, Kind, KindKey, Shard, Tensor


class KindRows:
    """The row of each tensor's kind, for those who look at every tensor and ask for nothing that is its alone.

    All that such a row says holds for the tensor, but for the name of its example and, in its place, the path,
    the layer and the expert.
    """

    def __init__(self, counted: Count) -> None:
        self._namings = counted.namings
        self._units = {component: quantized.units for component, quantized in counted.quantized.items()}
        self._rows = {
            (row.component, row.kind.key, row.meaning is Meaning.REPEATED, row.unit): row for row in counted.rows
        }
        self._rests = {(row.component, row.kind.dtype.code): row for row in counted.rows if not row.kind.example}
        # Most templates are those of one row only: it need not be asked what else the tensors have in common.
        alone = Counter((row.component, row.kind.template) for row in counted.rows)
        self._alone = {
            (row.component, row.kind.template.encode()): row
            for row in counted.rows
            if not self._rests and alone[row.component, row.kind.template] == 1
        }

    def of(self, shard: Shard, tensors: Sequence[Tensor] | None = None) -> list[Row]:
        """A row for each of a shard's tensors, or for some of them, in their order; those of one kind share it."""
        if shard.header is None:
            return []
        component = shard.component
        repeated = {tensor.name for tensor in shard.repeated}
        tensors = shard.header.tensors if tensors is None else tensors
        folded = templates([tensor.name for tensor in tensors], shard.header.apart)
        return [
            self._alone.get((component, template)) or self._row(component, tensor, template, tensor.name in repeated)
            for tensor, template in zip(tensors, folded, strict=True)
        ]

    def _row(self, component: str, tensor: Tensor, template: bytes, again: bool) -> Row:
        key = (template.decode(), tensor.dtype.code, tensor.shape, tensor.nbytes)
        units = self._units[component]
        unit = units.number(tensor.name, key) if key in units.apart and not again else None
        row = self._rows.get((component, key, again, unit))
        if row is None:
            row = self._rows[component, key, again, unit] = self._unlike(component, tensor, key)
        return row

    def _unlike(self, component: str, tensor: Tensor, key: KindKey) -> Row:
        """The row for one of so many kinds that the header reader counts them by dtype alone (``kinds.py``)."""
        rest = self._rests.get((component, tensor.dtype.code)) or next(
            row for (part, _), row in self._rests.items() if part == component
        )
        kind = Kind(key[0], tensor.dtype, tensor.shape, tensor.nbytes, 1, tensor.name)
        place = self._namings[component].place(tensor.name, component)
        parameters = tensor.elements if rest.meaning is Meaning.PARAMETER else 0
        return replace(rest, kind=kind, place=place, parameters=parameters)


def kinds_by_tensor(checkpoint: Checkpoint, counted: Count) -> Iterator[tuple[Tensor, Row]]:
    """Every tensor with the row of its kind (see ``KindRows``), at a third of what rows of their own cost.

    Needs a checkpoint that was opened with its names.
    """
    rows = KindRows(counted)
    for shard in checkpoint.shards:
        if shard.header is not None:
            yield from zip(shard.header.tensors, rows.of(shard), strict=True)


def rows_by_tensor(
    checkpoint: Checkpoint, counted: Count, wanted: Container[tuple[str, str]] | None = None
) -> Iterator[tuple[Tensor, Row]]:
    """Every tensor with a row of its own: its place by its own name, its meaning that of its kind and module.

    ``wanted`` are the tensors to give, by shard and name; all where it is None. Needs a checkpoint that was opened
    with its names.
    """
    rows = KindRows(counted)
    for shard in checkpoint.shards:
        if shard.header is None:
            continue
        naming, tensors = counted.namings[shard.component], shard.header.tensors
        if wanted is not None:
            tensors = tuple(tensor for tensor in tensors if (shard.path, tensor.name) in wanted)
        for tensor, row in zip(tensors, rows.of(shard, tensors), strict=True):
            kind = Kind(row.kind.template, tensor.dtype, tensor.shape, tensor.nbytes, 1, tensor.name)
            place = naming.place(tensor.name, shard.component)
            own = (kind, place, shard.component, shard.path)
            yield tensor, Row(*own, row.meaning, row.parameters, row.unit, row.shape, row.scheme)


def by_tensor(checkpoint: Checkpoint, counted: Count) -> Count:
    """The same count with one row a tensor, for groupings by what kinds have folded away."""
    return replace(counted, rows=tuple(row for _, row in rows_by_tensor(checkpoint, counted)))
