"""``cache``: what audits have kept on this machine, and how much of it."""

from ckptinspect.report import v1
from ckptinspect.report.document import Lines, Report
from ckptinspect.text import bytes_text, number_of


def cache_report(data: v1.CacheData) -> Report:
    """What the cache holds; after it was cleared, what is left."""
    held = f"{number_of(data.headers, 'header')} and {number_of(data.listings, 'listing')}"
    lines = [f"{held} in {bytes_text(data.bytes)}, of at most {bytes_text(data.limit)}"]
    if data.runs:
        lines.append(f"{number_of(data.runs, 'audit')} left, to be gone on with by the same command")
    row = {name: getattr(data, name) for name in data.__struct_fields__}
    title = f"{data.folder}: cleared" if data.cleared else data.folder
    return Report("cache", data, title, (Lines(tuple(lines)),), rows=lambda: [row], columns=tuple(row))
