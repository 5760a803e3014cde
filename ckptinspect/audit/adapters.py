"""An adapter's pairs against the weights that they change (PEFT, ``lora_A`` and ``lora_B``)."""

from collections.abc import Mapping

import msgspec

from ckptinspect.analysis.count import count
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.analysis.names import rows_by_tensor
from ckptinspect.audit.subject import WeightFile
from ckptinspect.model import Checkpoint, Shape, Tensor
from ckptinspect.text import quoted

_OUTER = "base_model.model."
_A, _B = ".lora_A.weight", ".lora_B.weight"
_WEIGHTS = (".weight", ".qweight", ".weight_packed", ".W_q")


class Misfit(msgspec.Struct, frozen=True):
    """An adapter's tensor that does not fit, and why."""

    name: str
    why: str


def modules_of(base: Checkpoint) -> Mapping[str, Shape | None]:
    """The modules of a model by path: the shape of the weight, None where it is packed."""
    found: dict[str, Shape | None] = {}
    for tensor, row in rows_by_tensor(base, count(base)):
        for ending in _WEIGHTS:
            if tensor.name.endswith(ending):
                plain = ending == ".weight" and row.meaning is not Meaning.UNEXPLAINED
                whole = plain and row.parameters in {tensor.elements, 0} and len(tensor.shape) == 2
                found[tensor.name.removesuffix(ending)] = tensor.shape if whole else None
    return found


def misfits_in(weight: WeightFile, modules: Mapping[str, Shape | None]) -> list[Misfit]:
    """The pairs of an adapter that fit no module of the base; sorted by name."""
    if weight.header is None or weight.header.raw is None:
        return []
    tensors = {tensor.name: tensor for tensor in weight.header.tensors}
    found = []
    for name in sorted(tensors):
        if name.endswith(_A) and len(tensors[name].shape) == 2:
            module = name.removesuffix(_A)
            why = _why(module.removeprefix(_OUTER), tensors[name], tensors.get(module + _B), modules)
            if why is not None:
                found.append(Misfit(name, why))
    return found


def _why(module: str, down: Tensor, up: Tensor | None, modules: Mapping[str, Shape | None]) -> str | None:
    names = (module, f"model.{module}", module.removeprefix("model."))
    known = next((name for name in names if name in modules), None)
    if known is None:
        return f"the base has no {quoted(module)}"
    shape = modules[known]
    if shape is None or up is None or len(up.shape) != 2:
        return None
    if (up.shape[0], down.shape[1]) == shape:
        return None
    return f"{quoted(module)} is [{shape[0]}, {shape[1]}] in the base, [{up.shape[0]}, {down.shape[1]}] in the adapter"
