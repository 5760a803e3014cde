"""A set of hashes that takes eight bytes each."""

import hashlib
import sys

from hypothesis import given
from hypothesis import strategies as st

from ckptinspect.store.keys import Keys


@given(st.lists(st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 40).map(lambda n: n << 40))))
def test_a_key_is_new_once_whatever_the_others_are(keys: list[int]) -> None:
    held, plain = Keys(), set[int]()
    for key in keys:
        assert held.add(key) == (key not in plain)
        plain.add(key)

    assert len(held) == len(plain)


def test_many_keys_take_little_room() -> None:
    held = Keys()
    keys = [int.from_bytes(hashlib.blake2b(str(n).encode(), digest_size=8).digest(), "big") for n in range(20_000)]

    assert all(held.add(key) for key in keys)
    assert not any(held.add(key) for key in keys)
    assert sys.getsizeof(held._table) < 16 * 20_000 + 200
