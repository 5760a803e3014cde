"""What a run audits, and in what portions."""

import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property

import msgspec

from ckptinspect.errors import RefError
from ckptinspect.text import quoted


class Target(msgspec.Struct, frozen=True, omit_defaults=True):
    """One checkpoint to audit. ``commit`` is what a listing knows it to be at; ``cached`` says that it lies in the
    local Hub cache, and is read there.
    """

    ref: str
    commit: str | None = None
    cached: bool = False

    @property
    def key(self) -> int:
        """A number that stands for the REF, so that millions can be remembered."""
        return int.from_bytes(_digest(self.ref, 8), "big")


class Batch(msgspec.Struct, frozen=True, dict=True):
    """Targets that are audited together, and whose rows are written together."""

    number: int
    targets: tuple[Target, ...]

    @cached_property
    def name(self) -> str:
        """The same for the same targets at the same place of a run."""
        return f"{self.number:08d}-{_digest(repr(self.targets), 6).hex()}"


class Shard(msgspec.Struct, frozen=True):
    """The part of a run that one of several machines does: number ``number`` of ``count``, from 1 on.

    >>> sum(Shard(number, 3).has(Target("org/name")) for number in (1, 2, 3))
    1
    """

    number: int = 1
    count: int = 1

    def has(self, target: Target) -> bool:
        """Whether a target is in this part, which its REF alone decides."""
        return target.key % self.count == self.number - 1


def parse_shard(given: str) -> Shard:
    """The part that ``i/N`` spells. Raises RefError for what spells none.

    >>> parse_shard("2/16")
    Shard(number=2, count=16)
    """
    number, slash, count = given.partition("/")
    if slash and number.isascii() and number.isdigit() and count.isascii() and count.isdigit() and len(given) < 20:
        shard = Shard(int(number), int(count))
        if 1 <= shard.number <= shard.count:
            return shard
    raise RefError(f"{quoted(given)} is no part of a whole", "--shard", "write 1/4 for the first of four")


def batches_of(targets: Iterable[Target], size: int) -> Iterator[Batch]:
    """The targets in portions of ``size``, numbered from 0."""
    number, portion = 0, list[Target]()
    for target in targets:
        portion.append(target)
        if len(portion) == size:
            yield Batch(number, tuple(portion))
            number, portion = number + 1, []
    if portion:
        yield Batch(number, tuple(portion))


def _digest(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()
