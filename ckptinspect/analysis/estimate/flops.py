"""Section ``flops``: what a forward pass and a training step compute. A multiply-add counts as two.

Matrices: twice their parameters for each token. Attention: Narayanan et al. 2021 (arXiv 2104.04473), windows and
latent attention as Megatron-LM counts them (``num_floating_point_operations``).
"""

from collections.abc import Iterator, Sequence

import msgspec

from ckptinspect.analysis.estimate.amount import Amount, times, total
from ckptinspect.analysis.estimate.cache import Group, groups_of
from ckptinspect.analysis.estimate.figures import Estimate, Section, Unit, figure, no_figure
from ckptinspect.analysis.estimate.matrices import multiplying
from ckptinspect.analysis.estimate.mixers import MixerKind
from ckptinspect.analysis.estimate.subject import Subject

NAME = "flops"
_TWO = Amount.of(2)
_SPEED = "FLOPs are not speed: memory bandwidth decides too, above all where text is written token by token"
_PAIRS = "all pairs of tokens; a causal kernel skips about half of them"
_STATES = frozenset({MixerKind.MAMBA, MixerKind.MAMBA2, MixerKind.DELTA, MixerKind.KDA, MixerKind.LIGHTNING})


class Side(msgspec.Struct, frozen=True):
    """Tokens that go through the same layers: ``each`` is what the matrices compute for one of them."""

    label: str
    each: Amount
    tokens: Amount
    groups: tuple[Group, ...]
    remarks: tuple[str, ...] = ()


def flops_section(subject: Subject) -> Section:
    """The FLOPs of one token, of a batch, of a training step."""
    if reason := _reason(subject):
        return Section(NAME, "FLOPs", (no_figure("forward per token", Unit.FLOPS, reason),))
    title = f"FLOPs for {subject.asked.batch:,} x {subject.sequence[0]:,} tokens"
    return Section(NAME, title, tuple(_figures(subject, _sides(subject))), (_SPEED,))


def _reason(subject: Subject) -> str:
    if subject.is_adapter:
        return "it is an adapter: what is computed is the base model's"
    if not subject.language.stacks:
        convolves = any(row.kind.rank in {4, 5} for row in subject.counted.rows)
        size = "what a convolution or a picture costs depends on its size, which no header has"
        return size if convolves else "no layers of a language model are in it"
    if subject.active.unexplained:
        return subject.unexplained
    return subject.active.reason


def _sides(subject: Subject) -> tuple[Side, ...]:
    """One side; two where a decoder attends to what an encoder has read."""
    language = subject.language
    sequence, batch = Amount.of(subject.sequence[0], "sequence"), times(subject.asked.batch, "batch")
    first = groups_of(language.mixers[language.stacks[0].path])
    if not (language.encoders and subject.crosses):
        said = ["every matrix times the token, the head's too; embeddings are looked up"]
        if subject.active.total != subject.counted.total.parameters:
            said.append("of text alone: towers, projectors and multi-token prediction are left out")
        return (Side("", _TWO * multiplying(subject), sequence * batch, first, tuple(said)),)
    encoder = groups_of(language.mixers[language.encoders[0].path])
    source = _source(subject) * batch
    into = "the encoder, and the keys and values that the decoder takes from it; without convolutions in front"
    out = "the decoder and the head"
    return (
        Side("source", _TWO * multiplying(subject, source=True), source, encoder, (into,)),
        Side("target", _TWO * multiplying(subject, source=False), sequence * batch, first, (out,)),
    )


def _source(subject: Subject) -> Amount:
    """The tokens of the source: all that the encoder has, or as many as the text's."""
    return Amount.of(subject.settings.number("source_positions") or subject.sequence[0], "source")


def _figures(subject: Subject, sides: Sequence[Side]) -> Iterator[Estimate]:
    for side in sides:
        name = f"forward per {side.label} token" if side.label else "forward per token"
        yield figure(name, side.each, Unit.FLOPS, *side.remarks)
    unknown = next((why for side in sides for group in side.groups if (why := _unknown(group))), "")
    if unknown:
        yield no_figure("forward", Unit.FLOPS, unknown)
        return
    matrices = total(side.each.called(f"per_{side.label or 'token'}") * side.tokens for side in sides)
    yield figure("forward, matrices", matrices, Unit.FLOPS, subject.sequence[1])
    mixing, exact = [], True
    for side in sides:
        for group in side.groups:
            amount = _mixing(subject, side, group)
            if amount.value:
                certain = group.mixer.kind not in _STATES
                name = f"forward, {side.label} {group.mixer.kind.value}".replace("  ", " ")
                yield figure(name, amount, Unit.FLOPS, _remark(group), exact=certain)
                mixing.append(amount.called(group.mixer.kind.value.replace(" ", "_")))
                exact = exact and certain
    forward = total((matrices.called("matrices"), *mixing))
    yield figure("forward", forward, Unit.FLOPS, exact=exact)
    yield from _totals(forward.called("forward"), exact=exact)
    if subject.language.decoder is not None and len(sides) == 1:
        yield _one_more(subject, sides[0], exact=exact)


def _totals(forward: Amount, *, exact: bool) -> Iterator[Estimate]:
    yield figure("forward, in multiply-adds", forward // _TWO, Unit.MACS, exact=exact)
    step = "the backward pass computes twice as much as the forward pass"
    yield figure("training step", Amount.of(3) * forward, Unit.FLOPS, step, exact=exact)
    again = "gradient checkpointing computes the forward pass again"
    yield figure("training step, checkpointed", Amount.of(4) * forward, Unit.FLOPS, again, exact=exact)


def _unknown(group: Group) -> str:
    """Why it is not known what a mixer computes; empty where it is."""
    mixer = group.mixer
    if mixer.kind is MixerKind.UNKNOWN:
        return mixer.reason
    if mixer.kind is MixerKind.RWKV or (mixer.is_attention and not (mixer.scores and mixer.weighted)):
        return f"what {mixer.kind.value} computes for each token is not to be seen"
    return ""


def _mixing(subject: Subject, side: Side, group: Group) -> Amount:
    """What the mixers of some layers compute beside their matrices."""
    mixer = group.mixer
    if mixer.recurrence.value:
        return side.tokens * group.count * mixer.recurrence
    if not mixer.scores:
        return Amount.of(0)
    return side.tokens * _seen(subject, side, group) * group.count * _pair(group)


def _seen(subject: Subject, side: Side, group: Group) -> Amount:
    """How many tokens each token is compared with."""
    if side.label == "source" or group.mixer.kind is MixerKind.CROSS:
        return _source(subject)
    limit, sequence = group.mixer.limit, subject.sequence[0]
    if limit is not None and limit < sequence:
        return Amount.of(limit, "window")
    return Amount.of(sequence, "sequence")


def _pair(group: Group) -> Amount:
    """The FLOPs of one pair of tokens in one layer: its score, and its share of the value."""
    return _TWO * (Amount.of(group.mixer.scores, "scores") + Amount.of(group.mixer.weighted, "values"))


def _remark(group: Group) -> str:
    if group.mixer.kind in _STATES:
        return "what a state takes for each token, about"
    if group.mixer.limit is not None:
        return f"as if every token saw {group.mixer.limit:,} others; the first ones see fewer"
    return _PAIRS


def _one_more(subject: Subject, side: Side, *, exact: bool) -> Estimate:
    """The next token, behind so much text."""
    context, why = subject.context
    parts = []
    for group in side.groups:
        seen = min(context, group.mixer.limit or context)
        pairs = _pair(group) * Amount.of(seen, "seen") if group.mixer.scores else Amount.of(0)
        parts.append(group.count * (pairs + group.mixer.recurrence))
    latent = any(group.mixer.kind is MixerKind.LATENT for group in side.groups)
    unfolded = "keys and values are unfolded from the compressed vector" if latent else ""
    amount = side.each.called("per_token") + total(parts)
    return figure(
        "one more token",
        amount,
        Unit.FLOPS,
        f"behind a text of {context:,} tokens",
        why,
        unfolded,
        exact=exact and not latent,
    )
