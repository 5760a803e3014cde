"""An adapter's pairs of low-rank matrices against the weights that they change."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from ckptinspect.analysis.count import Row, count
from ckptinspect.analysis.estimate.shapes import Matrix, is_packed, matrix_of
from ckptinspect.analysis.names import rows_by_tensor
from ckptinspect.model import Checkpoint, Tensor
from ckptinspect.naming.adapters import adapter_name
from ckptinspect.text import quoted

# Parts of a pair: what leads from the inputs, and what to the outputs.
_SIDES = {"A": "down", "down": "down", "B": "up", "up": "up"}
# What an adapter of a pipeline has in front, and a base that is one of its components alone has not.
_COMPONENTS = frozenset({"unet", "transformer", "text_encoder", "text_encoder_2", "text_encoder_3"})
# An embedding's rows are what goes in.
_EMBEDDING = "lora_embedding_"


class Misfit(msgspec.Struct, frozen=True):
    """An adapter's tensor that does not fit, and why: its module is ``missing`` in the base, or of another shape."""

    name: str
    why: str
    missing: bool


class _Pair(msgspec.Struct, frozen=True):
    """The matrices of a module: ``down`` is [rank, in], ``up`` [out, rank], which may be missing."""

    module: str
    down: Tensor
    up: Tensor | None


def modules_of(base: Checkpoint) -> Mapping[str, Matrix | None]:
    """The modules of a model by path, with the matrix of each; None where it has none, or where that is not known.

    Those of a pipeline's component stand there with its name in front as well.
    """
    counted = count(base)
    leaves: dict[tuple[str, str], dict[str, Row]] = {}
    for tensor, row in rows_by_tensor(base, counted):
        path = row.place.path
        leaves.setdefault((row.component, path), {})[tensor.name[len(path) + 1 :]] = row
    found: dict[str, Matrix | None] = {tie.name.rpartition(".")[0]: None for tie in counted.ties}
    for (component, path), own in leaves.items():
        matrix = None if is_packed(own) else matrix_of(own)
        found |= dict.fromkeys((path, f"{component}.{path}") if component else (path,), matrix)
    return found


def misfits_in(adapter: Iterable[Tensor], modules: Mapping[str, Matrix | None]) -> list[Misfit]:
    """The pairs of an adapter that fit no module of the base; sorted by name."""
    found = (_misfit(pair, modules) for pair in _pairs(adapter))
    return sorted((misfit for misfit in found if misfit is not None), key=lambda misfit: misfit.name)


def _pairs(adapter: Iterable[Tensor]) -> Iterator[_Pair]:
    """The LoRA pairs of linear layers and embeddings whose module can be read off their names."""
    pairs: dict[tuple[str, str], dict[str, Tensor]] = {}
    for tensor in adapter:
        said = adapter_name(tensor.name)
        if said is not None and said.method == "lora" and said.resolved and said.part in _SIDES:
            pairs.setdefault((said.base, said.adapter), {})[_SIDES[said.part]] = tensor
    for (module, _), pair in pairs.items():
        if "down" in pair and len(pair["down"].shape) == 2:
            yield _Pair(module, pair["down"], pair.get("up"))


def _misfit(pair: _Pair, modules: Mapping[str, Matrix | None]) -> Misfit | None:
    names = [pair.module, f"model.{pair.module}", pair.module.removeprefix("model.")]
    component, _, inside = pair.module.partition(".")
    if component in _COMPONENTS:
        names.append(inside)
    known = next((name for name in names if name in modules), None)
    if known is None:
        # A layer of fused experts is a module without a weight of its own, above those that have parameters.
        above = any(path.startswith(f"{name}.") for name in names for path in modules)
        why = f"the base has no {quoted(pair.module)}"
        return None if above else Misfit(pair.down.name, why, missing=True)
    matrix, up = modules[known], pair.up
    if matrix is None or up is None or len(up.shape) != 2:
        return None
    theirs, ours = (matrix.outputs, matrix.inputs), (up.shape[0], pair.down.shape[1])
    if _EMBEDDING in pair.down.name:
        ours = ours[::-1]
    if ours == theirs:
        return None
    why = f"{quoted(pair.module)} is [{theirs[0]}, {theirs[1]}] in the base, [{ours[0]}, {ours[1]}] in the adapter"
    return Misfit(pair.down.name, why, missing=False)
