"""Section ``parameters``: how many there are, and how many of them one token uses."""

from collections.abc import Iterator

from ckptinspect.analysis.active import Active
from ckptinspect.analysis.estimate.amount import Amount
from ckptinspect.analysis.estimate.figures import Estimate, Section, Unit, figure, no_figure
from ckptinspect.analysis.estimate.subject import Subject

NAME = "parameters"
_ACTIVE, _WITHOUT = "active per token", "active, without the embedding"


def parameters_section(subject: Subject) -> Section:
    """The parameters, all of them and those that a token uses."""
    return Section(NAME, "Parameters", tuple(_figures(subject)))


def _figures(subject: Subject) -> Iterator[Estimate]:
    total = subject.counted.total
    if subject.unexplained:
        yield no_figure("parameters", Unit.PARAMETERS, f"at least {total.parameters:,}: {subject.unexplained}")
    else:
        yield figure(
            "parameters", Amount.of(total.parameters), Unit.PARAMETERS, "as show counts them: tied weights once"
        )
    found = subject.active
    if not found.total:
        return
    if reason := found.reason or (subject.unexplained if found.unexplained else ""):
        yield no_figure(_ACTIVE, Unit.PARAMETERS, reason)
        return
    yield from _active(found, total.parameters)


def _active(found: Active, parameters: int) -> Iterator[Estimate]:
    dense, shared = Amount.of(found.dense, "dense"), Amount.of(found.shared, "shared")
    used = dense + shared if found.shared else dense
    said = []
    if found.routed:
        assert found.experts is not None
        assert found.chosen is not None
        routed = Amount.of(found.routed, "routed")
        yield figure("of them in routed experts", routed, Unit.PARAMETERS)
        if found.shared:
            yield figure("of them in shared experts", shared, Unit.PARAMETERS)
        used += routed * Amount.of(found.chosen, "chosen") // Amount.of(found.experts, "experts")
        said.append(f"a token is sent to {found.chosen} of {found.experts} experts, by the config")
    if found.total != parameters:
        said.append("of the language model alone: towers, projectors and multi-token prediction are left out")
    if found.routed or found.total != parameters:
        yield figure(_ACTIVE, used, Unit.PARAMETERS, *said)
    if found.lookup:
        less = used.called("active") - Amount.of(found.lookup, "embedding")
        yield figure(_WITHOUT, less, Unit.PARAMETERS, "of an embedding only a row is read; the head is included")
