"""The shape of a weight as the model has it, whatever it is stored as: the one place that packed weights ask.

A scheme that packs its weights changes their stored shape; until it says what they were, there is none.
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
    """The shape before any packing; None where the header does not show it."""
    row = leaves.get(leaf)
    if row is None or row.meaning is not Meaning.PARAMETER or row.parameters != row.kind.elements:
        return None
    return row.kind.shape


def is_packed(leaves: Leaves) -> bool:
    """Whether the module has a weight whose shape its header does not show."""
    return any(
        row.meaning is Meaning.UNEXPLAINED or (row.meaning is Meaning.PARAMETER and row.parameters != row.kind.elements)
        for row in leaves.values()
    )
