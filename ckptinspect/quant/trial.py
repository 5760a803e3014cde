"""A config's claims put to the test: what the modules that headers and neighbours decide say of each.

A claim is for many modules. Where those that can be told without it are packed as it says, it may speak for the
rest; where one of them is not, it is no witness any more, and what it alone would decide stays unexplained.
"""

from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from ckptinspect.quant.base import Explained, Setting, Tried, Unit
from ckptinspect.quant.claims import Claims
from ckptinspect.quant.dialects import Claim
from ckptinspect.quant.neighbours import Neighbours

Explain = Callable[[Unit, Setting], Explained | None]

_PROVEN = frozenset({"header", "neighbour"})


def asked_again(
    units: Sequence[Unit], found: Sequence[Explained | None], setting: Setting, explain: Explain
) -> list[Explained | None]:
    """What is said of each unit when the config may speak, and what others prove is known, for those left open."""
    _teach(setting.neighbours, found)
    setting = replace(setting, tried=_tried_by(found, setting.claims))
    return [
        explain(unit, setting) if one is not None and one.is_open else one
        for unit, one in zip(units, found, strict=True)
    ]


def _tried_by(explained: Sequence[Explained | None], claims: Claims) -> Tried:
    """The claims that what was decided without the config confirms, and those that it refutes."""
    confirmed: set[Claim] = set()
    refuted: set[Claim] = set()
    styles: set[tuple[float, int | None]] = set()
    for one in _packed(explained):
        assert one.unit is not None
        assert one.bits is not None
        styles.add((one.bits, one.group_size))
        about = {claim for claim in claims.exactly(one.unit.path) if claim.bits is not None}
        agreed = {claim for claim in about if claim.allows(one.bits, one.group_size)}
        confirmed |= agreed
        refuted |= about if not agreed else set()
    return Tried(frozenset(confirmed - refuted), frozenset(refuted), frozenset(styles))


def _teach(neighbours: Neighbours, explained: Sequence[Explained | None]) -> None:
    """Let neighbours know the shapes that are proven, by which others may be told."""
    for one in _packed(explained):
        for shape in one.shapes.values():
            if one.unit is not None and len(shape) > 1:
                neighbours.learn(one.unit.path, shape)


def _packed(explained: Iterable[Explained | None]) -> Iterable[Explained]:
    """Units whose packing is proven. Bytes that are a parameter each say nothing of how others are packed."""
    for one in explained:
        if one is None or one.unit is None or one.bits is None or one.evidence not in _PROVEN:
            continue
        if one.parameters and any(
            parameters not in {None, kind.elements} for kind, parameters in one.parameters.items()
        ):
            yield one
