"""Which of several readings of a packed weight is the right one, and who says so.

A header may leave a few: 512 words with 32 scales are 4 bits in groups of 128 or 8 bits in groups of 64, and then
of half the width. First the tensors around decide. What they leave open is asked again when all others are known
(``trial.py``): then by what the tensors around make likely, and by the config's bits, group size and widths, as far
as no other module refutes them. What leaves more than one reading decides nothing.
"""

from collections.abc import Iterable, Sequence

import msgspec

from ckptinspect.model import Kind
from ckptinspect.quant.base import Setting, Unit
from ckptinspect.quant.dialects import Claim


class Reading(msgspec.Struct, frozen=True):
    """One way to read a packed weight: how many inputs it has, at how many bits, in groups of what size."""

    inputs: int
    bits: int
    group_size: int | None

    def is_claimed(self, claim: Claim) -> bool:
        """Whether a claim names this reading: by its bits at least."""
        if claim.bits != self.bits:
            return False
        return claim.group_size is None or self.group_size is None or claim.group_size == self.group_size


Decision = tuple[Reading, str]
"""A reading and its evidence: header, neighbour or config."""


def decided(unit: Unit, weight: Kind, readings: Sequence[Reading], setting: Setting) -> Decision | None:
    """The reading that holds for a unit's weight with its evidence, or None where several may."""
    if len(_widths(readings)) == 1:
        return readings[0], "header"
    near = setting.neighbours.near(unit.path, weight.shape)
    left = [reading for reading in readings if reading.inputs in near.sure]
    if len(_widths(left)) == 1:
        return _claimed_first(left, unit.path, setting), "neighbour"
    if setting.tried is None:
        return None
    return _weighed(unit.path, left or readings, near.likely, setting)


def _weighed(path: str, readings: Sequence[Reading], likely: frozenset[int], setting: Setting) -> Decision | None:
    """What is likely by the tensors around against what the config says."""
    near = [reading for reading in readings if reading.inputs in likely]
    near = near if len(_widths(near)) == 1 else []
    claimed = _by_config(path, readings, setting)
    if claimed is not None and near and claimed.inputs == near[0].inputs:
        return claimed, "neighbour"
    if claimed is not None and (not near or _is_confirmed(claimed, path, setting)):
        return claimed, "config"
    return (near[0], "neighbour") if near and _is_in_style(near, readings, setting) else None


def _by_config(path: str, readings: Sequence[Reading], setting: Setting) -> Reading | None:
    """The reading that the config alone decides on: by the bits that it names, else by the model's widths."""
    claims = setting.claimed(path)
    agreed = [reading for reading in readings if any(map(reading.is_claimed, claims))]
    widths = setting.neighbours.claimed(path)
    by_width = [reading for reading in agreed or readings if reading.inputs in widths]
    if len(_widths(agreed)) == 1:
        # Where the config contradicts itself, and nothing else tells, it decides nothing.
        contradicted = not by_width and any(reading.inputs in widths for reading in readings)
        return None if contradicted else agreed[0]
    return by_width[0] if len(_widths(by_width)) == 1 else None


def _is_confirmed(reading: Reading, path: str, setting: Setting) -> bool:
    """Whether what the config says of this module was found true of others."""
    confirmed = setting.tried.confirmed if setting.tried is not None else frozenset()
    return any(reading.is_claimed(claim) and claim in confirmed for claim in setting.claimed(path))


def _is_in_style(near: Sequence[Reading], readings: Sequence[Reading], setting: Setting) -> bool:
    """Whether what is likely does not single the module out: where all others are packed in one way, which this
    one may be packed in too, that way is not passed over for what is merely likely.
    """
    styles = setting.tried.styles if setting.tried is not None else frozenset()
    alike = [reading for reading in readings if (reading.bits, reading.group_size) in styles]
    return len(styles) != 1 or not alike or any(reading in near for reading in alike)


def _claimed_first(readings: Sequence[Reading], path: str, setting: Setting) -> Reading:
    """Of readings of one width, the one that the config names."""
    claims = setting.claims.about(path)
    return next((reading for reading in readings if any(map(reading.is_claimed, claims))), readings[0])


def _widths(readings: Iterable[Reading]) -> set[int]:
    return {reading.inputs for reading in readings}
