"""By what tensors can be grouped: ``--by module,dtype,layer,role,shard,depth:N``."""

from collections.abc import Callable

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.errors import RefError


class GroupKey(msgspec.Struct, frozen=True):
    """One key of a grouping. ``needs_names`` where it tells apart what a kind has folded together."""

    name: str
    of: Callable[[Row], str]
    needs_names: bool = False


def _layer(row: Row) -> str:
    """The path down to the layer, which keeps the stacks of an encoder and a decoder apart."""
    if row.place.layer is None:
        return "-"
    before, found, _ = f"{row.place.path}.".partition(f".{row.place.layer}.")
    return f"{before}.{row.place.layer}" if found else str(row.place.layer)


def _depth(levels: int) -> Callable[[Row], str]:
    return lambda row: ".".join(row.kind.example.split(".")[:levels])


KEYS = (
    GroupKey("module", lambda row: row.place.module),
    GroupKey("dtype", lambda row: row.kind.dtype.code),
    GroupKey("layer", _layer, needs_names=True),
    GroupKey("role", lambda row: str(row.place.role)),
    GroupKey("shard", lambda row: row.shard),
)
_BY_NAME = {key.name: key for key in KEYS}


def keys_of(given: str) -> tuple[GroupKey, ...]:
    """The keys that ``--by`` names. Raises RefError for one that there is not.

    >>> [key.name for key in keys_of("layer,role")]
    ['layer', 'role']
    """
    return tuple(_key(name.strip()) for name in given.split(","))


def _key(name: str) -> GroupKey:
    if (key := _BY_NAME.get(name)) is not None:
        return key
    head, _, levels = name.partition(":")
    if head == "depth" and levels.isascii() and levels.isdigit() and 0 < int(levels) < 100:
        return GroupKey(name, _depth(int(levels)), needs_names=True)
    raise RefError(f"no key {name!r} to group by", hint=f"choose from {', '.join(_BY_NAME)}, depth:N")


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """A sort key by which layer 2 comes before layer 10.

    >>> sorted(["h.10", "h.2", "h.-"], key=natural)
    ['h.2', 'h.10', 'h.-']
    """
    return tuple(
        (int(word), "") if word.isascii() and word.isdigit() and len(word) < 10 else (1 << 32, word)
        for word in text.split(".")
    )
