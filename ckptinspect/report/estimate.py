"""``estimate``: what a checkpoint takes to load, to run and to train, each figure with its formula."""

from collections.abc import Iterator, Sequence

from ckptinspect.analysis.estimate.asked import Asked
from ckptinspect.analysis.estimate.figures import Estimate, Section, Unit
from ckptinspect.analysis.estimate.fits import Fit, fits_in, fits_section
from ckptinspect.analysis.estimate.sections import sections
from ckptinspect.analysis.estimate.subject import Subject
from ckptinspect.analysis.expected import Disagreement, disagreements
from ckptinspect.analysis.notes import notes_on
from ckptinspect.model import Checkpoint, Note
from ckptinspect.report import v1
from ckptinspect.report.common import failed_data, notes_data, ref_data, title_of
from ckptinspect.report.document import Block, Column, Figure, FigureGroup, Figures, Format, Lines, Report, Table
from ckptinspect.text import binary_text, bytes_text, count_text

_LEGEND = "= exact, by header and config;  ≈ estimated;  GB are 10^9 bytes, GiB 2^30"
_FITS = (
    Column("memory", Format.NAME),
    Column("fits", Format.TEXT),
    Column("needs", Format.SHORT_BYTES),
    Column("of", Format.SHORT_BYTES, spare=3),
    Column("longest context", Format.COUNT, spare=1),
    Column("largest batch", Format.COUNT, spare=2),
)
_SAID = {True: "yes", False: "no", None: "unknown"}
_SMALL = frozenset({Unit.MODULES, Unit.RANK, Unit.LAYERS})


def estimate_report(checkpoint: Checkpoint, asked: Asked, only: Sequence[str] = ()) -> Report:
    """The figures that were asked for, or all. Needs a checkpoint that was opened with its names."""
    subject = Subject(checkpoint, asked)
    fits = fits_in(subject)
    found = [*([fits_section(fits, subject)] if fits else []), *sections(subject, only)]
    wrong = disagreements(subject.counted, checkpoint.config)
    notes = notes_data((*notes_on(checkpoint, subject.counted), *_notes(wrong, subject, checkpoint)))
    estimates = tuple(_estimate(section, estimate) for section in found for estimate in section.estimates)
    data = v1.EstimatesData(
        ref=ref_data(checkpoint.ref),
        estimates=estimates,
        fits=tuple(map(_fit, fits)),
        disagreements=tuple(v1.DisagreementData(d.said, d.expected, d.found, d.where, d.tensors) for d in wrong),
        failed=failed_data(checkpoint),
        notes=notes,
    )
    blocks = (*_fits_blocks(fits), Figures(tuple(map(_group, found)), _LEGEND))
    return Report(
        "estimate",
        data,
        title_of(checkpoint),
        blocks,
        tuple(note.message for note in notes),
        lambda: estimates,
        v1.EstimateData.__struct_fields__,
    )


def fits_nowhere(report: Report) -> bool:
    """Whether devices were asked about and it is known to fit into none of them."""
    assert isinstance(report.data, v1.EstimatesData)
    return bool(report.data.fits) and all(fit.fits is False for fit in report.data.fits)


def _notes(wrong: Sequence[Disagreement], subject: Subject, checkpoint: Checkpoint) -> Iterator[Note]:
    for disagreement in wrong:
        yield Note("config-disagrees", f"{disagreement.sentence}: the figures are the header's")
    if not any(checkpoint.configs.values()) and not subject.is_adapter:
        yield Note("no-config", "there is no config.json: what only it could tell is left out or assumed, as said")


def _estimate(section: Section, estimate: Estimate) -> v1.EstimateData:
    return v1.EstimateData(
        quantity=estimate.quantity,
        value=estimate.value,
        unit=estimate.unit.value,
        formula=estimate.formula,
        assumptions=(*estimate.assumptions, *(section.remarks if estimate.value is not None else ())),
        exact=estimate.exact,
        group=section.name,
        words=estimate.words,
        reason=estimate.reason,
    )


def _fit(fit: Fit) -> v1.FitData:
    return v1.FitData(
        memory=fit.device.given,
        count=fit.device.count,
        bytes=fit.device.nbytes,
        fits=fit.fits,
        needed_bytes=fit.needed.value,
        longest_context=fit.longest_context,
        largest_batch=fit.largest_batch,
        obstacle=fit.obstacle or None,
    )


def _group(section: Section) -> FigureGroup:
    remarks = tuple(dict.fromkeys(said for estimate in section.estimates for said in estimate.assumptions))
    numbers = {said: number for number, said in enumerate(remarks, start=1)}
    figures = tuple(_figure(estimate, numbers) for estimate in section.estimates)
    return FigureGroup(section.title, figures, remarks, section.remarks)


def _figure(estimate: Estimate, numbers: dict[str, int]) -> Figure:
    short, binary = _units(estimate)
    counted = estimate.formula == str(estimate.value)
    return Figure(
        name=estimate.quantity,
        value=estimate.value,
        short=short,
        binary=binary,
        formula="as counted" if counted else estimate.formula,
        exact=estimate.exact,
        words="" if counted else estimate.words or "",
        marks=tuple(sorted(numbers[said] for said in estimate.assumptions)),
        reason=estimate.reason or "",
    )


def _units(estimate: Estimate) -> tuple[str, str]:
    """The value in decimal and in binary units."""
    if estimate.value is None or estimate.unit in _SMALL:
        return "", ""
    if estimate.unit is Unit.BYTES:
        return bytes_text(estimate.value), binary_text(estimate.value)
    if estimate.unit in {Unit.FLOPS, Unit.MACS}:
        return bytes_text(estimate.value).removesuffix("B") + estimate.unit.value.removesuffix("s"), ""
    return count_text(estimate.value), ""


def _fits_blocks(fits: Sequence[Fit]) -> Iterator[Block]:
    if not fits:
        return
    rows = [
        (
            fit.device.given,
            _SAID[fit.fits],
            fit.needed.value,
            fit.device.nbytes,
            fit.longest_context,
            fit.largest_batch,
        )
        for fit in fits
    ]
    yield Table(_FITS, rows)
    obstacles = tuple(f"{fit.device.given}: {fit.obstacle}" for fit in fits if fit.obstacle)
    if obstacles:
        yield Lines(obstacles)
