from math import comb
from random import Random
from statistics import median

import pytest

from ckptinspect.bench.statistics import Comparison, Interval, compared, interval_of, spread_of


def covered(n: int, rank: int) -> float:
    """The probability that the median lies between the rank-th smallest and the rank-th largest of n."""
    outside = sum(comb(n, below) for below in range(rank))
    return 1 - 2 * outside / float(2**n)


@pytest.mark.parametrize("n", range(6, 60))
def test_an_interval_is_the_narrowest_that_holds_the_median_with_95_percent(n: int) -> None:
    found = interval_of(list(range(1, n + 1)))

    assert found is not None
    rank = int(found.low)
    assert found == Interval(rank, n + 1 - rank)
    assert covered(n, rank) >= 0.95
    assert covered(n, rank + 1) < 0.95


def test_the_ranks_are_those_of_the_tables() -> None:
    # Conover, Practical Nonparametric Statistics, confidence interval for the median at 95%.
    ranks = {6: 1, 8: 1, 9: 2, 12: 3, 15: 4, 20: 6, 25: 8, 30: 10}

    for n, rank in ranks.items():
        assert interval_of(list(range(1, n + 1))) == Interval(rank, n + 1 - rank)


def test_two_thousand_rounds_have_an_interval() -> None:
    # The normal approximation of the binomial: 1000 - 1.96 * sqrt(2000) / 2 = 956.2.
    found = interval_of(list(range(1, 2001)))

    assert found is not None
    assert found.low in {956, 957}
    assert found.low + found.high == 2001


@pytest.mark.parametrize("n", range(6))
def test_fewer_than_six_values_have_no_interval(n: int) -> None:
    assert interval_of(list(range(n))) is None


def test_the_interval_holds_the_true_median_as_often_as_it_says() -> None:
    random = Random(7)
    inside = 0
    for _ in range(4000):
        found = interval_of([random.lognormvariate(0, 1) for _ in range(7)])
        assert found is not None
        inside += found.low <= 1 <= found.high

    # 98.4% by the binomial distribution at n = 7; four standard deviations are 0.8%.
    assert 0.976 <= inside / 4000 <= 0.992


def test_a_spread_is_what_it_says() -> None:
    spread = spread_of([1.0, 2.0, 3.0, 4.0, 5.0, 60.0, 7.0])

    assert spread is not None
    assert (spread.n, spread.median, spread.mad) == (7, 4.0, 2.0)
    assert (spread.least, spread.most) == (1.0, 60.0)
    assert spread.median == median([1.0, 2.0, 3.0, 4.0, 5.0, 60.0, 7.0])


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [
        ([1.1] * 7, Comparison.FASTER),
        ([0.9] * 7, Comparison.SLOWER),
        ([0.99, *[1.5] * 6], Comparison.SAME),
        ([1.0] * 7, Comparison.SAME),
        ([2.0] * 5, Comparison.TOO_FEW),
    ],
)
def test_a_difference_is_only_one_where_the_interval_excludes_1(ratios: list[float], expected: Comparison) -> None:
    spread = spread_of(ratios)

    assert spread is not None
    assert compared(spread) == expected


def test_the_half_width_is_a_share_of_the_middle() -> None:
    assert Interval(0.9, 1.1).half_width == pytest.approx(0.1)
    assert Interval(0.0, 0.0).half_width == 0.0
