"""What the quantization schemes say of a component's tensors, kind by kind, or module by module where kinds differ."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import msgspec

from ckptinspect.analysis.meaning import Meaning
from ckptinspect.dtypes import INTEGERS, Family
from ckptinspect.extensions import names_of
from ckptinspect.fold import templates
from ckptinspect.header import keys_in
from ckptinspect.model import Config, Kind, KindKey, Note, Shape, Shard, Tensor
from ckptinspect.quant.base import FLOATS, Explained, Setting, Unit
from ckptinspect.quant.budget import Budget
from ckptinspect.quant.claims import Claims
from ckptinspect.quant.neighbours import Neighbours
from ckptinspect.quant.units import NamedKey, Units, needs_names, parts_of, units_of

# What serves the cache of keys and values stands in modules that have no quantized weight of their own.
_CACHE = ("k_scale", "v_scale", "q_scale", "prob_scale", "k_zero_point", "v_zero_point", "k_cache_scale")
_CACHE_LEAVES = (*_CACHE, "v_cache_scale", "input_scale", "output_scale")
# What is a parameter whatever stands around it: matrices and vectors of floats.
_PLAIN = (".weight", ".bias")
_BYTE = 8
COMFY_KEY = "_quantization_metadata"
"""Where ComfyUI keeps in a file's metadata how its layers are quantized."""
# Of the integers that PyTorch indexes with.
_INDEX = 64


class Verdict(msgspec.Struct, frozen=True):
    """What a tensor is, how many parameters it holds, in which shape where that is not the stored one, and by which
    quantization scheme where one says so.
    """

    meaning: Meaning
    parameters: int = 0
    shape: Shape | None = None
    scheme: str = ""


class Quantized:
    """The quantized modules of one component."""

    def __init__(
        self,
        shards: Sequence[Shard],
        kinds: Sequence[Kind],
        config: Config,
        metadata: Mapping[str, str],
        budget: Budget | None = None,
    ) -> None:
        headers = (shard.header for shard in shards if shard.header is not None)
        comfy = [header.metadata[COMFY_KEY] for header in headers if COMFY_KEY in header.metadata]
        self.claims = Claims(config, budget, comfy)
        self._kinds = kinds
        self._config = config
        self._keys: dict[str, list[NamedKey]] = {}
        self.units = self._units(shards, kinds)
        self.explained = tuple(_explained(self.units.units, kinds, config, metadata, self.claims))
        self._verdicts = {
            (kind.key, number): verdict
            for number, found in enumerate(self.explained)
            if found is not None
            for kind, verdict in _verdicts(found)
        }

    @property
    def found(self) -> tuple[Explained, ...]:
        """The units that a scheme explains or recognises."""
        return tuple(found for found in self.explained if found is not None)

    @cached_property
    def held(self) -> dict[str, int]:
        """The parameters of each packed weight that is alone in its kind, by its name."""
        return {
            kind.example: parameters
            for found in self.found
            for kind, parameters in found.parameters.items()
            if kind.count == 1 and parameters is not None
        }

    @cached_property
    def _cut(self) -> bool:
        """Whether quantized modules may have tensors that the header reader counts by dtype alone (``kinds.py``)."""
        if all(kind.example for kind in self._kinds):
            return False
        return bool(self.found) or any(map(_may_be_packed, self._kinds))

    def may_serve(self, kind: Kind) -> bool:
        """Whether a kind that no scheme explains may belong to a packed weight that is not to be told any more."""
        if not self._cut:
            return False
        plain = kind.dtype.code in FLOATS and kind.template.endswith(_PLAIN) and kind.shape[-1:] != (1,)
        return not kind.example or not plain

    @property
    def notes(self) -> tuple[Note, ...]:
        """Where config and headers disagree."""
        if not self.claims and not self.found:
            return ()
        from ckptinspect.quant.witness import disagreements, doubtful_biases

        small = any((kind.dtype.bits or 0) <= 8 and kind.rank > 1 for kind in self._kinds)
        said = disagreements(self.claims, self.found, stored_small=small)
        return (*said, *self._alone(), *doubtful_biases(self.found, self._config))

    def _alone(self) -> Iterator[Note]:
        """What nothing but the config says."""
        if any(one.evidence == "config" for one in self.found):
            from ckptinspect.quant.alone import counted_alone

            yield from counted_alone(self.found, self.claims.source)

    def verdict(self, kind: Kind, unit: int | None = None) -> Verdict | None:
        """What a scheme says of tensors of this kind, in this unit where the kind stands in several."""
        if unit is None:
            unit = self.units.by_key.get(kind.key)
        return None if unit is None else self._verdicts.get((kind.key, unit))

    def parts(self, shards: Iterable[Shard]) -> dict[KindKey, dict[int, int]]:
        """How many tensors of each unit a kind has in these shards; only of kinds that stand in several."""
        found: dict[KindKey, dict[int, int]] = {}
        if self.units.by_path:
            for (key, unit), count in sorted(Counter(parts_of(self.units, self._named(shards))).items()):
                found.setdefault(key, {})[unit] = count
        return found

    def _units(self, shards: Sequence[Shard], kinds: Sequence[Kind]) -> Units:
        headers = [shard.header for shard in shards if shard.header is not None]
        named = needs_names(headers) and all(header.raw is not None for header in headers)
        return units_of(kinds, self._named(shards) if named else None, every=bool(names_of("quant")))

    def _named(self, shards: Iterable[Shard]) -> Iterator[NamedKey]:
        """Every tensor of some shards by its name and kind, without those that are counted in another shard."""
        for shard in shards:
            header = shard.header
            if header is None or header.raw is None:
                continue
            if shard.path not in self._keys:
                repeated = {tensor.name for tensor in shard.repeated}
                keys = keys_in(header.raw, header.apart).items()
                self._keys[shard.path] = [(name, key) for name, key in keys if name not in repeated]
            yield from self._keys[shard.path]


def tensor_keys(tensors: Sequence[Tensor], apart: tuple[str, ...]) -> list[KindKey]:
    """The key of each tensor's kind."""
    folded = templates([tensor.name for tensor in tensors], apart)
    return [
        (template.decode(), tensor.dtype.code, tensor.shape, tensor.nbytes)
        for template, tensor in zip(folded, tensors, strict=True)
    ]


def _explained(
    units: Sequence[Unit], kinds: Sequence[Kind], config: Config, metadata: Mapping[str, str], claims: Claims
) -> Iterator[Explained | None]:
    if not units:
        return
    # Whoever looks at a checkpoint that is not quantized does not wait for thirty schemes to be imported.
    from ckptinspect.quant.schemes import explained

    setting = Setting(claims, config, metadata, Neighbours(kinds, config))
    found = [explained(unit, setting) for unit in units]
    if any(one is not None and one.is_open for one in found):
        from ckptinspect.quant.trial import asked_again

        found = asked_again(units, found, setting, explained)
    quantized = bool(claims) or any(one is not None for one in found)
    for unit, one in zip(units, found, strict=True):
        yield one if one is not None or not quantized else _cache_scales(unit)


def _may_be_packed(kind: Kind) -> bool:
    """Whether the elements of a kind may be words or bytes that hold weights."""
    bits = kind.dtype.bits or 0
    if kind.dtype.family is Family.BOOL or (kind.example and (kind.rank < 2 or bits >= _INDEX)):
        return False
    return kind.dtype.family in INTEGERS or bits <= _BYTE


def _cache_scales(unit: Unit) -> Explained | None:
    """Scalars that serve the cache of keys and values, or the activations, beside quantized modules."""
    scales = frozenset(kind for kind in unit.all(_CACHE_LEAVES) if kind.elements == 1)
    return Explained("", None, None, "header", {}, scales, unit=unit) if scales else None


def _verdicts(found: Explained) -> Iterator[tuple[Kind, Verdict]]:
    yield from ((kind, Verdict(Meaning.SCALE)) for kind in found.bookkeeping)
    yield from ((kind, Verdict(Meaning.LOW_RANK)) for kind in found.low_rank)
    yield from ((kind, Verdict(Meaning.PHANTOM)) for kind in found.phantom)
    yield from ((kind, Verdict(Meaning.UNEXPLAINED)) for kind in found.strange)
    for kind, parameters in found.parameters.items():
        if parameters is None:
            yield kind, Verdict(Meaning.UNEXPLAINED)
        else:
            shape = found.shapes.get(kind)
            logical = shape if shape != kind.shape else None
            yield kind, Verdict(Meaning.PARAMETER, parameters, logical, found.scheme)
