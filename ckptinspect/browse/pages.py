"""What is read on a page over the panes, laid out for whatever width there is."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from io import StringIO

from ckptinspect.browse.card import listed, titled
from ckptinspect.browse.cards import Card
from ckptinspect.browse.keys import KEYS
from ckptinspect.browse.writing import PLAIN, Piece, spelled
from ckptinspect.report.document import Report

Lines = Callable[[int], Sequence[Sequence[Piece]]]
"""The lines of a page for a width."""


def card_page(card: Card) -> Lines:
    """All of a card, one fact a line."""
    return lambda width: [*titled(card, width), [], *listed(card.facts, width)]


def keys_page() -> Lines:
    """The keys."""
    return lambda width: list(listed(KEYS, width))


def report_page(report: Report, *, quiet: bool) -> Lines:
    """A report as the terminal has it: without its notes, where ``quiet`` is asked for."""
    from ckptinspect.report.table import render

    @lru_cache(1)
    def lines(width: int) -> Sequence[Sequence[Piece]]:
        out = StringIO()
        render(report, out, width=max(width, 1), quiet=quiet)
        return [[(spelled(line), PLAIN)] for line in out.getvalue().splitlines()]

    return lines
