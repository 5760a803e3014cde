"""Section ``fits``: whether weights and cache fit into some memory, how much text does, and what is in the way."""

from collections.abc import Callable, Sequence

import msgspec

from ckptinspect.analysis.estimate.amount import Amount
from ckptinspect.analysis.estimate.asked import MOST, Device
from ckptinspect.analysis.estimate.cache import Cache, Lengths, cache_of, lengths_of
from ckptinspect.analysis.estimate.dimensions import Dimensions, dimensions
from ckptinspect.analysis.estimate.figures import Section, Unit, figure
from ckptinspect.analysis.estimate.loading import largest_share
from ckptinspect.analysis.estimate.parallel import stage_layers
from ckptinspect.analysis.estimate.subject import Subject
from ckptinspect.text import bytes_text, number_of

NAME = "fits"
OVERHEAD = 2**30
CHUNK = 2048
_WITHOUT_BASE = "it is an adapter, and its base, which is not among the files, comes on top"
_NOTHING = Amount.of(0)


class Fit(msgspec.Struct, frozen=True):
    """The answer for one kind of device, in bytes of each of them.

    ``fits`` is None where it is not known. Lengths are None where they are not known or nothing bounds them.
    ``obstacle`` says what is in the way, or what is not known; empty where nothing is.
    """

    device: Device
    fits: bool | None
    needed: Amount
    longest_context: int | None = None
    largest_batch: int | None = None
    obstacle: str = ""


class Need(msgspec.Struct, frozen=True):
    """What one device has to hold: its weights, the caches of which one is its own, and what it works with."""

    weights: Amount
    caches: tuple[Cache, ...]
    dimensions: Dimensions | None

    def of(self, lengths: Lengths) -> Amount:
        """All of it."""
        found = self.weights.called("weights") + Amount.of(OVERHEAD, "overhead")
        if (cache := self.cache(lengths)).value:
            found += cache.called("cache")
        if (working := self.working(lengths)).value:
            found += working.called("working")
        return found

    def cache(self, lengths: Lengths) -> Amount:
        """The largest share of the cache."""
        return max((cache.whole(lengths) for cache in self.caches), key=lambda amount: amount.value, default=_NOTHING)

    def working(self, lengths: Lengths) -> Amount:
        """What the widest layer holds of a chunk of the text, and the logits of one token of each sequence."""
        known = self.dimensions
        if known is None or known.widths is None:
            return _NOTHING
        tokens = Amount.of(min(CHUNK, lengths.context * lengths.batch), "chunk")
        widest = Amount.of(2 * known.widths // known.layers, "widest")
        logits = Amount.of(lengths.batch, "batch") * Amount.of(known.vocab or 0, "vocab") * Amount.of(4)
        return tokens * widest * Amount.of(2) + logits


def fits_in(subject: Subject) -> tuple[Fit, ...]:
    """The answer for each of the devices asked about."""
    return tuple(_fit(subject, device) for device in subject.asked.devices)


def fits_section(fits: Sequence[Fit], subject: Subject) -> Section:
    """What each device would have to hold."""
    lengths = lengths_of(subject)[0]
    said = [
        f"weights {'as stored' if subject.asked.dtype is None else f'in {subject.asked.dtype.code}'}",
        f"{bytes_text(OVERHEAD)} for the runtime and fragmentation, a rule of thumb",
        "a size is taken as it is written: 80GB are 80,000,000,000 bytes; cards sold as 80GB mostly have 80GiB",
    ]
    if subject.is_adapter:
        said.insert(1, _WITHOUT_BASE)
    if subject.language.decoder is not None:
        said.insert(1, f"the cache of {number_of(lengths.batch, 'sequence')} of {lengths.context:,} tokens")
        said.insert(2, subject.context[1])
        said.insert(3, _of_work(subject))
    estimates = [figure(f"needed, {fit.device.given}", fit.needed, Unit.BYTES, *said, exact=False) for fit in fits]
    return Section(NAME, "Does it fit?", tuple(estimates))


def _of_work(subject: Subject) -> str:
    known = dimensions(subject)
    if known is None or known.widths is None:
        return "what it holds while it computes is not known, and left out"
    return f"a prompt is read in chunks of {CHUNK:,} tokens in 16 bits; logits in FP32"


def _fit(subject: Subject, device: Device) -> Fit:
    need, reason = _need(subject, device.count)
    lengths = lengths_of(subject)[0]
    needed = need.of(lengths)
    taken = subject.asked.tensor * subject.asked.pipeline
    if subject.asked.is_parallel and taken > device.count:
        few = f"--tp {subject.asked.tensor} and --pp {subject.asked.pipeline} take {taken} devices"
        return Fit(device, False, needed, 0, 0, few)
    bare = need.weights.value + OVERHEAD
    if bare > device.nbytes:
        alone = need.weights.value > device.nbytes
        what = "the weights alone" if alone else f"the weights and {bytes_text(OVERHEAD)} for the runtime"
        left = f"{what} take {bytes_text(need.weights.value if alone else bare)} of each device"
        return Fit(device, False, needed, 0, 0, left)
    if subject.is_adapter:
        reason = _WITHOUT_BASE
    if reason:
        return Fit(device, fits=None, needed=needed, obstacle=reason)
    room = device.nbytes

    def context_fits(context: int) -> bool:
        return need.of(Lengths(context, _source(lengths, context), lengths.batch)).value <= room

    def batch_fits(batch: int) -> bool:
        return need.of(Lengths(lengths.context, lengths.source, batch)).value <= room

    positions = subject.settings.number("positions")
    longest = largest(context_fits, min(positions or MOST, MOST)) if need.caches else None
    batch = largest(batch_fits, MOST) if need.caches else None
    fits = needed.value <= device.nbytes
    return Fit(device, fits, needed, _bounded(longest), _bounded(batch), "" if fits else _obstacle(need, lengths, room))


def _source(lengths: Lengths, context: int) -> int:
    """The source for another context: as long as the text, where it was that."""
    return context if lengths.source == lengths.context else lengths.source


def _bounded(found: int | None) -> int | None:
    return None if found == MOST else found


def _obstacle(need: Need, lengths: Lengths, room: int) -> str:
    left = room - need.weights.value - OVERHEAD - need.working(lengths).value
    cache = bytes_text(need.cache(lengths).value)
    if left <= 0:
        return f"beside the weights there is no room for what {number_of(lengths.batch, 'sequence')} take to compute"
    return f"the cache takes {cache} of each device, and {bytes_text(left)} are left for it"


def largest(holds: Callable[[int], bool], most: int) -> int:
    """The largest number up to ``most`` for which something holds that holds for all smaller ones; 0 for none.

    >>> largest(lambda number: number * 131072 <= 10**9, 10**6)
    7629
    """
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def _need(subject: Subject, count: int) -> tuple[Need, str]:
    """What a device needs to hold; and what is not known of that."""
    asked, decoder = subject.asked, subject.language.decoder
    tensor = asked.tensor if asked.is_parallel else count
    weights = largest_share(subject, tensor)
    if decoder is None:
        return Need(weights, (), None), ""
    layers = subject.language.mixers[decoder.path]
    reason = next((mixer.reason for _, mixers in layers for mixer in mixers if mixer.reason), "")
    caches = () if reason else tuple(cache_of(subject, part, tensor) for part in stage_layers(layers, asked.pipeline))
    return Need(weights, caches, dimensions(subject)), reason
