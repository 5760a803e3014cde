"""What the parent and the process of a trial say to each other: one JSON object a line."""

import msgspec

from ckptinspect.bench.base import Job
from ckptinspect.bench.gpu.base import DeviceFacts
from ckptinspect.bench.verify import Digest, Window


class Describe(msgspec.Struct, frozen=True, tag=True):
    """Say what this device is."""

    device: str


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """Get ready: import, allocate, open contexts."""

    job: Job


class Go(msgspec.Struct, frozen=True, tag=True):
    """Load now."""


class Look(msgspec.Struct, frozen=True, tag=True):
    """Take the checksums of these."""

    windows: tuple[Window, ...]


class Described(msgspec.Struct, frozen=True, tag=True):
    """What it is."""

    facts: DeviceFacts


class Ready(msgspec.Struct, frozen=True, tag=True):
    """All is there that the clock does not cover."""

    seconds: float


class Timed(msgspec.Struct, frozen=True, tag=True):
    """A load has ended: wall and processor seconds, bytes moved, faults, and bytes that came from the storage.

    ``late_seconds`` of the wall seconds went by after the load had called itself done; ``mapped`` where one of its
    files is still mapped then.
    """

    seconds: float
    late_seconds: float
    nbytes: int
    phases: dict[str, float]
    cpu_seconds: float
    minor_faults: int
    major_faults: int
    storage_read_bytes: int | None
    mapped: bool
    facts: dict[str, str]


class Looked(msgspec.Struct, frozen=True, tag=True):
    """The checksums."""

    digests: tuple[Digest, ...]


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Why it goes no further."""

    reason: str


Question = Describe | Prepare | Go | Look
Answer = Described | Ready | Timed | Looked | Failed
