"""The arithmetic of packing: how many words some values take, and how many values may be in some words."""

from collections.abc import Iterable

from ckptinspect.model import Shape


def ceil_div(value: int, by: int) -> int:
    """The quotient, rounded up.

    >>> ceil_div(4098, 8), ceil_div(4096, 8)
    (513, 512)
    """
    return -(-value // by)


def words_of(values: int, bits: int, width: int = 32) -> int:
    """How many words of ``width`` bits hold these values, densely packed.

    >>> words_of(4096, 3), words_of(4098, 4)
    (384, 513)
    """
    return ceil_div(values * bits, width)


def values_in(words: int, bits: int, width: int = 32) -> range:
    """The numbers of values that take exactly so many words.

    >>> values_in(513, 4), values_in(384, 3)
    (range(4097, 4105), range(4086, 4097))
    """
    return range((words - 1) * width // bits + 1, words * width // bits + 1)


def bits_of(values: int, words: int, width: int = 32, choices: Iterable[int] = range(1, 9)) -> int | None:
    """The width at which so many values take so many words; None where no or more than one fits.

    >>> bits_of(4096, 512), bits_of(4098, 513), bits_of(4096, 384), bits_of(4096, 7)
    (4, 4, 3, None)
    """
    fitting = [bits for bits in choices if words_of(values, bits, width) == words]
    return fitting[0] if len(fitting) == 1 else None


def group_of(values: int, groups: int) -> int | None:
    """The size of the groups that share a scale: None for one group, or for no plausible size.

    >>> group_of(4096, 32), group_of(4096, 1), group_of(4098, 33)
    (128, None, 128)
    """
    if groups <= 1 or values < groups:
        return None
    if values % groups == 0:
        return values // groups
    return next((size for size in (1 << n for n in range(3, 14)) if ceil_div(values, size) == groups), None)


def last_times(shape: Shape, by: int) -> Shape:
    """The shape with its last dimension multiplied.

    >>> last_times((8, 64, 128), 2)
    (8, 64, 256)
    """
    return (*shape[:-1], shape[-1] * by)


def divides(groups: int, values: int) -> bool:
    """Whether so many scales may serve so many values along a dimension."""
    return 0 < groups <= values
