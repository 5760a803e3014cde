"""Figures for tests: by their names, each formula checked against its value."""

from pathlib import Path

from ckptinspect.analysis.estimate.asked import Asked
from ckptinspect.analysis.estimate.figures import Estimate
from ckptinspect.analysis.estimate.sections import sections
from ckptinspect.analysis.estimate.subject import Subject
from ckptinspect.model import Checkpoint
from ckptinspect.opening import open_checkpoint
from tests.arithmetic import value_of

REAL = Path(__file__).parents[1] / "fixtures" / "real"


def real(name: str) -> Checkpoint:
    """One of the real checkpoints that ship with the sources."""
    return open_checkpoint(REAL / f"{name}.snap")


def figures(checkpoint: Checkpoint, section: str, asked: Asked | None = None) -> dict[str, Estimate]:
    """The figures of a section by their quantities; every formula must come to its value."""
    found = list(sections(Subject(checkpoint, asked or Asked()), [section]))
    estimates = [estimate for part in found for estimate in part.estimates]
    by_name = {estimate.quantity: estimate for estimate in estimates}
    assert len(by_name) == len(estimates), [estimate.quantity for estimate in estimates]
    for estimate in estimates:
        checked(estimate)
    return by_name


def checked(estimate: Estimate) -> None:
    """A value with a formula that comes to it, or a reason for having none."""
    if estimate.value is None:
        assert estimate.reason
        assert not estimate.formula
    else:
        assert value_of(estimate.formula) == estimate.value, estimate
        assert estimate.reason is None


def values(checkpoint: Checkpoint, section: str, asked: Asked | None = None) -> dict[str, int | None]:
    """The values alone."""
    return {name: estimate.value for name, estimate in figures(checkpoint, section, asked).items()}
