"""Findings that were looked at and accepted: a JSON file to be kept beside what it speaks of.

A finding is known again by its REF, rule, file and tensor. Its message may change, with figures or between
versions, and stands in the file for people only.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ckptinspect.audit.base import Audited
from ckptinspect.errors import RefError

if TYPE_CHECKING:
    from ckptinspect.report.v1 import AuditedData

SCHEMA = "ckptinspect/baseline/v1"
_Key = tuple[str, str, str | None, str | None]


class Accepted(msgspec.Struct, frozen=True, order=True):
    """One accepted finding."""

    ref: str
    rule: str
    path: str | None = None
    tensor: str | None = None
    message: str = ""


class _File(msgspec.Struct):
    schema: str
    accepted: tuple[Accepted, ...]


class Baseline(msgspec.Struct, frozen=True):
    """What was accepted, as the keys by which it is known again."""

    keys: frozenset[_Key] = frozenset()

    def applied(self, audited: Audited) -> Audited:
        """The same without the findings that somebody has accepted, which are counted."""
        ref = audited.ref
        kept = tuple(f for f in audited.findings if (ref, f.rule, f.path, f.tensor) not in self.keys)
        return msgspec.structs.replace(audited, findings=kept, accepted=len(audited.findings) - len(kept))


def parse_baseline(raw: bytes, path: str) -> Baseline:
    """The baseline in ``raw``. Raises RefError where it is none."""
    hint = "write it again with --write-baseline"
    try:
        file = msgspec.json.decode(raw, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RefError("this is no baseline of accepted findings", path, hint) from None
    if file.schema != SCHEMA:
        raise RefError("the baseline is of another version", path, hint)
    return Baseline(frozenset((item.ref, item.rule, item.path, item.tensor) for item in file.accepted))


def written_baseline(audits: "Sequence[Audited] | Sequence[AuditedData]") -> bytes:
    """The bytes of a baseline that accepts everything that was found."""
    accepted = sorted(
        (Accepted(a.ref, f.rule, f.path, f.tensor, f.message) for a in audits for f in a.findings),
        key=lambda item: (item.ref, item.rule, item.path or "", item.tensor or "", item.message),
    )
    return msgspec.json.format(msgspec.json.encode(_File(SCHEMA, tuple(accepted)))) + b"\n"
