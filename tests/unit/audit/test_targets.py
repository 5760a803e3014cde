"""Targets, their batches, and the parts of a run that several machines do."""

from collections.abc import Iterator

import pytest

from ckptinspect.audit.targets import Batch, Shard, Target, batches_of, parse_shard
from ckptinspect.errors import RefError


def test_batches_are_numbered_and_named_by_what_is_in_them() -> None:
    batches = list(batches_of(map(Target, "abcde"), 2))

    assert [(batch.number, "".join(target.ref for target in batch.targets)) for batch in batches] == [
        (0, "ab"),
        (1, "cd"),
        (2, "e"),
    ]
    assert batches[0].name == Batch(0, (Target("a"), Target("b"))).name
    assert batches[0].name.startswith("00000000-")
    assert len({batch.name for batch in batches}) == 3
    assert Batch(0, (Target("a"), Target("b", "f" * 40))).name != batches[0].name


def test_nothing_is_taken_of_the_targets_before_a_batch_is_wanted() -> None:
    def endless() -> Iterator[Target]:
        while True:
            yield Target("a")

    assert next(batches_of(endless(), 3)).targets == (Target("a"),) * 3


@pytest.mark.parametrize("count", [1, 2, 7])
def test_every_target_is_in_one_part_whatever_stands_beside_it(count: int) -> None:
    targets = [Target(f"org/name-{number}") for number in range(200)]
    parts = [Shard(number, count) for number in range(1, count + 1)]

    assert all(sum(part.has(target) for part in parts) == 1 for target in targets)
    assert all(sum(part.has(target) for target in targets) > 100 / count for part in parts)


@pytest.mark.parametrize("given", ["", "1", "0/2", "3/2", "1/0", "-1/2", "a/b", "1/2/3", "1 / 2", "1/" + "9" * 30])
def test_what_is_no_part_of_a_whole_is_a_usage_error(given: str) -> None:
    with pytest.raises(RefError, match="is no part of a whole; write 1/4 for the first of four"):
        parse_shard(given)


def test_a_ref_that_is_no_unicode_is_a_target_too() -> None:
    assert Batch(0, (Target("model-\udcff"),)).name.startswith("00000000-")
