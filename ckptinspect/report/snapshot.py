"""``snapshot``: what was kept, and where."""

from ckptinspect.report import v1
from ckptinspect.report.common import failed_data, ref_data, title_of
from ckptinspect.report.document import Lines, Report
from ckptinspect.snapshot import Snapshot
from ckptinspect.text import bytes_text


def snapshot_report(snapshot: Snapshot, output: str) -> Report:
    """What a snapshot holds."""
    size = len(snapshot.content)
    data = v1.SnapshotData(
        ref=ref_data(snapshot.checkpoint.ref),
        output=output,
        bytes=size,
        files=snapshot.files,
        headers=snapshot.headers,
        sha256=snapshot.sha256,
        failed=failed_data(snapshot.checkpoint),
    )
    line = (
        f"{output}: {snapshot.headers} headers and {snapshot.files} other files in {bytes_text(size)} ({size:,} bytes)"
    )
    figures = ("output", "bytes", "files", "headers", "sha256")
    row = {"ref": data.ref.given} | {name: getattr(data, name) for name in figures}
    return Report(
        "snapshot",
        data,
        title_of(snapshot.checkpoint),
        (Lines((line,)),),
        rows=lambda: [row],
        columns=tuple(row),
    )
