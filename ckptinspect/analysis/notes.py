"""What a reader of a count should know beside the figures, each with a stable code."""

import re
from collections.abc import Iterator

from ckptinspect.analysis.count import Count
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.model import Checkpoint, Note
from ckptinspect.text import quoted

_ONE_OF_MANY = re.compile(r".*\d{5,6}-of-(\d{5,6})(?:\.\w+)?\.safetensors")
_NAMED = 4


def notes_on(checkpoint: Checkpoint, counted: Count) -> tuple[Note, ...]:
    """Everything to be said about a count, the checkpoint's own notes first."""
    return (
        *checkpoint.notes,
        *_one_shard(checkpoint),
        *_defects(checkpoint),
        *_ties(counted),
        *_mtp(counted),
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


def _ties(counted: Count) -> Iterator[Note]:
    says = {"config": "by the config", "class": "by its model class", "metadata": "by the file's metadata"}
    for tie in counted.ties:
        names = f"{quoted(tie.name)} is tied to {quoted(tie.tied_to)} {says[tie.evidence]}"
        if tie.stored:
            yield Note("tied-stored", f"{names}, though stored: {tie.elements:,} elements that count once")
        else:
            twice = counted.total.parameters + tie.elements
            yield Note("tied", f"{names} and not stored; counting it again would give {twice:,}")


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
    why = sorted(
        {f"{row.kind.dtype.code} of unknown width" if row.kind.dtype.bits is None else "packed weights" for row in rows}
    )
    what = f"{elements:,} stored elements in {tensors:,} tensors are not explained ({', '.join(why)})"
    yield Note("unexplained", f"{what}: the parameters are those of the rest")


def _alternatives(checkpoint: Checkpoint) -> Iterator[Note]:
    others = checkpoint.alternatives
    if others:
        files = "file" if len(others) == 1 else "files"
        yield Note("alternatives", f"not counted: {len(others)} more safetensors {files} ({_some(others)})")


def _some(names: "tuple[str, ...] | list[str]") -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
