"""The shape of a weight as the model has it, whatever it is stored as: the one place that packed weights ask.

A scheme that packs its weights changes their stored shape and says what it was, where that can be told.
"""

from collections.abc import Mapping

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.model import Shape

Leaves = Mapping[str, Row]
"""The tensors of one module, by what follows its path in their names."""

_BIASES = ("bias", "beta")


class Matrix(msgspec.Struct, frozen=True):
    """A weight that multiplies: ``inputs`` features in, ``outputs`` out, once for each of ``copies`` experts."""

    inputs: int
    outputs: int
    copies: int = 1

    @property
    def parameters(self) -> int:
        """Elements of all copies."""
        return self.inputs * self.outputs * self.copies


def matrix_of(leaves: Leaves) -> Matrix | None:
    """The matrix of a module that has one as ``weight``; None where there is none or its shape is not known."""
    shape = logical_shape(leaves, "weight")
    if shape is None or len(shape) != 2:
        return None
    outputs, inputs = shape
    bias = next((leaves[leaf].kind.shape for leaf in _BIASES if leaf in leaves), None)
    if bias == (inputs,) != (outputs,):
        # Conv1D of GPT-2 is stored [in, out]; the length of its bias tells.
        inputs, outputs = outputs, inputs
    return Matrix(inputs, outputs)


def logical_shape(leaves: Leaves, leaf: str) -> Shape | None:
    """The shape before any packing, of a ``weight`` under whatever name it is packed; None where nothing tells it."""
    packed = (row for row in leaves.values() if row.meaning is Meaning.PARAMETER and row.shape is not None)
    row = next(packed, None) if leaf == "weight" else None
    row = row or leaves.get(leaf)
    return shape_of(row) if row is not None and row.meaning is Meaning.PARAMETER else None


def shape_of(row: Row) -> Shape | None:
    """The shape of what a row's tensors stand for; None where that is packed and nothing tells it."""
    if row.shape is not None:
        return row.shape
    return row.kind.shape if row.parameters == row.kind.elements else None


def is_packed(leaves: Leaves) -> bool:
    """Whether the module has a weight whose shape is not known."""
    return any(
        row.meaning is Meaning.UNEXPLAINED
        or (row.meaning is Meaning.PARAMETER and row.parameters and shape_of(row) is None)
        for row in leaves.values()
    )
