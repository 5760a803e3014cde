"""Pacing by what the server says: nothing is sent that it would refuse, and nothing waits longer than it has to."""

import asyncio

from ckptinspect.sources.budget import Budget, Lease, Quota


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lease(budget: Budget, count: int = 1, bucket: str = "api") -> Lease:
    return asyncio.run(budget.lease(bucket, count))


def observe(
    budget: Budget, remaining: int, reset: float, bucket: str = "api", limit: int | None = 10, *, window: float = 300
) -> None:
    asyncio.run(budget.observe(bucket, Quota(remaining, reset, limit, window)))


def test_as_long_as_nothing_is_known_everything_is_granted() -> None:
    assert lease(Budget(), 1_000) == Lease(1_000, 0.0)


def test_what_is_left_is_granted_and_then_nothing_until_the_window_ends() -> None:
    budget = Budget(Clock())
    observe(budget, remaining=3, reset=60)

    assert lease(budget, 2) == Lease(2, 0.0)
    assert lease(budget, 2) == Lease(1, 0.0)
    assert lease(budget, 2) == Lease(0, 61.0)


def test_buckets_do_not_touch_each_other() -> None:
    budget = Budget(Clock())
    observe(budget, remaining=0, reset=60)

    assert lease(budget, bucket="resolvers") == Lease(1, 0.0)


def test_answers_out_of_order_never_give_back_what_was_spent() -> None:
    budget = Budget(Clock())
    observe(budget, remaining=2, reset=60)
    observe(budget, remaining=5, reset=60)

    assert lease(budget, 5) == Lease(2, 0.0)


def test_an_answer_from_a_window_that_is_over_is_forgotten() -> None:
    budget = Budget(Clock())
    observe(budget, remaining=9, reset=300)
    observe(budget, remaining=0, reset=2)

    assert lease(budget) == Lease(1, 0.0)


def test_an_answer_from_the_next_window_counts_at_once() -> None:
    budget = Budget(Clock())
    observe(budget, remaining=0, reset=2)
    observe(budget, remaining=9, reset=300)

    assert lease(budget) == Lease(1, 0.0)


def test_when_a_window_is_over_the_policy_says_how_much_the_next_one_has() -> None:
    clock = Clock()
    budget = Budget(clock)
    observe(budget, remaining=0, reset=60, limit=4)
    clock.now += 61

    assert lease(budget, 10) == Lease(4, 0.0)
    assert lease(budget) == Lease(0, 301.0)


def test_a_guess_of_the_next_window_gives_way_to_the_first_answer() -> None:
    clock = Clock()
    budget = Budget(clock)
    observe(budget, remaining=0, reset=60, limit=4)
    clock.now += 61
    lease(budget, 4)
    observe(budget, remaining=0, reset=20, limit=4)

    assert lease(budget) == Lease(0, 21.0)


def test_without_a_policy_a_window_that_is_over_binds_no_longer() -> None:
    clock = Clock()
    budget = Budget(clock)
    observe(budget, remaining=0, reset=60, limit=None)
    clock.now += 61

    assert lease(budget, 7) == Lease(7, 0.0)


def test_requests_in_flight_are_taken_off_a_window_that_nothing_was_known_of() -> None:
    budget = Budget(Clock())
    lease(budget, 5)
    observe(budget, remaining=9, reset=60)

    assert lease(budget, 10) == Lease(5, 0.0)


def test_requests_in_flight_when_a_window_ends_count_against_the_next() -> None:
    clock = Clock()
    budget = Budget(clock)
    observe(budget, remaining=8, reset=60, limit=10)
    lease(budget, 3)
    clock.now += 61

    assert lease(budget, 10) == Lease(7, 0.0)


def test_requests_that_nobody_answered_bind_one_window_only() -> None:
    clock = Clock()
    budget = Budget(clock)
    observe(budget, remaining=8, reset=60, limit=10)
    lease(budget, 8)
    clock.now += 61
    lease(budget, 2)
    asyncio.run(budget.observe("api", None))
    asyncio.run(budget.observe("api", None))
    clock.now += 302

    assert lease(budget, 10) == Lease(10, 0.0)


def test_the_earliest_end_that_an_answer_names_is_the_window_s() -> None:
    clock = Clock()
    budget = Budget(clock)
    observe(budget, remaining=9, reset=5)
    clock.now += 0.75
    observe(budget, remaining=0, reset=4)

    assert lease(budget) == Lease(0, 5.0)


def test_an_answer_of_the_window_before_says_nothing_of_the_next_one() -> None:
    clock = Clock()
    budget = Budget(clock)
    observe(budget, remaining=0, reset=3, window=4)
    clock.now += 4
    lease(budget)
    observe(budget, remaining=0, reset=0, window=4)

    assert lease(budget, 100) == Lease(9, 0.0)


def test_the_requests_of_all_buckets_together_keep_the_rate_that_was_asked_for() -> None:
    clock = Clock()
    budget = Budget(clock, max_rps=4)

    assert [lease(budget, bucket=bucket) for bucket in ("api", "resolvers", "storage")] == [
        Lease(1, 0.0),
        Lease(1, 0.25),
        Lease(1, 0.5),
    ]
    clock.now += 10
    assert lease(budget, 8) == Lease(8, 0.0)
    assert lease(budget) == Lease(1, 2.0)


def test_what_servers_have_said_can_be_asked_for() -> None:
    budget = Budget(Clock())
    observe(budget, remaining=3, reset=60, limit=1_000)

    assert budget.quotas() == {"api": Quota(3, 60, 1_000, 300)}
