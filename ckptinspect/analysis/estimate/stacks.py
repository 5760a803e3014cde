"""Tensors -> stacks of layers: the decoder of a language model, the encoder beside it, each layer by its modules."""

from collections.abc import Iterable, Mapping

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.estimate.settings import Settings
from ckptinspect.analysis.estimate.shapes import Leaves
from ckptinspect.model import Tensor
from ckptinspect.naming.roles import Role

_LANGUAGE = frozenset({"model", "audio"})
# Classes without "encoder" in the names of their layers that see all tokens at once and generate none
# (transformers, models/*/modeling_*.py).
_ENCODERS = frozenset(
    {
        *("albert", "bert", "big_bird", "camembert", "clip", "convbert", "data2vec-text", "deberta", "deberta-v2"),
        *("distilbert", "electra", "ernie", "esm", "eurobert", "flaubert", "fnet", "funnel", "ibert", "layoutlm"),
        *(
            "layoutlmv3",
            "longformer",
            "luke",
            "megatron-bert",
            "mobilebert",
            "modernbert",
            "mpnet",
            "mra",
            "nomic_bert",
        ),
        *("nystromformer", "rembert", "roberta", "roberta-prelayernorm", "roc_bert", "roformer", "siglip", "splinter"),
        *("squeezebert", "xlm", "xlm-roberta", "xlm-roberta-xl", "xmod", "yoso"),
    }
)
# ChatGLM calls its decoder so.
_NO_ENCODER = "transformer.encoder.layers"


class Layer(msgspec.Struct, frozen=True):
    """One layer: its modules by their path below it, each with its tensors. Routed experts are left out."""

    index: int
    modules: Mapping[str, Leaves]

    def children(self, parent: str) -> dict[str, Leaves]:
        """The modules directly inside another, by their last word."""
        below = f"{parent}." if parent else ""
        return {
            path[len(below) :]: leaves
            for path, leaves in self.modules.items()
            if path.startswith(below) and path != parent and "." not in path[len(below) :]
        }


class Stack(msgspec.Struct, frozen=True):
    """Layers that follow each other, in their order. ``module`` is that of their place."""

    path: str
    module: str
    layers: tuple[Layer, ...]

    @property
    def is_encoder(self) -> bool:
        """Whether its name says that it encodes."""
        words = self.path.split(".")
        if "decoder" in words or self.path.endswith(_NO_ENCODER):
            return False
        return self.module == "audio" or any(word.endswith("encoder") for word in words)


def stacks_in(rows: Iterable[tuple[Tensor, Row]]) -> tuple[Stack, ...]:
    """The stacks of the language model and of an encoder beside it, the longest first.

    Towers for pictures, multi-token prediction, adapters and the components of a pipeline are none of them.
    """
    found: dict[str, dict[int, dict[str, dict[str, Row]]]] = {}
    modules: dict[str, str] = {}
    for tensor, row in rows:
        place = row.place
        if place.layer is None or place.module not in _LANGUAGE or row.component or place.role == Role.EXPERT:
            continue
        if row.place.expert is not None:
            continue
        stack, inside = _split(place.path, place.layer)
        leaf = tensor.name[len(place.path) + 1 :]
        layers = found.setdefault(stack, {})
        modules[stack] = place.module
        layers.setdefault(place.layer, {}).setdefault(_unwrapped(inside), {})[leaf] = row
    stacks = [
        Stack(path, modules[path], tuple(Layer(index, layers[index]) for index in sorted(layers)))
        for path, layers in found.items()
    ]
    return tuple(sorted(stacks, key=lambda stack: (-len(stack.layers), stack.path)))


def generates(stack: Stack, settings: Settings) -> bool:
    """Whether the stack makes its text token by token, and so keeps what it has seen."""
    if stack.is_encoder:
        return False
    if settings.flag("is_decoder") or "decoder" in stack.path.split("."):
        return True
    return settings.model_type not in _ENCODERS and settings.root.text("model_type") not in _ENCODERS


def _split(path: str, layer: int) -> tuple[str, str]:
    """A module's path before and behind the number of its layer."""
    before, _, behind = f"{path}.".partition(f".{layer}.")
    return before, behind.rstrip(".")


def _unwrapped(path: str) -> str:
    return path.removesuffix(".base_layer")
