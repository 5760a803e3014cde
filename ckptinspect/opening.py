"""A REF -> its Source -> its Checkpoint: the one entry for the library and for the command line."""

import os

from ckptinspect.checkpoint import Reading, read_checkpoint
from ckptinspect.errors import NotFoundError, SourceError, UnreachableError
from ckptinspect.extensions import extension
from ckptinspect.model import Checkpoint, Ref
from ckptinspect.refs import parse_ref
from ckptinspect.sources.base import Source, run


def open_checkpoint(
    ref: str | os.PathLike[str], *, names: bool = True, via: str = "auto", offline: bool = False
) -> Checkpoint:
    """The checkpoint that ``ref`` names, from its headers alone.

    ``ref`` is a file, a folder, an index, a snapshot, ``org/name[@revision]``, a Hub page or any fsspec URL.
    ``names=False`` keeps kinds of tensors instead of every name, which is all that counting takes. ``via``
    is the way to a sharded Hub repository: auto, endpoint or ranges. Raises RefError, SourceError,
    FormatError or UnavailableError.
    """
    return open_reading(parse_ref(os.fspath(ref)), Reading(names, via), offline=offline)


async def open_checkpoint_async(
    ref: str | os.PathLike[str], *, names: bool = True, via: str = "auto", offline: bool = False
) -> Checkpoint:
    """As ``open_checkpoint``, for code that runs in an event loop."""
    parsed, source = source_of(parse_ref(os.fspath(ref)), offline=offline)
    return await read_checkpoint(source, parsed, Reading(names, via))


def open_reading(ref: Ref, reading: Reading, *, offline: bool = False) -> Checkpoint:
    """The checkpoint at a parsed REF, read as ``reading`` says."""
    asked = ref
    ref, source = source_of(ref, offline=offline)
    try:
        return run(source, read_checkpoint(source, ref, reading))
    except SourceError as error:
        raise _explained(error, asked) from None


def _explained(error: SourceError, ref: Ref) -> SourceError:
    """The error with what the user typed in it: of a URL the whole, of a bare name that no file is called so."""
    if ref.scheme == "remote":
        from ckptinspect.sources.remote_url import shown

        return error if shown(ref.given) in (error.where or "") else error.at(shown(ref.given))
    missing = isinstance(error, (NotFoundError, UnreachableError)) and error.where in {ref.given, ref.location}
    if ref.scheme == "hub" and "://" not in ref.given and missing:
        hint = f"{error.hint}; no file or folder here has that name either" if error.hint else None
        return type(error)(error.what, error.where, hint)
    return error


def source_of(ref: Ref, *, offline: bool = False) -> tuple[Ref, Source]:
    """The source that holds the files of ``ref``, and the ref with its path below that source's root."""
    if ref.scheme == "local":
        from ckptinspect.sources.local import LocalSource

        return ref, LocalSource(ref.location)
    if ref.scheme == "snapshot":
        return _snapshot(ref)
    if ref.scheme == "hub":
        return _hub(ref, offline=offline)
    if offline:
        raise UnreachableError("this is a URL, and --offline was asked for", ref.given, "leave out --offline")
    from ckptinspect.sources.remote import RemoteSource, split_url
    from ckptinspect.sources.remote_url import WEB, scheme_of, shown

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
    return Ref(ref.given, "hub", ref.location, ref.revision, ref.path, commit), LocalSource(folder, via="cache")
