"""Headers -> how many parameters, and why: every stored element gets one meaning, and the parts add up."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import msgspec
from msgspec.structs import replace

from ckptinspect.analysis.buffers import adapter_aside, set_aside
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.analysis.quantized import Quantized, Verdict, tensor_keys
from ckptinspect.analysis.ties import Tie, ties_in
from ckptinspect.dtypes import INTEGERS, Family
from ckptinspect.model import Checkpoint, Config, Kind, KindKey, Place, Shape, Shard, Tally, merged
from ckptinspect.naming.base import Naming
from ckptinspect.notebook import Columns, Tabular
from ckptinspect.quant.base import Explained
from ckptinspect.quant.budget import Budget

Key = Callable[["Row"], str]

# Bits of the integers that PyTorch indexes with, and that nobody packs weights into.
_WHOLE = 64


class Row(msgspec.Struct, frozen=True):
    """Tensors of one kind: where they stand, what they are, and how many parameters one is.

    ``shard`` is the file that they stand in, empty where a row is of all files together. ``unit`` tells rows of
    one kind apart, where its tensors belong to modules that differ otherwise. ``shape`` is that of a packed
    weight's parameters, None where it is the stored one or not known; ``scheme`` what it is quantized by.
    """

    kind: Kind
    place: Place
    component: str
    shard: str
    meaning: Meaning
    parameters: int
    unit: int | None = None
    shape: Shape | None = None
    scheme: str = ""

    @property
    def tally(self) -> Tally:
        """What the row amounts to."""
        stored = self.kind.elements * self.kind.count
        return Tally(
            self.kind.count,
            self.kind.nbytes * self.kind.count,
            stored,
            self.parameters * self.kind.count,
            stored if self.meaning is Meaning.UNEXPLAINED else 0,
        )


class Count(Tabular, frozen=True, dict=True):
    """A counted checkpoint."""

    rows: tuple[Row, ...]
    ties: tuple[Tie, ...]
    quantized: Mapping[str, Quantized]
    namings: Mapping[str, Naming]

    def __repr__(self) -> str:
        return f"Count({len(self.rows)} rows, {self.total})"

    @property
    def explained(self) -> tuple[Explained, ...]:
        """What the quantization schemes say of the modules that they know."""
        return tuple(found for quantized in self.quantized.values() for found in quantized.found)

    @cached_property
    def total(self) -> Tally:
        """All rows together."""
        return sum((row.tally for row in self.rows), Tally())

    @cached_property
    def tied_head(self) -> Tie | None:
        """The matrix of the head, where it is one with the embedding."""
        namings = self.namings.values()
        matrices = (tie for tie in self.ties if not tie.name.endswith("bias"))
        return next((tie for tie in matrices if any(each.module_of(tie.name) == "lm_head" for each in namings)), None)

    def by(self, *keys: Key) -> dict[tuple[str, ...], Tally]:
        """Tallies under the path that ``keys`` give each row; they sum to ``total``."""
        tallies: dict[tuple[str, ...], Tally] = {}
        for row in self.rows:
            path = tuple(key(row) for key in keys)
            tallies[path] = tallies.get(path, Tally()) + row.tally
        return tallies

    def columns(self, by: str = "") -> Columns:
        """A row for each kind of tensors, or the tallies by keys as ``--by`` takes them."""
        from ckptinspect.analysis.columns import kind_columns, tally_columns

        return tally_columns(self, by) if by else kind_columns(self)

    @cached_property
    def decomposition(self) -> tuple[tuple[str, int], ...]:
        """From the stored elements to the parameters, as signed parts that sum to the parameters."""
        parts = [("stored elements", self.total.stored)]
        for meaning in Meaning:
            rows = [row for row in self.rows if row.meaning is meaning]
            difference = sum(row.tally.parameters - row.tally.stored for row in rows)
            if difference:
                parts.append((meaning.value, difference))
        return tuple(parts)


def count(checkpoint: Checkpoint, *, by_shard: bool = False) -> Count:
    """What a checkpoint holds, kind by kind, and shard by shard where that is asked for.

    Exact; elements of which it cannot be told what they stand for are unexplained.
    """
    rows: list[Row] = []
    ties: list[Tie] = []
    quantized: dict[str, Quantized] = {}
    namings: dict[str, Naming] = {}
    budget = Budget()
    for component in sorted({shard.component for shard in checkpoint.shards}):
        shards = [shard for shard in checkpoint.shards if shard.component == component and shard.header is not None]
        config = checkpoint.configs.get(component, Config())
        judge = _Judge(component, shards, config, budget)
        rows += judge.rows(shards, by_shard=by_shard)
        ties += judge.ties
        quantized[component] = judge.quantized
        namings[component] = judge.naming
    return Count(tuple(rows), tuple(ties), quantized, namings)


class _Judge:
    """Decides, for one component, what each kind of tensor is."""

    def __init__(self, component: str, shards: Sequence[Shard], config: Config, budget: Budget) -> None:
        self.component, self.config = component, config
        headers = [shard.header for shard in shards if shard.header is not None]
        self.kinds = _without(_repeated(shards), merged(kind for header in headers for kind in header.kinds))
        marks = tuple(sorted({mark for header in headers for mark in header.apart}))
        self.naming = Naming.of(self.kinds, config, marks)
        self.places = {kind.key: self.naming.place(kind.example, component) for kind in self.kinds}
        metadata = {key: value for header in headers for key, value in header.metadata.items()}
        self.quantized = Quantized(shards, self.kinds, config, metadata, budget)
        self.ties = tuple(map(self._unpacked, ties_in(self.kinds, self.places, config, metadata, marks)))
        self._copied = {
            (self.places[kind.key].role, kind.shape)
            for kind in self.kinds
            if self.places[kind.key].module in {"model", "lm_head"}
        }
        self._has_originals = any(place.module not in {"ema", "scheduler"} for place in self.places.values())
        self._tied = {tie.name for tie in self.ties if tie.stored}
        self._verdicts = {kind.key: self._verdict(kind) for kind in self.kinds}

    def _unpacked(self, tie: Tie) -> Tie:
        """The tie of a packed weight, with the parameters that it holds; and of a head that is stored packed."""
        held = self.quantized.held
        elements = held.get(tie.tied_to, tie.elements)
        head = tie.name.removesuffix("weight")
        packed = [name for name, held_there in held.items() if name.startswith(head) and held_there == elements]
        if not tie.stored and head.endswith(".") and len(packed) == 1:
            return replace(tie, name=packed[0], stored=True, elements=elements)
        return replace(tie, elements=elements)

    def rows(self, shards: Sequence[Shard], *, by_shard: bool) -> Iterator[Row]:
        """The rows of some shards: what one repeats from another is a row of its own."""
        groups = [[shard] for shard in shards] if by_shard else [list(shards)]
        for group in groups:
            path = group[0].path if len(group) == 1 else ""
            repeated = _repeated(group)
            parts = self.quantized.parts(group)
            for kind in merged(kind for shard in group if shard.header for kind in shard.header.kinds):
                again = repeated[kind.key]
                if again:
                    yield self._row(replace(kind, count=again), path, Verdict(Meaning.REPEATED))
                for unit, count in parts.get(kind.key, {None: kind.count - again}).items():
                    if count:
                        yield self._row(replace(kind, count=count), path, self._verdict_of(kind, unit), unit)

    def _row(self, kind: Kind, shard: str, verdict: Verdict, unit: int | None = None) -> Row:
        place = self.places[kind.key]
        own = (verdict.meaning, verdict.parameters, unit, verdict.shape, verdict.scheme)
        return Row(kind, place, self.component, shard, *own)

    def _verdict_of(self, kind: Kind, unit: int | None) -> Verdict:
        """What a kind is, in one unit where it stands in several; a quantized weight may be another's copy too."""
        quantized = self.quantized.verdict(kind, unit)
        if quantized is None:
            return self._verdicts[kind.key]
        if quantized.meaning is Meaning.PARAMETER and (doubled := self._doubled(kind)) is not None:
            return Verdict(doubled)
        return quantized

    def _doubled(self, kind: Kind) -> Meaning | None:
        """Why a weight counts elsewhere, where it does."""
        place = self.places[kind.key]
        if place.module == "ema" and self._has_originals:
            return Meaning.EMA
        if kind.example in self._tied:
            return Meaning.TIED
        return Meaning.COPY if self._is_copy(kind, place) else None

    def _verdict(self, kind: Kind) -> Verdict:
        if kind.dtype.bits is None:
            return Verdict(Meaning.UNEXPLAINED)
        aside = set_aside(kind) or adapter_aside(kind, self.places[kind.key].role, self.config)
        if aside is not None:
            return Verdict(aside)
        if (doubled := self._doubled(kind)) is not None:
            return Verdict(doubled)
        if _looks_packed(kind) or self.quantized.may_serve(kind):
            return Verdict(Meaning.UNEXPLAINED)
        return Verdict(Meaning.PARAMETER, kind.elements)

    def _is_copy(self, kind: Kind, place: Place) -> bool:
        """Whether this is an MTP layer's own copy of the embedding or the head (DeepSeek-V3, README_WEIGHTS)."""
        if place.module != "mtp" or place.role not in {"embedding", "head"} or kind.rank != 2:
            return False
        return (place.role, kind.shape) in self._copied


def _looks_packed(kind: Kind) -> bool:
    """Whole numbers in rows and columns of a module: weights of a packing that no scheme here knows."""
    narrow = kind.dtype.family in INTEGERS - {Family.BOOL} and (kind.dtype.bits or 0) < _WHOLE
    return narrow and kind.rank > 1 and "." in kind.template


def _repeated(shards: Iterable[Shard]) -> "Counter[KindKey]":
    """How many tensors of each kind are counted in another shard."""
    having = (shard for shard in shards if shard.header and shard.repeated)
    return Counter(key for shard in having if shard.header for key in tensor_keys(shard.repeated, shard.header.apart))


def _without(repeated: Mapping[KindKey, int], kinds: Iterable[Kind]) -> tuple[Kind, ...]:
    """The kinds without what is counted in another shard: each tensor once."""
    return tuple(replace(kind, count=kind.count - repeated.get(kind.key, 0)) for kind in kinds)
