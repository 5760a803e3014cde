"""Counts and tallies as columns, for those who go on with them in a data frame."""

from collections.abc import Sequence

from ckptinspect.analysis.count import Count
from ckptinspect.analysis.keys import GroupKey, keys_of
from ckptinspect.errors import RefError
from ckptinspect.model import Tally
from ckptinspect.notebook import Columns

FIGURES = {
    "tensors": "tensors",
    "stored_elements": "stored",
    "parameters": "parameters",
    "unexplained_elements": "unexplained",
    "bytes": "nbytes",
}
"""The figures of a tally, by the names that they have outside."""


def kind_columns(counted: Count) -> Columns:
    """A row for each kind of tensors: what it is, where it stands, and what all of it amounts to."""
    rows = counted.rows
    return {
        "example": [row.kind.example for row in rows],
        "component": [row.component for row in rows],
        "module": [row.place.module for row in rows],
        "role": [str(row.place.role) for row in rows],
        "dtype": [row.kind.dtype.code for row in rows],
        "shape": [list(row.kind.shape) for row in rows],
        "meaning": [row.meaning.name.lower() for row in rows],
        **figures_of([row.tally for row in rows]),
    }


def tally_columns(counted: Count, by: str) -> Columns:
    """The tallies of a count by the keys in ``by``. Raises RefError for keys that kinds of tensors cannot tell."""
    keys = keys_of(by)
    if any(key.needs_names for key in keys):
        needed = ", ".join(key.name for key in keys if key.needs_names)
        raise RefError(f"a count holds kinds of tensors, which do not tell {needed}", hint="use module, dtype or role")
    tallies = counted.by(*(key.of for key in keys))
    return key_columns(keys, list(tallies)) | figures_of(list(tallies.values()))


def key_columns(keys: Sequence[GroupKey], paths: Sequence[tuple[str, ...]]) -> dict[str, list[object]]:
    """A column for each key."""
    return {key.name: [path[number] for path in paths] for number, key in enumerate(keys)}


def figures_of(tallies: Sequence[Tally], *, suffix: str = "") -> dict[str, list[object]]:
    """A column for each figure."""
    return {f"{name}{suffix}": [getattr(tally, field) for tally in tallies] for name, field in FIGURES.items()}
