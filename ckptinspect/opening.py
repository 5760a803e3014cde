"""A REF -> its Source -> its Checkpoint: the one entry for the library and for the command line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ckptinspect.checkpoint import MAIN, Reading, read_checkpoint
from ckptinspect.errors import NotFoundError, RefError, SourceError, UnreachableError
from ckptinspect.extensions import extension
from ckptinspect.model import Checkpoint, Ref
from ckptinspect.refs import parse_ref
from ckptinspect.sources.base import Source, run
from ckptinspect.text import quoted

_WAYS = ("auto", "endpoint", "ranges")


def open_checkpoint(
    ref: str | os.PathLike[str], *, names: bool = True, via: str = "auto", offline: bool = False
) -> Checkpoint:
    """The checkpoint that ``ref`` names, from its headers alone.

    ``ref`` is a file, a folder, an index, a snapshot, ``org/name[@revision]``, a Hub page or any fsspec URL.
    ``names=False`` keeps kinds of tensors instead of every name, which is all that counting takes. ``via``
    is the way to a sharded Hub repository: auto, endpoint or ranges. Raises RefError, SourceError,
    FormatError or UnavailableError.
    """
    return open_reading(parse_ref(os.fsdecode(ref)), Reading(names, via), offline=offline)


async def open_checkpoint_async(
    ref: str | os.PathLike[str], *, names: bool = True, via: str = "auto", offline: bool = False
) -> Checkpoint:
    """As ``open_checkpoint``, for code that runs in an event loop."""
    asked = parse_ref(os.fsdecode(ref))
    parsed, source, reading = _prepared(asked, Reading(names, via), offline=offline)
    with explained(asked):
        return await read_checkpoint(source, parsed, reading)


def open_reading(ref: Ref, reading: Reading, *, offline: bool = False) -> Checkpoint:
    """The checkpoint at a parsed REF, read as ``reading`` says."""
    parsed, source, reading = _prepared(ref, reading, offline=offline)
    with explained(ref):
        return run(source, read_checkpoint(source, parsed, reading))


@contextmanager
def explained(ref: Ref) -> Iterator[None]:
    """Whatever SourceError leaves, it says what the user typed."""
    try:
        yield
    except SourceError as error:
        raise _explained(error, ref) from None


def _explained(error: SourceError, ref: Ref) -> SourceError:
    """The error with what the user typed in it: of a URL the whole, of a bare name that no file is called so."""
    if ref.scheme == "remote":
        from ckptinspect.sources.remote_url import shown

        return error if shown(ref.given) in (error.where or "") else error.at(shown(ref.given))
    if isinstance(error, NotFoundError) and (error.where is None or (ref.scheme == "hub" and error.where == ref.path)):
        # Nothing to read in the folder that was named: the folder is what the sentence is about.
        return type(error)(error.what, ref.given, error.hint)
    missing = isinstance(error, (NotFoundError, UnreachableError)) and error.where in {ref.given, ref.location}
    if ref.scheme == "hub" and "://" not in ref.given and missing:
        hint = f"{error.hint}; no file or folder here has that name either" if error.hint else None
        return type(error)(error.what, error.where, hint)
    return error


def _prepared(ref: Ref, reading: Reading, *, offline: bool) -> tuple[Ref, Source, Reading]:
    """The source of a REF, and how to read it; a RefError for a way that this REF can never take."""
    if reading.via not in _WAYS:
        raise RefError(f"there is no way {quoted(reading.via)}", "via", f"choose one of {', '.join(_WAYS)}")
    parsed, source = source_of(ref, offline=offline)
    if reading.via == "endpoint" and (why := _never_by_endpoint(parsed, source)) is not None:
        raise RefError(f"the one-request endpoint {why}", parsed.given, "leave out --via endpoint")
    return parsed, source, reading


def _never_by_endpoint(ref: Ref, source: Source) -> str | None:
    """Why the Hub's one-request endpoint cannot give what a REF names; None where it may."""
    if ref.scheme != "hub":
        return "is the Hub's, and this is read from elsewhere"
    if source.via == "cache":
        return "takes the network, and offline mode is on"
    if ref.revision not in MAIN:
        return f"has the main revision alone, not {quoted(ref.revision or '')}"
    if ref.location.startswith(("datasets/", "spaces/")):
        return "has models alone"
    return None


def source_of(ref: Ref, *, offline: bool = False) -> tuple[Ref, Source]:
    """The source that holds the files of ``ref``, and the ref with its path below that source's root."""
    if ref.scheme == "local":
        from ckptinspect.sources.local import LocalSource

        return ref, LocalSource(ref.location)
    if ref.scheme == "snapshot":
        return _snapshot(ref)
    if ref.scheme == "hub":
        return _hub(ref, offline=offline)
    from ckptinspect.sources.remote_url import WEB, scheme_of, shown

    if offline:
        raise UnreachableError("this is a URL, and --offline was asked for", shown(ref.given), "leave out --offline")
    from ckptinspect.sources.remote import RemoteSource, split_url

    folder, name = split_url(ref.location)
    scheme = scheme_of(ref.location)
    source = (extension("sources", scheme) if scheme not in WEB else None) or RemoteSource
    # A signature or a password is for the source alone: what is reported, or kept in a snapshot, is without.
    return Ref(shown(ref.given), "remote", shown(folder), path=name), source(ref.location)


def _snapshot(ref: Ref) -> tuple[Ref, Source]:
    from ckptinspect.sources.snapshot import SnapshotSource

    source = SnapshotSource(ref.location)
    manifest = source.manifest
    return Ref(ref.given, "snapshot", manifest.origin, path=manifest.path, commit=manifest.commit), source


def _hub(ref: Ref, *, offline: bool) -> tuple[Ref, Source]:
    from ckptinspect.sources.hub import HubSource, cached_snapshot, is_offline

    if not offline and not is_offline():
        return ref, HubSource(ref.location, ref.revision)
    from ckptinspect.sources.local import LocalSource

    cached = cached_snapshot(ref.location, ref.revision)
    if cached is None:
        raise UnreachableError(
            "offline, and the local Hub cache does not hold it", ref.given, "go online, or fetch it first"
        )
    folder, commit = cached
    return Ref(ref.given, "hub", ref.location, ref.revision, ref.path, commit), LocalSource(
        folder, "cache", hidden=True
    )
