"""Which of many keys were met before, in eight bytes a key: a run of millions remembers each of its REFs."""

from array import array

_SMALLEST = 1_024
_FULL = 2 / 3


class Keys:
    """A set of numbers from 0 to 2**64 - 1 that are spread evenly, such as hashes: open addressing, probed in order.

    >>> keys = Keys()
    >>> keys.add(7), keys.add(7), keys.add(0), keys.add(0), len(keys)
    (True, False, True, False, 2)
    """

    def __init__(self) -> None:
        self._table = array("Q", bytes(8 * _SMALLEST))
        self._held = 0
        # Zero marks a place that is free, so it is remembered by itself.
        self._zero = False

    def __len__(self) -> int:
        return self._held + self._zero

    def add(self, key: int) -> bool:
        """Remember a key; whether it is new."""
        if key == 0:
            new, self._zero = not self._zero, True
            return new
        place = self._place(key)
        if self._table[place] == key:
            return False
        self._table[place] = key
        self._held += 1
        if self._held > _FULL * len(self._table):
            self._grow()
        return True

    def _place(self, key: int) -> int:
        """Where the key is, or is to go."""
        table, last = self._table, len(self._table) - 1
        place = key & last
        while table[place] not in {0, key}:
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        old, self._table = self._table, array("Q", bytes(16 * len(self._table)))
        for key in old:
            if key:
                self._table[self._place(key)] = key
