import os

import pytest

from ckptinspect.bench.base import Cache
from ckptinspect.bench.methods.limits import Memcpy, StorageDirect
from ckptinspect.bench.methods.read import DirectFull, ReadRing
from ckptinspect.bench.tuning import bound_on, chosen, threads_by_bound, threads_for
from tests.unit.bench.test_summary import trial


@pytest.mark.parametrize(
    ("speeds", "expected"),
    [
        ({1: [1.0], 2: [0.8], 4: [0.9]}, 2),
        ({1: [1.0], 2: [0.5], 4: [0.5]}, 1),
        ({1: [1.0], 2: [1.1], 4: [2.0]}, 4),
        ({1: [2.0, 1.0], 2: [1.0, 1.0], 4: [1.0, 1.0]}, 1),
        ({1: [2.0, 1.0], 2: [1.0, 1.9], 4: [1.0, 1.0]}, 2),
        ({8: [1.0]}, 8),
    ],
)
def test_one_thread_a_processor_unless_another_number_is_faster_by_far(
    speeds: dict[int, list[float]], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})

    assert chosen(speeds) == expected


def test_loads_take_the_threads_of_what_bounds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    warm_up = [
        trial("limit-storage:direct", 0, 1.0, threads=1),
        trial("limit-storage:direct", 0, 4.0, threads=4),
        trial("limit-storage:buffered", 0, 1.0, threads=1),
        trial("limit-storage:buffered", 0, 4.0, threads=4),
        trial("limit-memcpy", 0, 9.0, "warm", threads=2),
        trial("limit-memcpy", 0, 90.0, "warm", threads=64),
        trial("read-ring", 0, 99.0, threads=64),
    ]

    assert threads_by_bound(warm_up, (1, 2, 4)) == {"storage": 4, "memcpy": 2}
    assert threads_for(DirectFull(), Cache.COLD, {"storage": 2}, (1, 2, 4)) == 4
    assert threads_for(DirectFull(), Cache.COLD, {"storage": 4}, (1, 2, 4)) == 4
    assert threads_for(DirectFull(), Cache.COLD, {"storage": 2}, (2,)) == 2
    assert threads_for(DirectFull(), Cache.COLD, {}, (1, 2, 4)) == 4
    assert threads_for(ReadRing(), Cache.COLD, {"storage": 2}, (1, 2, 4)) == 2
    assert threads_for(ReadRing(), Cache.WARM, {"storage": 2, "memcpy": 1}, (4, 1, 2)) == 1
    assert bound_on(DirectFull(), Cache.COLD) == bound_on(StorageDirect(), Cache.COLD) == "storage"
    assert bound_on(ReadRing(), Cache.WARM) == bound_on(Memcpy(), Cache.COLD) == "memcpy"
