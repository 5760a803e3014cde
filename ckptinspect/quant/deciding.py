"""Which of several readings of a packed weight is the right one, and who says so.

A header may leave a few: 512 words with 32 scales are 4 bits in groups of 128 or 8 bits in groups of 64, and then
of half the width. First the tensors around decide, then the config's bits and group size, then its widths. What
leaves more than one reading decides nothing.
"""

from collections.abc import Iterable, Sequence

import msgspec

from ckptinspect.quant.base import Setting


class Reading(msgspec.Struct, frozen=True):
    """One way to read a packed weight: how many inputs it has, at how many bits, in groups of what size."""

    inputs: int
    bits: int
    group_size: int | None


def decided(path: str, readings: Sequence[Reading], setting: Setting) -> tuple[Reading, str] | None:
    """The reading that holds for the module at this path with its evidence, or None where several may."""
    if len(_widths(readings)) == 1:
        return readings[0], "header"
    near = setting.neighbours.inputs(path)
    left = [reading for reading in readings if reading.inputs in near]
    if len(_widths(left)) == 1:
        return _claimed_first(left, path, setting), "neighbour"
    return by_config(path, left or readings, setting)


def by_config(path: str, readings: Sequence[Reading], setting: Setting) -> tuple[Reading, str] | None:
    """The reading that the config alone decides on: by the bits that it names, else by the model's widths."""
    claims = setting.claims.about(path)
    agreed = [reading for reading in readings if any(_is(reading, claim.bits, claim.group_size) for claim in claims)]
    widths = setting.neighbours.claimed(path)
    by_width = [reading for reading in agreed or readings if reading.inputs in widths]
    if len(_widths(agreed)) == 1:
        # Where the config contradicts itself, and nothing else tells, it decides nothing.
        contradicted = not by_width and any(reading.inputs in widths for reading in readings)
        return None if contradicted else (agreed[0], "config")
    if len(_widths(by_width)) == 1:
        return _claimed_first(by_width, path, setting), "config"
    return None


def _claimed_first(readings: Sequence[Reading], path: str, setting: Setting) -> Reading:
    """Of readings of one width, the one that the config names."""
    claims = setting.claims.about(path)
    return next(
        (reading for reading in readings if any(_is(reading, claim.bits, claim.group_size) for claim in claims)),
        readings[0],
    )


def _is(reading: Reading, bits: int | None, group_size: int | None) -> bool:
    """Whether a claim names this reading: by its bits at least."""
    if bits != reading.bits:
        return False
    return group_size is None or reading.group_size is None or group_size == reading.group_size


def _widths(readings: Iterable[Reading]) -> set[int]:
    return {reading.inputs for reading in readings}
