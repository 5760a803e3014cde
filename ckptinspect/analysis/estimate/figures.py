"""Figures as they are handed out: a value with its unit, its formula and what it rests on, or why there is none."""

from enum import StrEnum

import msgspec

from ckptinspect.analysis.estimate.amount import Amount


class Unit(StrEnum):
    """What a figure counts."""

    BYTES = "bytes"
    PARAMETERS = "parameters"
    FLOPS = "FLOPs"
    MACS = "MACs"
    MODULES = "modules"
    LAYERS = "layers"
    RANK = "rank"


class Estimate(msgspec.Struct, frozen=True):
    """One figure.

    ``formula`` is plain arithmetic that evaluates to ``value``; ``words`` the same with names. ``exact`` where
    header and config leave no doubt; an estimate otherwise. Without a value, ``reason`` says why there is none.
    """

    quantity: str
    value: int | None
    unit: Unit
    formula: str
    assumptions: tuple[str, ...] = ()
    exact: bool = False
    words: str | None = None
    reason: str | None = None


class Section(msgspec.Struct, frozen=True):
    """Figures that belong together. ``name`` is what ``--only`` takes; ``remarks`` hold for all of them."""

    name: str
    title: str
    estimates: tuple[Estimate, ...]
    remarks: tuple[str, ...] = ()


def figure(quantity: str, amount: Amount, unit: Unit, *assumptions: str, exact: bool = True) -> Estimate:
    """A figure with the derivation of its amount."""
    words = amount.words if amount.is_named else None
    said = tuple(dict.fromkeys(filter(None, assumptions)))
    return Estimate(quantity, amount.value, unit, amount.text, said, exact, words)


def no_figure(quantity: str, unit: Unit, reason: str) -> Estimate:
    """A row that says why there is no figure."""
    return Estimate(quantity, None, unit, "", (), exact=False, reason=reason)
