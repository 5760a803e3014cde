"""The seam for quantization schemes: from the tensors of one module to what they stand for."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Protocol

import msgspec
from msgspec.structs import replace

from ckptinspect.model import Config, Kind, Shape, elements_in
from ckptinspect.quant.claims import Claims
from ckptinspect.quant.dialects import Claim
from ckptinspect.quant.fitting import serves
from ckptinspect.quant.neighbours import Neighbours

FLOATS = frozenset({"F16", "BF16", "F32", "F64"})
FP8 = frozenset({"F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"})
BYTES = frozenset({"U8", "I8"})
# Scales of the microscaling (MX) formats: an exponent each.
EXPONENTS = frozenset({"U8", "F8_E8M0"})

MOST_KINDS = 64
"""Kinds of weights in one unit that scales are held against. Where there are more, the modules are told apart."""

SERVING = frozenset(
    (
        *("weight_scale", "weight_scale_inv", "weight_scale_2", "weight_global_scale", "weight_zero_point"),
        *("weight_shape", "weight_g_idx", "weight_offset", "scale_weight", "scale_inv", "zero_point"),
        *("input_scale", "input_scale_ub", "input_global_scale", "input_zero_point", "input_amax", "input_offset"),
        *("scale_input", "activation_scale", "act_scale", "input_activation_scale", "output_activation_scale"),
        *("output_scale", "output_zero_point", "bias_scale", "pre_quant_scale", "comfy_quant"),
        *("k_scale", "v_scale", "q_scale", "prob_scale", "k_zero_point", "v_zero_point"),
        *("k_cache_scale", "v_cache_scale", "weight_amax"),
    )
)
"""What serves a weight, or the cache of keys and values, under many schemes."""


STRANGE = "a tensor is named as the scale of a weight, and its shape does not prove that it is one"


class Unit(msgspec.Struct, frozen=True):
    """The tensors of one module, or of several that are alike, by what follows the module's path.

    ``path`` is that of one of them; ``leaves`` maps ``weight``, ``weight_scale_inv``, ``qweight`` and so on to the
    kinds of that name. Where the modules are told apart by their names, each leaf has one kind. ``modules`` is
    their number, None where it is not the same for every leaf.
    """

    path: str
    leaves: Mapping[str, tuple[Kind, ...]]
    modules: int | None = None

    def only(self, leaf: str, dtypes: frozenset[str] | None = None) -> Kind | None:
        """The kind under a leaf, if there is one alone and its dtype is among these."""
        kinds = self.leaves.get(leaf, ())
        if len(kinds) != 1 or (dtypes is not None and kinds[0].dtype.code not in dtypes):
            return None
        return kinds[0]

    def all(self, leaves: Iterable[str]) -> frozenset[Kind]:
        """The kinds under any of these leaves."""
        return frozenset(kind for leaf in leaves for kind in self.leaves.get(leaf, ()))

    @property
    def weight(self) -> str:
        """The leaf that holds the weight: empty where that is a bare parameter."""
        return "weight" if "weight" in self.leaves else ""


class Explained(msgspec.Struct, frozen=True):
    """What a scheme says of a unit.

    ``parameters`` gives for a kind how many parameters one such tensor stands for, None where that is not known
    and ``reason`` says why; ``shapes`` the logical shape, [out, in] of a linear, where that is known too.
    ``bookkeeping`` are kinds that serve the weights (scales, zero points, maps); ``low_rank`` those of a branch
    that the scheme added beside them; ``strange`` what has the name of a scale and no shape of one, and stays
    unexplained. Kinds in none of these are what they look like. ``bits`` per weight,
    ``group_size`` in elements along the input (None: no groups), ``evidence`` header, neighbour or config.
    """

    scheme: str
    bits: float | None
    group_size: int | None
    evidence: str
    parameters: Mapping[Kind, int | None]
    bookkeeping: frozenset[Kind]
    shapes: Mapping[Kind, Shape] = {}
    low_rank: frozenset[Kind] = frozenset()
    phantom: frozenset[Kind] = frozenset()
    strange: frozenset[Kind] = frozenset()
    reason: str = ""
    unit: Unit | None = None

    @property
    def is_open(self) -> bool:
        """Whether a weight is recognised, and its size is not."""
        return None in self.parameters.values()

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(kind.nbytes * kind.count for kind in self.parameters)

    @property
    def bookkeeping_bytes(self) -> int:
        """Bytes of what serves the weights."""
        return sum(kind.nbytes * kind.count for kind in self.bookkeeping)

    @property
    def logical(self) -> int | None:
        """Parameters of all modules together; None where a kind is not known."""
        known = [(kind, parameters) for kind, parameters in self.parameters.items() if parameters is not None]
        if len(known) < len(self.parameters):
            return None
        return sum(kind.count * parameters for kind, parameters in known)


class Tried(msgspec.Struct, frozen=True):
    """What the modules that need no config say of its claims (``trial.py``), and the bits and group sizes of those."""

    confirmed: frozenset[Claim] = frozenset()
    refuted: frozenset[Claim] = frozenset()
    styles: frozenset[tuple[float, int | None]] = frozenset()


class Setting(msgspec.Struct, frozen=True):
    """What stands around a unit: the config's claims, the config, the headers' metadata, and the other tensors.

    ``tried`` is None as long as nobody knows which claims are refuted: then none of them decides.
    """

    claims: Claims
    config: Config
    metadata: Mapping[str, str]
    neighbours: Neighbours
    tried: Tried | None = None

    def claimed(self, path: str) -> tuple[Claim, ...]:
        """What the config says of the module at this path, without what other modules refute."""
        if self.tried is None:
            return ()
        return tuple(claim for claim in self.claims.exactly(path) if claim not in self.tried.refuted)


class Scheme(Protocol):
    """One way to store weights in fewer bits. It needs the pair or triple of sibling names, never one name."""

    name: ClassVar[str]

    def explain(self, unit: Unit, setting: Setting) -> Explained | None:
        """What the unit's tensors stand for, or None where it is not of this scheme."""
        ...


class Format(msgspec.Struct, frozen=True):
    """How a unit is packed: its scheme, bits per weight, the group that shares a scale, and what vouches for that."""

    scheme: str
    bits: float | None
    group_size: int | None
    evidence: str = "header"


def packed(unit: Unit, weight: Kind, shape: Shape, form: Format, serving: Iterable[str] = ()) -> Explained:
    """The answer for a unit whose one weight has this logical shape; ``serving`` are leaves of its own scales."""
    return with_serving(
        Explained(
            form.scheme,
            form.bits,
            form.group_size,
            form.evidence,
            {weight: elements_in(shape)},
            unit.all(serving) - {weight},
            {weight: shape},
            unit=unit,
        ),
        (shape,),
    )


def with_serving(explained: Explained, shapes: tuple[Shape, ...]) -> Explained:
    """The same with what serves weights of these shapes under many schemes, as far as it has the shape for it."""
    unit = explained.unit
    if unit is None:
        return explained
    shapes = shapes[:MOST_KINDS]
    known = explained.bookkeeping | explained.parameters.keys()
    found = [(kind, leaf) for leaf in SERVING & unit.leaves.keys() for kind in unit.leaves[leaf] if kind not in known]
    serving = frozenset(kind for kind, leaf in found if serves(kind, leaf, shapes))
    served = replace(explained, bookkeeping=explained.bookkeeping | serving)
    return with_strange(served, frozenset(kind for kind, _ in found) - serving)


def with_strange(explained: Explained, strange: frozenset[Kind]) -> Explained:
    """The same with what is named as a scale and proves to be none."""
    if not strange:
        return explained
    return replace(
        explained,
        bookkeeping=explained.bookkeeping - strange,
        strange=explained.strange | strange,
        reason=explained.reason or STRANGE,
    )


def counted(unit: Unit, weight: Kind, shape: Shape | int, form: Format, serving: Iterable[str] = ()) -> Explained:
    """The answer for a unit whose weight holds so many values, in this shape or in one that is not known."""
    if not isinstance(shape, int):
        return packed(unit, weight, shape, form, serving)
    return replace(packed(unit, weight, (shape,), form, serving), shapes={})


def shaped(unit: Unit, values: int, setting: Setting, *, padded: bool = False) -> Shape | int:
    """[out, in] where the neighbours tell one of the two, else the number of values; of ``padded`` ones the last may
    be no value.
    """
    wide, long = setting.neighbours.inputs(unit.path), setting.neighbours.outputs(unit.path)
    for inputs in sorted(wide):
        for count in (values, values - 1) if padded and inputs % 2 else (values,):
            outputs, rest = divmod(count, inputs)
            if not rest:
                return (outputs, inputs) if not long or outputs in long else values
    return next(((outputs, values // outputs) for outputs in sorted(long) if values % outputs == 0), values)


def unknown(scheme: str, unit: Unit, weights: Iterable[Kind], reason: str, serving: Iterable[str] = ()) -> Explained:
    """The answer for a unit whose packing is recognised and whose size nothing tells."""
    kinds = dict.fromkeys(weights)
    # Nobody knows the shape, but what serves a weight is no larger than what is stored of it.
    large = max((kind.elements for kind in kinds), default=0)
    served = unit.all(SERVING - {*serving}) - kinds.keys()
    strange = frozenset(kind for kind in served if kind.elements > max(large, 1))
    own = unit.all(serving) - kinds.keys()
    return Explained(
        scheme, None, None, "header", kinds, own | (served - strange), strange=strange, reason=reason, unit=unit
    )
