"""What a reader of a count should know beside the figures, each with a stable code."""

import re
from collections.abc import Iterable, Iterator

from ckptinspect.analysis.count import Count
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.analysis.ties import Tie, disputed
from ckptinspect.dtypes import INTEGERS
from ckptinspect.model import Checkpoint, Note
from ckptinspect.text import few, listed, number_of, quoted

_ONE_OF_MANY = re.compile(r".*\d{1,6}-of-(\d{1,6})(?:\.\w+)?\.safetensors")
_REASONS = 3
_UNLIKE = "too few of the tensors are alike to tell which scales belong to which weight"
_SAYS = {"config": "by the config", "class": "by its model class", "metadata": "by the file's metadata"}


def notes_on(checkpoint: Checkpoint, counted: Count) -> tuple[Note, ...]:
    """Everything to be said about a count, the checkpoint's own notes first."""
    return (
        *checkpoint.notes,
        *_one_shard(checkpoint),
        *_defects(checkpoint),
        *_ties(checkpoint, counted),
        *_integers(counted),
        *_mtp(counted),
        *(note for quantized in counted.quantized.values() for note in quantized.notes),
        *_unexplained(counted),
        *_alternatives(checkpoint),
    )


def _one_shard(checkpoint: Checkpoint) -> Iterator[Note]:
    match = _ONE_OF_MANY.fullmatch(checkpoint.shards[0].path) if checkpoint.layout == "single" else None
    if match is not None and int(match[1]) > 1:
        yield Note("one-shard", f"this is one shard of {int(match[1])}; name the folder or the index for all of them")


def _defects(checkpoint: Checkpoint) -> Iterator[Note]:
    for shard in checkpoint.shards:
        for defect in shard.header.defects if shard.header is not None else ():
            yield Note(defect.kind, f"{shard.path}: {defect.message}")


def _ties(checkpoint: Checkpoint, counted: Count) -> Iterator[Note]:
    for tie in counted.ties:
        if tie.stored:
            said = f"{quoted(tie.name)} is tied to {quoted(tie.tied_to)} {_SAYS[tie.evidence]}, though stored"
            yield Note("tied-stored", f"{said}: {tie.elements:,} elements that count once")
    absent = [tie for tie in counted.ties if not tie.stored]
    if absent:
        again = counted.total.parameters + sum(tie.elements for tie in absent)
        them = "it" if len(absent) == 1 else "them"
        clauses = list(_tied_together(absent))
        joined = "; ".join(clauses)
        stored = f"{joined} and not stored" if len(clauses) == 1 else f"{joined}; none of them is stored"
        yield Note("tied", f"{stored}; counting {them} again would give {again:,}")
    if any(disputed(config) for config in checkpoint.configs.values()):
        what = "the config ties the head at its top and not in its section for the text, or the other way round"
        yield Note("tie-disputed", f"{what}: a head that is stored counts")


def _tied_together(ties: Iterable[Tie]) -> Iterator[str]:
    names: dict[tuple[str, str], list[str]] = {}
    for tie in ties:
        names.setdefault((tie.tied_to, tie.evidence), []).append(quoted(tie.name))
    for (tied_to, evidence), aliases in names.items():
        are = "is" if len(aliases) == 1 else "are"
        yield f"{listed(aliases)} {are} tied to {quoted(tied_to)} {_SAYS[evidence]}"


def _integers(counted: Count) -> Iterator[Note]:
    """Whole numbers of no known use: seldom parameters, though a model may have such."""
    rows = [
        row
        for row in counted.rows
        if row.meaning is Meaning.PARAMETER
        and not row.scheme
        and row.kind.dtype.family in INTEGERS
        and row.parameters == row.kind.elements
    ]
    if rows:
        tensors, elements = sum(row.kind.count for row in rows), sum(row.tally.parameters for row in rows)
        codes = ", ".join(sorted({row.kind.dtype.code for row in rows}))
        what = f"{number_of(elements, 'element')} of {codes} in {number_of(tensors, 'tensor')} of no known use"
        yield Note("integers", f"{what} are counted as parameters")


def _mtp(counted: Count) -> Iterator[Note]:
    mtp = sum(row.tally.parameters for row in counted.rows if row.place.module == "mtp")
    if mtp:
        rest = counted.total.parameters - mtp
        yield Note("mtp", f"{mtp:,} of the parameters are multi-token prediction; without them {rest:,}")


def _unexplained(counted: Count) -> Iterator[Note]:
    rows = [row for row in counted.rows if row.meaning is Meaning.UNEXPLAINED]
    if not rows:
        return
    tensors = sum(row.kind.count for row in rows)
    elements = sum(row.tally.unexplained for row in rows)
    why = {found.reason for found in counted.explained if found.reason}
    why |= {_UNLIKE for row in rows if not row.kind.example}
    why |= {f"{row.kind.dtype.code} of unknown width" for row in rows if row.kind.dtype.bits is None}
    reasons = "; ".join(sorted(why)[:_REASONS]) or "packed weights"
    held = f"{number_of(elements, 'stored element')} in {number_of(tensors, 'tensor')}"
    what = f"{held} {'is' if elements == 1 else 'are'} not explained ({reasons})"
    yield Note("unexplained", f"{what}: the parameters are those of the rest")


def _alternatives(checkpoint: Checkpoint) -> Iterator[Note]:
    others = checkpoint.alternatives
    if others:
        files = "file" if len(others) == 1 else "files"
        yield Note("alternatives", f"not counted: {len(others)} more safetensors {files} ({few(others)})")
