"""The key-value cache: what every layer keeps of a text, for each token or once."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from ckptinspect.analysis.estimate.amount import Amount, times, total
from ckptinspect.analysis.estimate.language_model import LayerMixers
from ckptinspect.analysis.estimate.mixers import Mixer, MixerKind
from ckptinspect.analysis.estimate.subject import Subject, stored
from ckptinspect.dtypes import DTYPES, Dtype

_SHORT: Mapping[MixerKind, str] = {
    MixerKind.FULL: "layers",
    MixerKind.LATENT: "layers",
    MixerKind.SLIDING: "sliding_layers",
    MixerKind.CHUNKED: "chunked_layers",
    MixerKind.CROSS: "cross_layers",
}
_LONG_STATE = frozenset({MixerKind.KDA})


class Group(msgspec.Struct, frozen=True):
    """Layers that mix in one way."""

    mixer: Mixer
    layers: int

    @property
    def count(self) -> Amount:
        """How many layers they are, by a name."""
        return Amount.of(self.layers, _SHORT.get(self.mixer.kind, "state_layers"))


class Lengths(msgspec.Struct, frozen=True):
    """What a cache is for: tokens of each sequence, those of the source that it attends to, and sequences."""

    context: int
    source: int
    batch: int = 1


class Cache(msgspec.Struct, frozen=True):
    """The caches of some layers; ``keys`` is the format of what grows, ``states`` that of what does not.

    ``ways`` are the devices that share each layer.
    """

    groups: tuple[Group, ...]
    keys: Dtype
    states: Dtype
    ways: int = 1

    def per_token(self, context: int = 1) -> Amount:
        """What one token more takes once the text has ``context`` tokens; full windows take no more."""
        growing = [
            g for g in self.groups if g.mixer.is_attention and (g.mixer.limit is None or context <= g.mixer.limit)
        ]
        return stored(total(group.count * self._cached(group.mixer) for group in growing), self.keys)

    def grown(self, group: Group, lengths: Lengths) -> Amount:
        """What keys and values of some layers take for one sequence."""
        mixer = group.mixer
        elements = group.count * self._cached(mixer)
        if mixer.kind is MixerKind.CROSS:
            tokens = Amount.of(lengths.source, "source")
        elif mixer.limit is not None and mixer.limit < lengths.context:
            tokens = Amount.of(mixer.limit, "window")
        else:
            tokens = Amount.of(lengths.context, "context")
        return stored(elements * tokens, self.keys)

    def state(self) -> Amount:
        """What does not grow, for one sequence."""
        return total(group.count * self._state(group.mixer) for group in self.groups if group.mixer.has_state)

    def whole(self, lengths: Lengths) -> Amount:
        """All of it, for all sequences."""
        parts = [self.grown(group, lengths) for group in self.groups if group.mixer.cached.value]
        one = total((*parts, self.state()))
        return one * times(lengths.batch, "batch")

    def _cached(self, mixer: Mixer) -> Amount:
        """Elements that one device keeps of a token: whole heads, at least one."""
        if self.ways == 1 or not mixer.heads:
            return mixer.cached
        heads = Amount.of(-(-mixer.heads // self.ways), "heads_here")
        return mixer.cached // Amount.of(mixer.heads, "heads") * heads if mixer.heads > 1 else mixer.cached

    def _state(self, mixer: Mixer) -> Amount:
        long = DTYPES["F32"] if mixer.kind in _LONG_STATE else self.states
        both = stored(mixer.inputs, self.states) + stored(mixer.recurrent, long)
        return both if self.ways == 1 else both.share(Amount.of(self.ways, "tp"))


def groups_of(layers: Iterable[tuple[int, tuple[Mixer, ...]]]) -> tuple[Group, ...]:
    """Equal mixers together, in the order of their first layer."""
    counted = Counter(mixer for _, mixers in layers for mixer in mixers)
    return tuple(Group(mixer, layers) for mixer, layers in counted.items())


def cache_of(subject: Subject, layers: LayerMixers, ways: int = 1) -> Cache:
    """The cache of these layers in the formats that were asked for."""
    states = subject.compute[0]
    said = subject.settings.text("mamba_ssm_dtype", "mamba_ssm_cache_dtype")
    if said == "float32":
        states = DTYPES["F32"]
    return Cache(groups_of(layers), kept_in(subject)[0], states, ways)


def kept_in(subject: Subject) -> tuple[Dtype, str]:
    """The format of keys and values, and how that is known."""
    if subject.asked.kv_dtype is not None:
        dtype = subject.asked.kv_dtype
        small = (dtype.bits or 0) < 8
        return dtype, "the scales of a cache in so few bits come on top" if small else ""
    if subject.quantized_cache:
        return DTYPES["F8_E4M3"], "keys and values are kept in 8 bits, as the checkpoint's scales or config have it"
    dtype, why = subject.compute
    return dtype, f"keys and values are kept in {dtype.code}, {why}"


def lengths_of(subject: Subject) -> tuple[Lengths, str]:
    """The lengths that were asked for; what was taken for the source of cross attention."""
    context = subject.context[0]
    settings = subject.settings
    source, why = settings.number("source_positions"), "the source is all that the encoder has"
    if source is None:
        source, why = _picture(subject) or context, "the source is one picture of all its tiles"
        if source == context:
            why = "the source is as long as the text"
    return Lengths(context, source, subject.asked.batch), why


def _picture(subject: Subject) -> int | None:
    """The tokens of a picture in Llama 3.2 Vision: patches and a class token, for each tile."""
    vision = subject.checkpoint.config.section("vision_config")
    size, patch, tiles = vision.integer("image_size"), vision.integer("patch_size"), vision.integer("max_num_tiles")
    if not size or not patch or not tiles:
        return None
    return ((size // patch) ** 2 + 1) * tiles
