"""Subjects × rules -> findings; and a REF -> what its audit gives, in one function that a worker can be handed."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from ckptinspect.audit.base import Audited, Finding, Severity, Skipped
from ckptinspect.audit.baseline import Baseline
from ckptinspect.audit.choice import Chosen
from ckptinspect.audit.read import Beside, read_subjects
from ckptinspect.audit.subject import Hashed, Subject
from ckptinspect.errors import CkptInspectError
from ckptinspect.model import Checkpoint, Ref
from ckptinspect.opening import explained, source_of
from ckptinspect.refs import parse_ref
from ckptinspect.sources.base import Source, run
from ckptinspect.text import escaped

MAX_FINDINGS = 1_000
"""Findings of one rule in one checkpoint that are kept."""
FAILED = "CK000"
"""The code of a finding that tells of a rule that failed: our own mistake, not the checkpoint's."""


class Options(msgspec.Struct, frozen=True):
    """How to audit. Picklable, so that an engine can ship it.

    ``rules`` are those to run, ``base`` is the model that an adapter is held against, ``accepted`` what a
    baseline knows already; ``debug`` lets our own mistakes through.
    """

    rules: tuple[Chosen, ...]
    base: Checkpoint | None = None
    accepted: Baseline = Baseline()
    offline: bool = False
    debug: bool = False


def audit_one(ref: str, options: Options, hashes: Mapping[str, Hashed] | None = None) -> Audited | Skipped:
    """What is wrong with the checkpoint at ``ref``, or why nobody can tell. Raises nothing."""
    try:
        parsed, source = source_of(parse_ref(ref), offline=options.offline)
        return run(source, audited_source(source, parsed, options, hashes))
    except CkptInspectError as error:
        return Skipped(ref, error.kind, str(error))
    except Exception as error:
        if options.debug:
            raise
        return bug(ref, error)


async def audit_one_async(ref: str, options: Options, source: Source | None = None) -> Audited | Skipped:
    """As ``audit_one``, for code that runs in an event loop. ``source`` is the ref's where it is made already."""
    try:
        parsed = parse_ref(ref)
        if source is None:
            parsed, source = source_of(parsed, offline=options.offline)
        return await audited_source(source, parsed, options)
    except CkptInspectError as error:
        return Skipped(ref, error.kind, str(error))
    except Exception as error:
        if options.debug:
            raise
        return bug(ref, error)


def bug(ref: str, error: Exception) -> Skipped:
    """A checkpoint that was skipped for a mistake of ours."""
    return Skipped(ref, "bug", f"a bug of ckptinspect: {type(error).__name__}: {error}")


async def audited_source(
    source: Source, ref: Ref, options: Options, hashes: Mapping[str, Hashed] | None = None
) -> Audited | Skipped:
    """What is wrong with the checkpoint at ``ref`` of a source that is not open yet."""
    return (await looked_at(source, ref, options, hashes)).result


class Look(NamedTuple):
    """What an audit gave, the subjects that it looked at, and the error of one that was skipped."""

    result: Audited | Skipped
    subjects: Sequence[Subject] = ()
    error: CkptInspectError | None = None


async def looked_at(source: Source, ref: Ref, options: Options, hashes: Mapping[str, Hashed] | None = None) -> Look:
    """As ``audited_source``, with all that it saw."""
    try:
        with explained(ref):
            async with source:
                subjects = await read_subjects(source, ref, Beside(options.base, hashes))
                commit = await source.commit() or ref.commit
    except CkptInspectError as error:
        return Look(Skipped(ref.given, error.kind, str(error), source.requests, source.bytes_read), (), error)
    found = [finding for subject in subjects for finding in audited(subject, options.rules, debug=options.debug)]
    result = Audited(ref.given, tuple(found), source.requests, source.bytes_read, commit)
    return Look(options.accepted.applied(result), subjects)


def audited(subject: Subject, rules: Iterable[Chosen], *, debug: bool = False) -> tuple[Finding, ...]:
    """Everything that the rules find in one checkpoint: by file, the worst first, always in the same order.

    A rule that fails is a finding of its own, and takes nothing from the others.
    """
    found = [finding for chosen in rules for finding in _found(chosen, subject, debug=debug)]
    return tuple(sorted(found, key=_order))


def _found(chosen: Chosen, subject: Subject, *, debug: bool) -> list[Finding]:
    try:
        findings = list(islice(chosen.rule.check(subject), MAX_FINDINGS))
    except Exception as error:
        if debug:
            raise
        rule = f"the rule {chosen.rule.code} ({chosen.rule.name})"
        message = f"a bug of ckptinspect: {rule} failed with {type(error).__name__}: {error}"
        return [Finding(FAILED, Severity.ERROR, escaped(message[:500]), subject.folder or None)]
    if chosen.severity is None:
        return findings
    return [replace(finding, severity=chosen.severity) for finding in findings]


def _order(finding: Finding) -> tuple[bool, str, int, str, str, str]:
    return (
        finding.path is None,
        finding.path or "",
        finding.severity.rank,
        finding.rule,
        finding.tensor or "",
        finding.message,
    )
