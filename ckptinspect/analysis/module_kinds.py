"""The class of a module, read off the names and shapes of its tensors and of its neighbours.

What ``print(model)`` would say, as far as a header can tell: groups and strides of a convolution, the groups of
a GroupNorm and whether a norm without bias subtracts the mean are not stored. Whatever is not sure is a Parameter.
"""

from collections.abc import Iterable, Sequence

import msgspec

from ckptinspect.analysis.folding import Structure
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.analysis.owners import Part
from ckptinspect.model import elements_in
from ckptinspect.naming.roles import Role

Value = int | bool | str | tuple[int, ...]
Attributes = tuple[tuple[str, Value], ...]

_WEIGHTS = ("weight", "gamma", "weight_v", "weight.original1", "scale")
_BIASES = ("bias", "beta")
# Arguments by a name that a tensor of a quantized module has too (HQQ's ``shape``).
_TAKEN = frozenset(("shape",))
_NO_EMBEDDING = ("proj", "linear", "dense", "fc", "patch")
_NORMS = ("norm", "ln", "bn")
_TRANSPOSED = ("transpose", "deconv", "upsample", "ups")


class Module(msgspec.Struct, frozen=True):
    """A module that owns tensors: its class, and the arguments that ``print(model)`` gives."""

    kind: str
    attributes: Attributes = ()


class Owned(msgspec.Struct, frozen=True):
    """A module, or a bare parameter, with its tensors; ``leaf`` names it below its owner, where it is bare."""

    leaf: str
    module: Module
    parts: tuple[Part, ...]


class Around(msgspec.Struct, frozen=True):
    """What the neighbours of a module tell about it.

    ``name`` is its own; ``rank`` that of the weights of the convolutions beside it, 0 where there are none;
    ``transposed`` says whether weights beside it are stored [in, out].
    """

    name: str
    rank: int = 0
    transposed: bool = False


def around(name: str, siblings: Iterable[tuple[str, Structure]]) -> Around:
    """What stands beside a module."""
    rank, transposed = 0, False
    for _, sibling in siblings:
        weight, bias = weight_and_bias(sibling.parts)
        if weight is not None:
            rank = max(rank, len(weight.shape) if len(weight.shape) in {4, 5} else 0)
            transposed = transposed or (bias is not None and _is_transposed(weight, bias))
    return Around(name, rank, transposed)


def owned_by(parts: Sequence[Part], beside: Around) -> list[Owned]:
    """The module that these tensors make, or each of them as a parameter of its own."""
    own = tuple(part for part in parts if part.leaf)
    found = [Owned("", bare(part), (part,)) for part in parts if not part.leaf]
    if len(found) == 1 and own and not _found(own, (*_WEIGHTS, *_BIASES)):
        # A bare parameter with the scales that are named after it.
        return [Owned("", _with_scales(found[0].module, parts), tuple(parts))]
    if not own:
        return found
    module = module_of(own, beside)
    if module is not None:
        return [*found, Owned("", module, own)]
    return [*found, *(Owned(part.leaf, bare(part), (part,)) for part in own)]


def weight_and_bias(parts: Sequence[Part]) -> tuple[Part | None, Part | None]:
    """The two tensors of a module that most classes have."""
    return _found(parts, _WEIGHTS), _found(parts, _BIASES)


def bare(part: Part) -> Module:
    """A tensor that makes no module of a known class."""
    if part.meaning is Meaning.UNEXPLAINED:
        return Module("Packed", ((part.leaf or "packed", _typed(part)),))
    if part.meaning is Meaning.BUFFER:
        return Module("Buffer", (("shape", part.shape),))
    return Module("Parameter", (("shape", part.shape), *_remark(part)))


def module_of(parts: Sequence[Part], beside: Around) -> Module | None:
    """The class that tensors of these names and shapes belong to; None where it is not sure."""
    packed = any(_is_packed(part) or part.container for part in parts)
    module = None if any(map(_is_packed, parts)) else _known(parts, beside)
    if module is None and packed:
        return Module("Packed", tuple((part.container or part.leaf, _typed(part)) for part in _packed_first(parts)))
    return module


def _known(parts: Sequence[Part], beside: Around) -> Module | None:
    weight, bias = weight_and_bias(parts)
    if weight is None or _doubled(parts):
        return None
    if len(weight.shape) == 1:
        module = _norm(weight, bias, beside, running=_found(parts, ("running_mean",)) is not None)
    elif len(weight.shape) == 2:
        module = _matrix(weight, bias, beside)
    elif weight.leaf != "scale" and len(weight.shape) in {3, 4, 5}:
        module = _convolution(weight, bias, beside)
    else:
        return None
    return None if module is None else _with_scales(Module(module.kind, (*module.attributes, *_remark(weight))), parts)


def _norm(weight: Part, bias: Part | None, beside: Around, *, running: bool) -> Module | None:
    size = weight.shape[0]
    if bias is not None and bias.shape != weight.shape:
        return None
    if running:
        return Module(f"BatchNorm{(beside.rank or 3) - 2}d", (("num_features", size),))
    name = beside.name.lower()
    if bias is None:
        named = weight.role is Role.NORM or any(word in name for word in _NORMS)
        return Module("RMSNorm", (("normalized_shape", size),)) if named else None
    if "group_norm" in name or "groupnorm" in name or (beside.rank and not name.startswith(("layer", "ln", "final_l"))):
        return Module("GroupNorm", (("num_channels", size),))
    return Module("LayerNorm", (("normalized_shape", size),))


def _matrix(weight: Part, bias: Part | None, beside: Around) -> Module | None:
    rows, columns = weight.shape
    if bias is None and _is_embedding(weight, beside.name):
        return Module("Embedding", (("num_embeddings", rows), ("embedding_dim", columns)))
    if bias is not None and bias.shape == weight.shape:
        return Module("LayerNorm", (("normalized_shape", weight.shape),))
    if bias is not None and bias.shape not in {(rows,), (columns,)}:
        return None
    if bias is not None and (_is_transposed(weight, bias) or (rows == columns and beside.transposed)):
        return Module("Conv1D", (("nf", columns), ("nx", rows)))
    return Module("Linear", (("in_features", columns), ("out_features", rows), ("bias", bias is not None)))


def _is_embedding(weight: Part, name: str) -> bool:
    if name == "relative_attention_bias":
        return True
    named = weight.role is Role.EMBEDDING and weight.module not in {"lm_head", "head"}
    return named and not any(word in name for word in _NO_EMBEDDING)


def _convolution(weight: Part, bias: Part | None, beside: Around) -> Module | None:
    first, second, *kernel = weight.shape
    known = weight.role is Role.CONV or "conv" in beside.name or bias is not None
    if weight.role is Role.EXPERT or (len(kernel) == 1 and not known):
        return None
    transposed = any(word in beside.name.lower() for word in _TRANSPOSED) and first == second
    if bias is not None and bias.shape != (first,):
        if bias.shape != (second,):
            return None
        transposed = True
    kind = f"Conv{'Transpose' * transposed}{len(kernel)}d"
    size: Attributes = (("kernel_size", tuple(kernel)), ("bias", bias is not None))
    if transposed:
        return Module(kind, (("in_channels", first), ("out_channels", second), *size))
    if second == 1 and first > 1:
        # Depthwise, or one channel in: the shape tells the channels of a group only.
        return Module(kind, (("in_channels_per_group", 1), ("out_channels", first), *size))
    return Module(kind, (("in_channels", second), ("out_channels", first), *size))


def _is_transposed(weight: Part, bias: Part) -> bool:
    """Whether a matrix is stored [in, out], as the length of its bias shows."""
    return len(weight.shape) == 2 and bias.shape == weight.shape[1:] and weight.shape[0] != weight.shape[1]


def _is_packed(part: Part) -> bool:
    """Whether the stored elements are not the parameters themselves."""
    if part.meaning is Meaning.PARAMETER:
        return part.parameters != elements_in(part.shape)
    return part.meaning is Meaning.UNEXPLAINED


def _packed_first(parts: Sequence[Part]) -> list[Part]:
    return sorted(parts, key=lambda part: (not _is_packed(part) and not part.container, part.leaf))


def _with_scales(module: Module, parts: Sequence[Part]) -> Module:
    containers = tuple((part.container, _typed(part)) for part in parts if part.container)
    serving = {Meaning.SCALE, Meaning.LOW_RANK}
    scales = tuple((part.leaf, part.shape) for part in parts if part.meaning in serving and part.leaf not in _TAKEN)
    return Module(module.kind, module.attributes + containers + scales)


def _remark(part: Part) -> Attributes:
    """Why a tensor that looks like a parameter counts as none."""
    return () if part.meaning is Meaning.PARAMETER else (("not_counted", part.meaning.value),)


def _typed(part: Part) -> str:
    return f"{part.dtype}{list(part.stored)}"


def _found(parts: Iterable[Part], leaves: Sequence[str]) -> Part | None:
    by_leaf = {part.leaf: part for part in parts}
    return next((by_leaf[leaf] for leaf in leaves if leaf in by_leaf), None)


def _doubled(parts: Sequence[Part]) -> bool:
    """Whether a name comes twice: slices of one tensor, or copies in two files."""
    return len({part.leaf for part in parts}) < len(parts)
