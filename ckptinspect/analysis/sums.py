"""What follows the parameters in the decomposition: multi-token prediction apart, and what one token uses.

Every sum writes its parts down, signed, and its formula, which evaluates to it.
"""

from collections.abc import Iterator

import msgspec

from ckptinspect.analysis.active import Active
from ckptinspect.analysis.count import Count


class Part(msgspec.Struct, frozen=True):
    """A signed part of a sum."""

    what: str
    elements: int


class Sum(msgspec.Struct, frozen=True):
    """``what`` its parts come to, under a stable ``code``; ``formula`` is plain arithmetic."""

    code: str
    what: str
    parts: tuple[Part, ...]
    formula: str

    @property
    def elements(self) -> int:
        """The sum."""
        return sum(part.elements for part in self.parts)


def without_drafts(counted: Count) -> Iterator[Sum]:
    """The parameters less those of multi-token prediction; nothing where there is none."""
    drafts = sum(row.tally.parameters for row in counted.rows if row.place.module == "mtp")
    if drafts:
        whole = counted.total.parameters
        parts = Part("parameters", whole), Part("multi-token prediction", -drafts)
        yield Sum("without-mtp", "parameters without multi-token prediction", parts, f"{whole} - {drafts}")


def used_by_a_token(used: Active) -> Iterator[Sum]:
    """What a text token uses of a mixture of experts, with the embedding and without; nothing where that is not known.

    Routed experts count as ``routed * chosen / experts`` (arXiv:2401.04088, section 2).
    """
    per_token, sent = used.per_token, used.used_of_routed
    if per_token is None or not sent:
        return
    parts = [Part("dense: all but experts", used.dense)]
    parts += [Part("shared experts", used.shared)] if used.shared else []
    parts.append(Part(f"routed experts: {used.chosen} of {used.experts}, which hold {used.routed:,} in all", sent))
    always = f"{used.dense} + {used.shared}" if used.shared else f"{used.dense}"
    formula = f"{always} + {used.routed} * {used.chosen} // {used.experts}"
    yield Sum("active", "active per token", tuple(parts), formula)
    if used.lookup:
        less = Part("active per token", per_token), Part("the embedding, of which it reads one row", -used.lookup)
        what = "active per token without the embedding"
        yield Sum("active-without-embedding", what, less, f"{per_token} - {used.lookup}")
