"""Section ``kv``: the key-value cache for each token, and for the context and batch asked for."""

from collections.abc import Iterator, Sequence

from ckptinspect.analysis.estimate.amount import Amount, times, total
from ckptinspect.analysis.estimate.cache import Cache, Group, Lengths, cache_of, kept_in, lengths_of
from ckptinspect.analysis.estimate.figures import Estimate, Section, Unit, figure, no_figure
from ckptinspect.analysis.estimate.language_model import LayerMixers
from ckptinspect.analysis.estimate.mixers import Mixer, MixerKind
from ckptinspect.analysis.estimate.parallel import stage_layers
from ckptinspect.analysis.estimate.subject import Subject

NAME = "kv"
_PER_TOKEN, _WHOLE = "KV cache per token", "KV cache"
_PAGES = "runtimes round it up to whole pages"


def kv_section(subject: Subject) -> Section:
    """The cache of the decoder, or why there is none."""
    lengths, _ = lengths_of(subject)
    title = f"KV cache for {_times(lengths)} in {kept_in(subject)[0].code}"
    language = subject.language
    if language.decoder is None:
        return Section(NAME, "KV cache", tuple(_none(subject)))
    layers = language.mixers[language.decoder.path]
    unknown = [mixer for _, mixers in layers for mixer in mixers if mixer.reason]
    if unknown:
        return Section(NAME, "KV cache", tuple(_in_part(subject, layers, unknown)))
    return Section(NAME, title, tuple(_figures(subject, layers)))


def _times(lengths: Lengths) -> str:
    sequences = f" x {lengths.batch:,} sequences" if lengths.batch > 1 else ""
    return f"{lengths.context:,} tokens{sequences}"


def _none(subject: Subject) -> Iterator[Estimate]:
    if subject.language.encoders:
        said = "it encodes: it sees all tokens at once and keeps none"
        yield figure(_PER_TOKEN, Amount.of(0), Unit.BYTES, said)
        return
    adapter = "it is an adapter: what is cached is the base model's"
    yield no_figure(
        _PER_TOKEN, Unit.BYTES, adapter if subject.is_adapter else "no layers of a language model are in it"
    )


def _in_part(subject: Subject, layers: LayerMixers, unknown: Sequence[Mixer]) -> Iterator[Estimate]:
    """What is known where some layers are not understood: what a token takes, if only windows are missing."""
    reason = min(mixer.reason for mixer in unknown)
    if all(mixer.cached.value for mixer in unknown):
        cache = cache_of(subject, layers)
        yield figure(_PER_TOKEN, cache.per_token(), Unit.BYTES, *_remarks(subject, cache), "while no window is full")
    else:
        yield no_figure(_PER_TOKEN, Unit.BYTES, reason)
    yield no_figure(_WHOLE, Unit.BYTES, reason)


def _figures(subject: Subject, layers: LayerMixers) -> Iterator[Estimate]:
    cache, (lengths, source) = cache_of(subject, layers), lengths_of(subject)
    exact = bool(subject.settings) and all(group.mixer.by_header for group in cache.groups)
    shared = _remarks(subject, cache)
    yield figure(_PER_TOKEN, cache.per_token(), Unit.BYTES, *shared, exact=exact)
    limits = sorted({group.mixer.limit for group in cache.groups if group.mixer.limit is not None})
    if limits and limits[-1] < lengths.context:
        later = cache.per_token(limits[-1] + 1)
        said = f"beyond {limits[-1]:,} tokens what slides out of a window makes room for what comes in"
        yield figure("per token, windows full", later, Unit.BYTES, said, *shared, exact=exact)
    kinds = _by_kind(cache)
    several = len(kinds) + bool(cache.state().value) > 1
    for kind, groups in kinds.items() if several else ():
        amount = total(cache.grown(group, lengths) for group in groups)
        said = _of_kind(kind, groups, source)
        yield figure(f"{kind.value}, per sequence", amount, Unit.BYTES, said, exact=exact)
    if cache.state().value:
        yield figure("state per sequence", cache.state(), Unit.BYTES, *_of_states(cache), exact=exact)
    also = (subject.context[1], source if MixerKind.CROSS in kinds else "", _PAGES)
    yield figure(_WHOLE, _folded(cache, lengths), Unit.BYTES, *shared, *also, exact=exact)
    if subject.asked.is_parallel:
        yield _on_device(subject, layers, lengths, exact=exact)


def _by_kind(cache: Cache) -> dict[MixerKind, list[Group]]:
    """The layers that keep something of each token, by the way in which they mix."""
    found: dict[MixerKind, list[Group]] = {}
    for group in cache.groups:
        if group.mixer.cached.value:
            found.setdefault(group.mixer.kind, []).append(group)
    return found


def _folded(cache: Cache, lengths: Lengths) -> Amount:
    """The whole cache, in terms of the rows above it."""
    batch = times(lengths.batch, "batch")
    parts = {
        kind.value: total(cache.grown(group, lengths) for group in groups) for kind, groups in _by_kind(cache).items()
    }
    if cache.state().value:
        parts["states"] = cache.state()
    if len(parts) > 1:
        return total(part.called(name.replace(" ", "_")) for name, part in parts.items()) * batch
    if all(group.mixer.is_attention and group.mixer.limit is None for group in cache.groups):
        return cache.per_token().called("per_token") * Amount.of(lengths.context, "context") * batch
    return total(parts.values()) * batch


def _of_kind(kind: MixerKind, groups: Sequence[Group], source: str) -> str:
    """What bounds the cache of these layers."""
    limits = ", ".join(f"{limit:,}" for limit in sorted({group.mixer.limit for group in groups if group.mixer.limit}))
    if kind is MixerKind.CROSS:
        return source
    if kind is MixerKind.CHUNKED:
        return f"of the text a chunk of {limits} tokens is kept, by the config's attention_chunk_size"
    return f"of the text its last {limits} tokens are kept, by the config's window" if limits else ""


def _of_states(cache: Cache) -> tuple[str, ...]:
    remarks = {remark for group in cache.groups if group.mixer.has_state for remark in group.mixer.remarks}
    return (f"states are kept in {cache.states.code}, whatever the format of keys and values", *sorted(remarks))


def _remarks(subject: Subject, cache: Cache) -> tuple[str, ...]:
    """What the cache per token rests on."""
    if not any(group.mixer.cached.value for group in cache.groups):
        return ("no layer attends: what it keeps does not grow with the text",)
    own = [remark for group in cache.groups if group.mixer.cached.value for remark in group.mixer.remarks]
    config = () if subject.settings else ("without a config, every layer is taken to attend to all of the text",)
    attending = sum(group.layers for group in cache.groups if group.mixer.is_attention)
    decoder = subject.language.decoder
    assert decoder is not None
    layers = len(decoder.layers)
    rest = (f"{attending} of {layers} layers keep keys and values",) if attending != layers else ()
    return (kept_in(subject)[1], *dict.fromkeys(own), *rest, *config)


def _on_device(subject: Subject, layers: LayerMixers, lengths: Lengths, *, exact: bool) -> Estimate:
    """What the device keeps that keeps the most."""
    asked = subject.asked
    stages = [cache_of(subject, part, asked.tensor) for part in stage_layers(layers, asked.pipeline)]
    largest = max((stage.whole(lengths) for stage in stages), key=lambda amount: amount.value)
    said = ["heads are divided among the devices; where there are more devices than heads, each keeps one"]
    if any(group.mixer.kind is MixerKind.LATENT for stage in stages for group in stage.groups):
        said = ["the compressed vector serves all heads: every device keeps it whole"]
    known = all(group.mixer.heads for stage in stages for group in stage.groups if group.mixer.cached.value)
    if not known:
        said.append("how many heads there are is not known: every device keeps all of them")
    return figure("KV cache on the largest device", largest, Unit.BYTES, *said, exact=exact and known)
