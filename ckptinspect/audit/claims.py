"""Numbers that files claim of themselves."""

from collections.abc import Iterator

from ckptinspect.audit.subject import Subject

_LARGEST = 10**24


def claimed(value: object) -> int | None:
    """A claimed number, however it is written: as an integer, a whole float, or digits; None for anything else.

    >>> claimed(7), claimed(7.0), claimed("7"), claimed(True), claimed("many")
    (7, 7, 7, None, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST:
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 24:
        return int(value)
    return value if isinstance(value, int) else None


def claimed_parameters(subject: Subject) -> Iterator[tuple[str, int]]:
    """Every file that a loader takes which says how many parameters there are, and what it says."""
    for indexed in subject.indexed:
        said = claimed(indexed.index.metadata.get("total_parameters"))
        if said is not None and not subject.taken.isdisjoint(indexed.present) and len(subject.components) == 1:
            yield indexed.path, said
    if len(subject.taken) == 1:
        (path,) = subject.taken
        weight = subject.weight.get(path)
        said = claimed(weight.header.metadata.get("total_parameters")) if weight and weight.header else None
        if said is not None:
            yield path, said
