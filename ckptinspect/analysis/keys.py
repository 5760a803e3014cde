"""By what tensors can be grouped: ``--by module,dtype,layer,role,base,shard,depth:N``.

An adapter's tensors are grouped by the module of the base that they adapt: its path, its layer, its role.
"""

from collections.abc import Callable
from functools import lru_cache

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.errors import RefError
from ckptinspect.model import Place
from ckptinspect.naming.adapters import base_path
from ckptinspect.naming.base import Naming
from ckptinspect.naming.roles import Role
from ckptinspect.text import quoted


class GroupKey(msgspec.Struct, frozen=True):
    """One key of a grouping. ``needs_names`` where it tells apart what a kind has folded together."""

    name: str
    of: Callable[[Row], str]
    needs_names: bool = False


def _layer(row: Row) -> str:
    """The path down to the layer, which keeps the stacks of an encoder and a decoder apart."""
    place = _place(row)
    if place.layer is None:
        return "-"
    before, found, _ = f"{place.path}.".partition(f".{place.layer}.")
    return f"{before}.{place.layer}" if found else str(place.layer)


def _place(row: Row) -> Place:
    """Where a tensor stands; that of an adapter, in its base."""
    if row.place.role != Role.ADAPTER or not (base := base_path(row.kind.example)):
        return row.place
    return _place_in_base(base)


@lru_cache(4096)
def _place_in_base(path: str) -> Place:
    return Naming(()).place(f"{path}.weight")


def _base(row: Row) -> str:
    """The path of the module that a tensor belongs to, without wrappers; that which an adapter's tensor adapts."""
    return base_path(row.kind.example) or "-"


def _depth(levels: int) -> Callable[[Row], str]:
    return lambda row: ".".join(row.kind.example.split(".")[:levels])


KEYS = (
    GroupKey("module", lambda row: row.place.module),
    GroupKey("dtype", lambda row: row.kind.dtype.code),
    GroupKey("layer", _layer, needs_names=True),
    GroupKey("role", lambda row: str(_place(row).role)),
    GroupKey("base", _base, needs_names=True),
    GroupKey("shard", lambda row: row.shard),
)
_BY_NAME = {key.name: key for key in KEYS}


def keys_of(*given: str) -> tuple[GroupKey, ...]:
    """The keys that ``--by`` names, all of them where it is given more than once.

    Raises RefError for one that there is not, and for one that is named twice.

    >>> [key.name for key in keys_of("layer,role", "depth:2")]
    ['layer', 'role', 'depth:2']
    """
    keys = tuple(_key(name.strip()) for names in given for name in names.split(","))
    names = [key.name for key in keys]
    if again := next((name for name in names if names.count(name) > 1), None):
        raise RefError(f"{quoted(again)} is named twice", "--by", "name each key once")
    return keys


def _key(name: str) -> GroupKey:
    if (key := _BY_NAME.get(name)) is not None:
        return key
    head, _, levels = name.partition(":")
    if head.rstrip() != "depth":
        what = f"no key {quoted(name)} to group by" if name else "it names no key to group by"
        raise RefError(what, "--by", f"choose from {', '.join(_BY_NAME)}, depth:N")
    levels = levels.strip()
    if levels.isascii() and levels.isdigit() and len(levels) < 3 and int(levels):
        return GroupKey(f"depth:{int(levels)}", _depth(int(levels)), needs_names=True)
    raise RefError(f"{quoted(name)} has no depth from 1 to 99", "--by", "write depth:2")


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """A sort key by which layer 2 comes before layer 10.

    >>> sorted(["h.10", "h.2", "h.-"], key=natural)
    ['h.2', 'h.10', 'h.-']
    """
    return tuple(
        (int(word), "") if word.isascii() and word.isdigit() and len(word) < 10 else (1 << 32, word)
        for word in text.split(".")
    )
