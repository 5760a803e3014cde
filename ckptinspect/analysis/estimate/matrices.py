"""What multiplies a token: the matrices of the language model, embeddings aside, a tied head included."""

from collections.abc import Iterable

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.estimate.amount import Amount
from ckptinspect.analysis.estimate.attention import CROSS, KEYS, VALUES
from ckptinspect.analysis.estimate.subject import Subject
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.naming.roles import Role

_LANGUAGE = frozenset({"model", "lm_head", "audio"})
# Applied to one token of a text, not to each.
_ONCE = frozenset({"pooler", "seq_relationship"})
_ACROSS = frozenset((*KEYS, *VALUES))


def multiplying(subject: Subject, *, source: bool | None = None) -> Amount:
    """The parameters that one token is multiplied with.

    ``source`` picks a side where an encoder and a decoder see different tokens: what the encoder's tokens go
    through, the keys and values of cross attention among them, or what the decoder's do.
    """
    own = routed = 0
    for row in _chosen(subject, source):
        if row.place.role == Role.EXPERT:
            routed += row.tally.parameters
        else:
            own += row.tally.parameters
    amount = Amount.of(own, "matrices")
    if routed:
        experts, chosen = subject.active.experts or 1, subject.active.chosen or 1
        amount += Amount.of(routed, "routed") * Amount.of(chosen, "chosen") // Amount.of(experts, "experts")
    head = subject.counted.tied_head
    return amount if source or head is None else amount + Amount.of(head.elements, "tied_head")


def is_cross(row: Row) -> bool:
    """Whether it makes the keys or values of cross attention, of the other side's tokens."""
    words = row.place.path.split(".")
    return words[-1] in _ACROSS and not CROSS.isdisjoint(words)


def _chosen(subject: Subject, source: bool | None) -> Iterable[Row]:
    encoders = tuple(f"{stack.path}." for stack in subject.language.encoders)
    for row in subject.counted.rows:
        if not _multiplies(row):
            continue
        encodes = row.place.module == "audio" or row.kind.example.startswith(encoders) or is_cross(row)
        if source is None or source == encodes:
            yield row


def _multiplies(row: Row) -> bool:
    if row.meaning is not Meaning.PARAMETER or row.component or row.kind.rank < 2:
        return False
    if row.place.module not in _LANGUAGE or row.place.role == Role.EMBEDDING:
        return False
    words = row.kind.example.removesuffix(".weight").split(".")
    if words[-1].endswith("bias") or words[-1] == "A_log" or not _ONCE.isdisjoint(words):
        return False
    # A convolution in front of an encoder runs over more positions than there are tokens.
    return row.place.layer is not None or row.place.role != Role.CONV
