"""The seam for quantization schemes: from the tensors of one module to what they stand for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Protocol

import msgspec

from ckptinspect.model import Config, Kind

# Suffixes of a bare parameter's name: ``experts.gate_up_proj_scale_inv``, ``mlp1_weight.blocks``.
_BARE = ("_scale_inv", "_blocks", "_scales", "_activation_scale", "_weight.blocks", "_weight.scales")


class Unit(msgspec.Struct, frozen=True):
    """The tensors of one module (or of all modules alike but for their digits), by what follows its path.

    ``path`` is the template of the module's path; ``leaves`` maps ``weight``, ``weight_scale_inv``,
    ``qweight`` and so on to the kinds that have that name.
    """

    path: str
    leaves: Mapping[str, tuple[Kind, ...]]

    def dtypes(self, leaf: str) -> frozenset[str]:
        """The dtype codes under one leaf; empty where there is none."""
        return frozenset(kind.dtype.code for kind in self.leaves.get(leaf, ()))


class Explained(msgspec.Struct, frozen=True):
    """What a scheme says of a unit.

    ``parameters`` gives for a kind how many parameters one such tensor stands for, None where that is not
    known; ``bookkeeping`` are kinds that serve the weights (scales, zero points, maps). Kinds in neither are
    what they look like. ``bits`` per weight, ``group_size`` in elements (0: none), ``evidence`` header,
    config or neighbour.
    """

    scheme: str
    bits: float | None
    group_size: int | None
    evidence: str
    parameters: Mapping[Kind, int | None]
    bookkeeping: frozenset[Kind]


class Scheme(Protocol):
    """One way to store weights in fewer bits. It needs the pair or triple of sibling names, never one name."""

    name: ClassVar[str]

    def explain(self, unit: Unit, config: Config) -> Explained | None:
        """What the unit's tensors stand for, or None where it is not of this scheme.

        ``config`` is the quantization section of config.json, empty where there is none.
        """
        ...


def units_in(kinds: Iterable[Kind]) -> Sequence[Unit]:
    """Kinds by the module that they belong to, in the order of their paths.

    >>> from ckptinspect.dtypes import DTYPES
    >>> weight = Kind("layers..q.weight", DTYPES["F8_E4M3"], (256, 256), 65536, 2, "layers.0.q.weight")
    >>> scale = Kind("layers..q.weight_scale_inv", DTYPES["F32"], (2, 2), 16, 2, "layers.0.q.weight_scale_inv")
    >>> [(unit.path, sorted(unit.leaves)) for unit in units_in([weight, scale])]
    [('layers..q', ['weight', 'weight_scale_inv'])]
    """
    found: dict[str, dict[str, list[Kind]]] = {}
    for kind in kinds:
        path, leaf = split_leaf(kind.template)
        found.setdefault(path, {}).setdefault(leaf, []).append(kind)
    for path in list(found):
        _adopt(path, found)
    return [
        Unit(path, {leaf: tuple(kinds) for leaf, kinds in leaves.items()}) for path, leaves in sorted(found.items())
    ]


def _adopt(path: str, found: dict[str, dict[str, list[Kind]]]) -> None:
    """Bring a bare parameter (``experts.gate_up_proj``) to the scales that are named after it."""
    owner, _, name = path.rpartition(".")
    if "weight" not in found[path] and name in found.get(owner, {}):
        found[path][""] = found[owner].pop(name)


def split_leaf(name: str) -> tuple[str, str]:
    """A tensor's module and what follows it; for scales of a bare parameter, that parameter and the suffix.

    >>> split_leaf("layers.0.q.weight.absmax"), split_leaf("experts.gate_up_proj_blocks")
    (('layers.0.q', 'weight.absmax'), ('experts.gate_up_proj', 'blocks'))
    """
    # bitsandbytes and quanto name what belongs to a weight behind it.
    path, inner, behind = name.rpartition(".weight.")
    if inner:
        return path, f"weight.{behind}"
    path, _, leaf = name.rpartition(".")
    for suffix in _BARE:
        if name.endswith(suffix) and not leaf.startswith(("weight", "input", "output")):
            return name.removesuffix(suffix) + suffix[: suffix.find(".")] * ("." in suffix), suffix.split(".")[
                -1
            ].lstrip("_")
    return path, leaf
