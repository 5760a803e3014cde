"""Two checkpoints -> the tensors that are the same on both sides, and the rows of all others.

Checkpoints of one family share most of their headers, so tensors that are the same are found without a value
for each, and headers that are the same to the byte without a look inside.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from ckptinspect.analysis.count import Count, Row
from ckptinspect.analysis.diff.base import Name, name_of
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.analysis.names import rows_by_tensor
from ckptinspect.analysis.quantized import tensor_keys
from ckptinspect.model import Checkpoint, KindKey, Shard, Tensor

Rows = dict[Name, Row]
_Identity = tuple[object, ...]
_Found = dict[tuple[str, str, int], tuple[Shard, Tensor]]


class Unlike(msgspec.Struct):
    """The tensors that are not the same on both sides.

    ``again`` are those whose name has stood in another shard before: slices, and tensors that are stored twice.
    """

    old: Rows
    new: Rows
    again: tuple[list[Row], list[Row]]


def unlike(old: tuple[Checkpoint, Count], new: tuple[Checkpoint, Count]) -> Unlike:
    """What is left of two checkpoints without the tensors of the same name, dtype, shape and meaning.

    Needs checkpoints that were opened with their names.
    """
    alike = _alike_shards(old[0].shards, new[0].shards) if _verdicts(old[1]) == _verdicts(new[1]) else Counter()
    left, right = _tensors(old[0].shards, alike), _tensors(new[0].shards, alike)
    same = {key for key in left.keys() & right.keys() if _form(left[key][1]) == _form(right[key][1])}
    same -= set(_judged_otherwise(same, left, right, _disputed(old[1], new[1])))
    (olds, again), (news, too) = (
        _rows(*side, {key: found[key] for key in found.keys() - same}) for side, found in ((old, left), (new, right))
    )
    return Unlike(olds, news, (again, too))


def _alike_shards(old: Iterable[Shard], new: Iterable[Shard]) -> "Counter[_Identity]":
    """What identifies the shards that both sides have, to the last byte of their headers, and how many there are."""
    return Counter(filter(None, map(_identity, old))) & Counter(filter(None, map(_identity, new)))


def _identity(shard: Shard) -> _Identity | None:
    header = shard.header
    if header is None or header.raw is None:
        return None
    return shard.component, header.raw, header.apart, shard.repeated


def _tensors(shards: Iterable[Shard], alike: "Counter[_Identity]") -> _Found:
    """The tensors of all other shards, by component, name, and their number among those of that name."""
    rest = Counter(alike)
    seen: Counter[tuple[str, str]] = Counter()
    found: _Found = {}
    for shard in shards:
        identity = _identity(shard)
        if identity is not None and rest[identity]:
            rest[identity] -= 1
            continue
        for tensor in shard.header.tensors if shard.header is not None else ():
            name = (shard.component, tensor.name)
            found[*name, seen[name]] = shard, tensor
            seen[name] += 1
    return found


def _form(tensor: Tensor) -> tuple[object, ...]:
    return tensor.dtype.code, tensor.shape, tensor.nbytes


def _verdicts(counted: Count) -> dict[tuple[str, KindKey], set[tuple[object, int]]]:
    """What each kind is, as a count has it."""
    found: dict[tuple[str, KindKey], set[tuple[object, int]]] = {}
    for row in counted.rows:
        found.setdefault((row.component, row.kind.key), set()).add((row.meaning, row.parameters))
    return found


def _disputed(old: Count, new: Count) -> set[tuple[str, KindKey]]:
    """The kinds that both have, and of which they may not say the same."""
    left, right = _verdicts(old), _verdicts(new)
    return {key for key in left.keys() & right.keys() if left[key] != right[key] or len(left[key]) > 1}


def _judged_otherwise(
    same: Iterable[tuple[str, str, int]], left: _Found, right: _Found, disputed: set[tuple[str, KindKey]]
) -> Iterator[tuple[str, str, int]]:
    """Of the tensors that look the same those that may not be, since the configs say other things of them."""
    if not disputed:
        return
    for key in same:
        for shard, tensor in (left[key], right[key]):
            apart = shard.header.apart if shard.header is not None else ()
            if (shard.component, tensor_keys([tensor], apart)[0]) in disputed:
                yield key
                break


def _rows(checkpoint: Checkpoint, counted: Count, found: _Found) -> tuple[Rows, list[Row]]:
    """The rows of some tensors; apart those whose name comes again."""
    rows: Rows = {}
    again: list[Row] = []
    if found:
        wanted = {(shard.path, tensor.name) for shard, tensor in found.values()}
        for _, row in rows_by_tensor(checkpoint, counted, wanted):
            name = name_of(row)
            if row.meaning is Meaning.REPEATED or name in rows:
                again.append(row)
            else:
                rows[name] = row
    return rows, again
