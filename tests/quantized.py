"""Modules in a scheme's layout, put into a checkpoint and counted."""

from collections.abc import Mapping

from ckptinspect.analysis.count import Count, count
from ckptinspect.analysis.names import by_tensor
from ckptinspect.analysis.notes import notes_on
from ckptinspect.quant.base import Explained
from tests.checkpoints import checkpoint_of
from tests.folders import Shapes
from tests.layouts import Leaves, at

PATH = "model.layers.3.self_attn.q_proj"
NORM = "model.layers.3.input_layernorm.weight"


def counted(
    tensors: Shapes, config: Mapping[str, object] | None = None, metadata: Mapping[str, str] | None = None
) -> Count:
    """The count of these tensors, which comes to the same tensor by tensor."""
    checkpoint = checkpoint_of(tensors, config, metadata)
    found = count(checkpoint)
    assert by_tensor(checkpoint, found).total == found.total
    assert sum(elements for _, elements in found.decomposition) == found.total.parameters
    return found


def said_of(
    leaves: Leaves, *, norm: int | None = None, claims: Mapping[str, object] | None = None, path: str = PATH
) -> Explained | None:
    """What is said of one module, with a norm of this width in front of it and a quantization section beside it."""
    tensors = dict(at(path, leaves))
    if norm is not None:
        tensors[NORM] = ("BF16", (norm,))
    found = counted(tensors, {"quantization_config": claims} if claims is not None else None)
    explained = [one for one in found.explained if one.parameters]
    assert len(explained) < 2
    return explained[0] if explained else None


def told(tensors: Shapes, config: Mapping[str, object] | None = None, code: str = "quantization-config") -> list[str]:
    """The sentences under a code that are said of a checkpoint of these tensors."""
    checkpoint = checkpoint_of(tensors, config)
    return [note.message for note in notes_on(checkpoint, count(checkpoint)) if note.code == code]
