"""Medians and what is known of them, without an assumption about how times are distributed.

Intervals come from order statistics: the median of any distribution lies between the k-th smallest and the k-th
largest of n values with a probability that is a sum of binomial coefficients. With fewer than six values
there is no 95% interval, and none is given.
"""

from collections.abc import Sequence
from enum import StrEnum
from math import comb
from statistics import median

import msgspec

_ONE_IN = 20
"""How often an interval may miss: 95% confidence, in whole numbers, since 2**n is soon too large for another."""


class Interval(msgspec.Struct, frozen=True):
    """Where a median lies with at least 95% confidence."""

    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of its width, as a share of its middle."""
        middle = (self.high + self.low) / 2
        return (self.high - self.low) / 2 / middle if middle else 0.0


class Spread(msgspec.Struct, frozen=True):
    """Some values in short; ``mad`` is the median distance from the median."""

    n: int
    median: float
    mad: float
    least: float
    most: float
    interval: Interval | None


class Comparison(StrEnum):
    """What two methods' rounds say about each other."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "no difference shown"
    TOO_FEW = "too few rounds"


def spread_of(values: Sequence[float]) -> Spread | None:
    """The values in short; None where there are none.

    >>> spread_of([3.0, 1.0, 2.0])
    Spread(n=3, median=2.0, mad=1.0, least=1.0, most=3.0, interval=None)
    """
    if not values:
        return None
    middle = median(values)
    distance = median(abs(value - middle) for value in values)
    return Spread(len(values), middle, distance, min(values), max(values), interval_of(values))


def interval_of(values: Sequence[float]) -> Interval | None:
    """The narrowest pair of order statistics that holds the median with 95% confidence.

    >>> interval_of([1, 2, 3, 4, 5]), interval_of([1, 2, 3, 4, 5, 6, 7]), interval_of(range(10))
    (None, Interval(low=1, high=7), Interval(low=1, high=8))
    """
    n, ordered = len(values), sorted(values)
    outside, rank = 0, 0
    # P(fewer than k of n values lie below the median) = sum of C(n, i) / 2**n for i < k
    while rank < n // 2 and _ONE_IN * 2 * (outside + comb(n, rank)) <= 2**n:
        outside += comb(n, rank)
        rank += 1
    return Interval(ordered[rank - 1], ordered[n - rank]) if rank else None


def compared(ratios: Spread) -> Comparison:
    """Whether ratios of speeds, round by round, differ from 1."""
    if ratios.interval is None:
        return Comparison.TOO_FEW
    if ratios.interval.low > 1:
        return Comparison.FASTER
    return Comparison.SLOWER if ratios.interval.high < 1 else Comparison.SAME
