"""A pace that is kept elsewhere: what is asked for goes in as few calls as it can, and everybody gets an answer."""

import asyncio
from collections.abc import Mapping

import pytest

from ckptinspect.engines.pace import Relay, Said, exchanged
from ckptinspect.sources.budget import Budget, Lease, PaceLostError, Quota


class Elsewhere:
    """A budget that is a call away."""

    def __init__(self, fails_after: int = 1_000) -> None:
        self.budget = Budget()
        self.calls: list[tuple[list[tuple[str, Quota | None]], dict[str, int]]] = []
        self.left = fails_after

    async def exchange(self, said: Said, wanted: Mapping[str, int]) -> Mapping[str, Lease]:
        self.calls.append((list(said), dict(wanted)))
        await asyncio.sleep(0.01)
        self.left -= 1
        if self.left < 0:
            raise ConnectionError("the other side is gone")
        return await exchanged(self.budget, said, wanted)


def test_what_is_asked_for_during_a_call_goes_with_the_next() -> None:
    elsewhere = Elsewhere()

    async def ask() -> list[Lease]:
        relay = Relay(elsewhere.exchange, limited=False)
        return await asyncio.gather(*(relay.lease("api") for _ in range(20)), relay.lease("resolvers"))

    assert asyncio.run(ask()) == [Lease(1, 0.0)] * 21
    assert elsewhere.calls == [([], {"api": 20, "resolvers": 1})]


def test_answers_are_told_of_before_more_is_asked_for() -> None:
    elsewhere = Elsewhere()

    async def ask() -> list[Lease]:
        relay = Relay(elsewhere.exchange, limited=False)
        first = await relay.lease("api")
        await relay.observe("api", Quota(2, 60, 10, 60))
        return [first, *await asyncio.gather(*(relay.lease("api") for _ in range(3)))]

    leases = asyncio.run(ask())
    assert [lease.granted for lease in leases] == [1, 1, 1, 0]
    assert elsewhere.calls[1] == ([("api", Quota(2, 60, 10, 60))], {"api": 3})


def test_requests_to_storage_are_asked_for_only_where_the_rate_is_bounded() -> None:
    elsewhere = Elsewhere()

    async def ask(*, limited: bool) -> Lease:
        relay = Relay(elsewhere.exchange, limited=limited)
        lease = await relay.lease("storage")
        await relay.observe("storage", None)
        return lease

    assert asyncio.run(ask(limited=False)) == Lease(1, 0.0)
    assert elsewhere.calls == []
    assert asyncio.run(ask(limited=True)) == Lease(1, 0.0)
    assert len(elsewhere.calls) == 1


def test_a_pace_that_is_lost_is_told_to_all_and_to_whoever_asks_later() -> None:
    elsewhere = Elsewhere(fails_after=0)

    async def ask() -> list[Lease | BaseException]:
        relay = Relay(elsewhere.exchange, limited=False)
        answers = await asyncio.gather(*(relay.lease("api") for _ in range(3)), return_exceptions=True)
        await relay.observe("api", None)
        with pytest.raises(PaceLostError):
            await relay.lease("api")
        return answers

    assert [str(answer) for answer in asyncio.run(ask())] == ["ConnectionError: the other side is gone"] * 3
    assert len(elsewhere.calls) == 1
