"""The language model of a checkpoint as the figures need it: its stacks, and how each layer mixes tokens."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.estimate.attention import attention_at
from ckptinspect.analysis.estimate.mixers import Mixer, MixerKind, unknown
from ckptinspect.analysis.estimate.settings import Settings
from ckptinspect.analysis.estimate.shapes import Leaves
from ckptinspect.analysis.estimate.stacks import Layer, Stack, generates, stacks_in
from ckptinspect.analysis.estimate.states import state_at
from ckptinspect.analysis.estimate.windows import CHUNKED, SHARED, SLIDING, reach
from ckptinspect.model import Config, Tensor
from ckptinspect.naming.roles import Role

# Models whose layers the header shows in a way that would mislead.
_NOT_UNDERSTOOD = {
    "zamba": "its attention blocks are shared between layers, and the header does not show how often each is used",
    "zamba2": "its attention blocks are shared between layers, and the header does not show how often each is used",
    "deepseek_v4": "its caches are compressed in ways that are not understood yet",
    "recurrent_gemma": "its recurrent blocks are not understood yet",
    "xlstm": "its recurrent blocks are not understood yet",
    "hunyuan": "its layers share their caches in ways that are not understood yet",
}
_MIXING = frozenset({Role.ATTENTION, Role.SSM})
_SLIDING = {SLIDING: MixerKind.SLIDING, CHUNKED: MixerKind.CHUNKED}

LayerMixers = Sequence[tuple[int, tuple[Mixer, ...]]]
"""For each layer its index and its mixers."""


class LanguageModel(msgspec.Struct, frozen=True):
    """What generates text, what encodes beside it, and what the config says.

    ``decoder`` is None where nothing generates, ``encoders`` are the other stacks; ``mixers`` are those of each
    stack, by its path.
    """

    settings: Settings
    decoder: Stack | None
    encoders: tuple[Stack, ...]
    mixers: Mapping[str, LayerMixers]

    @property
    def stacks(self) -> tuple[Stack, ...]:
        """All stacks, the decoder first."""
        return (*((self.decoder,) if self.decoder is not None else ()), *self.encoders)


def language_model(rows: Iterable[tuple[Tensor, Row]], config: Config) -> LanguageModel:
    """The language model that these tensors make; one without stacks where there is none."""
    settings = Settings(config)
    stacks = [stack for stack in stacks_in(rows) if any(_mixes(layer) for layer in stack.layers)]
    decoder = next((stack for stack in stacks if generates(stack, settings)), None)
    others = tuple(stack for stack in stacks if stack is not decoder)
    mixers = {stack.path: _stack_mixers(stack, settings, decodes=stack is decoder) for stack in stacks}
    return LanguageModel(settings, decoder, others, mixers)


def _stack_mixers(stack: Stack, settings: Settings, *, decodes: bool) -> LayerMixers:
    layers = len(stack.layers)
    return tuple(
        (layer.index, _layer_mixers(layer, number, layers, settings, decodes=decodes))
        for number, layer in enumerate(stack.layers)
    )


def _layer_mixers(layer: Layer, number: int, layers: int, settings: Settings, *, decodes: bool) -> tuple[Mixer, ...]:
    reason = _NOT_UNDERSTOOD.get(settings.model_type)
    if reason is None and settings.flag("use_cla"):
        reason = _NOT_UNDERSTOOD["hunyuan"]
    if reason is not None:
        return (unknown(reason),)
    found = [mixer for parent in _parents(layer) if (mixer := _mixer(layer, parent, settings)) is not None]
    if not found and _mixes(layer):
        return (unknown(f"layer {layer.index} mixes tokens by modules of unknown names ({_some(layer)})"),)
    return tuple(_reaching(mixer, number, layers, settings) if decodes else mixer for mixer in found)


def _parents(layer: Layer) -> list[str]:
    """The paths inside a layer that hold modules, and those that hold bare parameters."""
    return sorted(
        {path.rpartition(".")[0] for path in layer.modules if path} | {path for path in layer.modules if path}
    )


def _mixer(layer: Layer, parent: str, settings: Settings) -> Mixer | None:
    own: Leaves = layer.modules.get(parent, {})
    modules = layer.children(parent)
    return state_at(own, modules, settings) or attention_at(layer, parent, modules, settings)


def _reaching(mixer: Mixer, number: int, layers: int, settings: Settings) -> Mixer:
    """The mixer with the window that the config has for its layer."""
    if mixer.kind is not MixerKind.FULL:
        return mixer
    found = reach(settings, number, layers)
    if found.reason:
        return replace(mixer, kind=MixerKind.UNKNOWN, reason=found.reason)
    if found.kind == SHARED:
        return Mixer(MixerKind.SHARED, scores=mixer.scores, weighted=mixer.weighted)
    kind = _SLIDING.get(found.kind)
    return mixer if kind is None else replace(mixer, kind=kind, limit=found.tokens)


def _mixes(layer: Layer) -> bool:
    """Whether the layer holds anything of attention or of a state space."""
    return any(row.place.role in _MIXING for leaves in layer.modules.values() for row in leaves.values())


def _some(layer: Layer) -> str:
    paths = sorted(
        path for path, leaves in layer.modules.items() if any(row.place.role in _MIXING for row in leaves.values())
    )
    return ", ".join(path[:60] for path in paths[:3]) + ", …" * (len(paths) > 3)
