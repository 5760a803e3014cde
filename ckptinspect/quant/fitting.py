"""Whether a tensor can be what serves a weight: a scale for all of it, for its rows, columns, blocks or groups.

A name alone proves nothing: ``scale`` may be learned, and a tensor of any size may be called ``input_scale``.
"""

from math import prod

from ckptinspect.model import Kind, Shape
from ckptinspect.quant.packing import group_of

# The smallest group that shares a scale in any writer.
_SMALLEST = 8
# Shapes, orders and texts that stand beside a weight as data.
_FEW = 4
_TEXT = 4_096
_TEXTS = frozenset(("comfy_quant",))
_INTEGERS = frozenset({"U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "BOOL"})


def fits(scale: Shape, weight: Shape) -> bool:
    """Whether a tensor of this shape can hold scales of a weight, [out, in] with whatever stands before.

    >>> fits((), (512, 1024)), fits((512, 1), (512, 1024)), fits((4, 8), (512, 1024)), fits((4, 1, 8, 1), (512, 1024))
    (True, True, True, True)
    >>> fits((77, 3), (512, 1024)), fits((512, 1024), (512, 1024)), fits((999,), (512, 1024))
    (False, False, False)
    """
    dims = [dim for dim in scale if dim != 1]
    if not prod(dims):
        return prod(scale) == 0
    at, finer = 0, False
    for dim in dims:
        while at < len(weight) and not _shares(dim, weight[at]):
            at, finer = at + 1, True
        if at == len(weight):
            return False
        finer |= dim != weight[at]
        at += 1
    return finer or any(dim > 1 for dim in weight[at:]) or prod(weight) == 1


def serves(kind: Kind, leaf: str, shapes: tuple[Shape, ...]) -> bool:
    """Whether a tensor under the name of a scale, a zero point or an order can serve weights of these shapes."""
    if leaf in _TEXTS:
        return kind.rank == 1 and kind.elements <= _TEXT
    if kind.elements <= 1:
        return True
    if kind.dtype.code not in _INTEGERS:
        return any(fits(kind.shape, shape) for shape in shapes)
    # Zero points are packed, and the order of the inputs has a number for each.
    few = max((max(prod(shape) // _SMALLEST, *shape) for shape in shapes if len(shape) > 1), default=0)
    return kind.elements <= max(few, _FEW) and (kind.dtype.bits != 8 or any(fits(kind.shape, s) for s in shapes))


def _shares(groups: int, values: int) -> bool:
    """Whether so many scales may serve so many values: one each, or one for a group of them."""
    return groups == values or (group_of(values, groups) or 0) >= _SMALLEST
