"""How many parameters one token uses: in a mixture of experts, of the routed experts only those that it is sent to.

How many experts there are is read off the header and held against the config; how many of them a token uses
stands in the config alone.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from ckptinspect.analysis.count import Count, Row
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.analysis.ties import Tie
from ckptinspect.model import Config
from ckptinspect.naming.roles import Role

if TYPE_CHECKING:
    from ckptinspect.analysis.estimate.settings import Settings

_TEXT = frozenset({"model", "lm_head", "head"})


class Active(msgspec.Struct, frozen=True):
    """The parameters of the language model: routed experts, shared ones, all others (``dense``).

    A token uses ``chosen`` of ``experts``; both are None in a model without routed experts. ``lookup`` are those
    of embeddings that only a row of is read; of a tied one, that is the head as well, there are none.
    ``reason`` says why it is not known how many are used, ``disagreement`` where the config has another number of
    experts than the header, whose number it then is.
    """

    routed: int
    shared: int
    dense: int
    lookup: int
    experts: int | None = None
    chosen: int | None = None
    unexplained: int = 0
    reason: str = ""
    disagreement: str = ""

    @property
    def total(self) -> int:
        """All parameters of the language model."""
        return self.routed + self.shared + self.dense

    @property
    def used_of_routed(self) -> int | None:
        """The parameters of the routed experts that a token is sent to; None where that is not known."""
        if not self.routed:
            return 0
        if self.experts is None or self.chosen is None or self.routed * self.chosen % self.experts:
            return None
        return self.routed * self.chosen // self.experts

    @property
    def per_token(self) -> int | None:
        """The parameters that a token uses, its row of the embedding counted as the whole of it."""
        used = self.used_of_routed
        return None if used is None or self.unexplained else self.shared + self.dense + used


def active(counted: Count, config: Config) -> Active:
    """What a text token uses of a checkpoint. Towers for pictures and sound and multi-token prediction are left out."""
    rows = [row for row in counted.rows if row.place.module in _TEXT and not row.component]
    if all(row.place.module != "model" for row in rows):
        rows = []
    routed = [row for row in rows if row.place.role == Role.EXPERT]
    sums = {role: _parameters(row for row in rows if row.place.role == role) for role in Role}
    found = Active(
        routed=sums[Role.EXPERT],
        shared=sums[Role.SHARED_EXPERT],
        dense=sum(sums.values()) - sums[Role.EXPERT] - sums[Role.SHARED_EXPERT],
        lookup=_lookup(rows, counted.tied_head),
        unexplained=sum(row.tally.unexplained for row in rows),
    )
    if not routed:
        return found
    # A dense model does not wait for it.
    from ckptinspect.analysis.estimate.settings import Settings

    settings = Settings(config)
    experts, reason = _experts(rows, routed, settings)
    if not reason:
        chosen, reason = _chosen(settings, experts)
        found = msgspec.structs.replace(
            found, experts=experts, chosen=chosen, disagreement=_disagreement(settings, experts)
        )
    if not reason and found.unexplained:
        reason = f"{found.unexplained:,} stored elements are packed, and it is not known how many parameters they are"
    return msgspec.structs.replace(found, reason=reason)


def _experts(rows: Sequence[Row], routed: Sequence[Row], settings: "Settings") -> tuple[int, str]:
    """How many experts a layer has, by its routers before the config; what is wrong where neither fits the experts."""
    said = settings.number("experts")
    seen = {min(row.kind.shape) for row in rows if row.place.role == Role.ROUTER and row.kind.rank == 2} - {0}
    candidates = [*(seen if len(seen) == 1 else ()), *([said] if said else ())]
    if not candidates:
        return 0, "neither config nor routers say how many experts there are"
    for experts in candidates:
        if all(_holds(row, experts) for row in routed):
            return experts, ""
    experts = candidates[-1]
    misfit = next(row for row in routed if not _holds(row, experts))
    shape = f"{misfit.kind.count:,} of {list(misfit.kind.shape)}"
    whose = "config says" if said else "routers have"
    return 0, f"the {whose} {experts} experts, and {misfit.kind.example[:80]!r} ({shape}) does not fit that"


def _disagreement(settings: "Settings", experts: int) -> str:
    said = settings.number("experts")
    if not said or said == experts:
        return ""
    return f"the config says {said:,} experts, and the routers have {experts:,}: the routers count"


def _holds(row: Row, experts: int) -> bool:
    """Whether so many experts can be in a kind: fused into a tensor's first dimension, or a tensor each."""
    if row.place.expert is not None:
        return row.kind.count % experts == 0
    return bool(row.kind.shape) and row.kind.shape[0] % experts == 0


def _chosen(settings: "Settings", experts: int) -> tuple[int | None, str]:
    chosen = settings.number("chosen")
    if chosen is None:
        return None, "the config does not say how many experts a token uses (num_experts_per_tok)"
    if chosen > experts:
        return None, f"the config has a token use {chosen} of {experts} experts"
    if settings.integer("zero_expert_num"):
        return None, "some of the experts that a token is sent to do nothing (zero_expert_num)"
    return chosen, ""


def _lookup(rows: Sequence[Row], head: Tie | None) -> int:
    multiplied = head.tied_to if head is not None else None
    return _parameters(row for row in rows if row.place.role == Role.EMBEDDING and row.kind.example != multiplied)


def _parameters(rows: Iterator[Row]) -> int:
    return sum(row.tally.parameters for row in rows if row.meaning is Meaning.PARAMETER)
