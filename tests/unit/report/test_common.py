import pytest

from ckptinspect.model import Checkpoint, Ref, Shard
from ckptinspect.report.common import title_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("scheme", "commit", "shown"),
    [
        ("hub", COMMIT, "org/name @ 0123456789ab: single, 1 file, 12 B, via ranges"),
        ("snapshot", COMMIT, "org/name @ 0123456789ab: single, 1 file, 12 B, via ranges"),
        ("acme", "2026-11-22", "org/name @ 2026-11-22: single, 1 file, 12 B, via ranges"),
        ("local", None, "org/name: single, 1 file, 12 B, via ranges"),
    ],
)
def test_a_title_has_the_first_digits_of_a_commit(scheme: str, commit: str | None, shown: str) -> None:
    ref = Ref("org/name", scheme, "org/name", commit=commit)

    assert title_of(Checkpoint(ref, "ranges", "single", (Shard("model.safetensors", 12, None),), {})) == shown
