"""Quantized modules by how they are packed: what each way holds, and what it costs."""

from collections.abc import Iterable

import msgspec

from ckptinspect.quant.base import Explained

# What vouches for a scheme, the strongest first; several modules are no better vouched for than the weakest.
_EVIDENCE = ("header", "neighbour", "config")


class Packing(msgspec.Struct, frozen=True):
    """Modules of one scheme, width and group size.

    ``parameters`` are those that they hold, None where that is not known of all; ``weight_bytes`` and
    ``bookkeeping_bytes`` what the weights take and what serves them; ``evidence`` the weakest of the modules'.
    """

    scheme: str
    bits: float | None
    group_size: int | None
    evidence: str
    modules: int
    parameters: int | None
    weight_bytes: int
    bookkeeping_bytes: int

    @property
    def bits_per_weight(self) -> float | None:
        """Bits of weights and bookkeeping together for each parameter, in fact."""
        if not self.parameters:
            return None
        return 8 * (self.weight_bytes + self.bookkeeping_bytes) / self.parameters


def packings(explained: Iterable[Explained]) -> tuple[Packing, ...]:
    """The ways in which modules are packed, those that hold most first."""
    groups: dict[tuple[str, float | None, int | None], list[Explained]] = {}
    for found in explained:
        if found.parameters:
            groups.setdefault((found.scheme, found.bits, found.group_size), []).append(found)
    ways = [_together(*key, found) for key, found in groups.items()]
    return tuple(sorted(ways, key=_rank))


def _rank(way: Packing) -> tuple[object, ...]:
    held = way.weight_bytes if way.parameters is None else way.parameters
    return -held, way.scheme, way.bits or 0, way.group_size or 0


def _together(scheme: str, bits: float | None, group_size: int | None, found: list[Explained]) -> Packing:
    held = [one.logical for one in found]
    known = [count for count in held if count is not None]
    return Packing(
        scheme=scheme,
        bits=bits,
        group_size=group_size,
        evidence=max((one.evidence for one in found), key=_EVIDENCE.index),
        modules=sum(_modules(one) for one in found),
        parameters=sum(known) if len(known) == len(held) else None,
        weight_bytes=sum(one.nbytes for one in found),
        bookkeeping_bytes=sum(one.bookkeeping_bytes for one in found),
    )


def _modules(found: Explained) -> int:
    """How many modules a unit stands for; where they are not all alike, as many as it has weights."""
    if found.unit is not None and found.unit.modules is not None:
        return found.unit.modules
    return sum(kind.count for kind in found.parameters)
