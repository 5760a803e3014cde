"""Pieces that several verbs' answers share."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from ckptinspect.errors import RefError
from ckptinspect.model import Checkpoint, Note, Ref
from ckptinspect.report import v1
from ckptinspect.text import bytes_text, number_of, quoted

T = TypeVar("T", bound=msgspec.Struct)

_HASH = 40  # hexadecimal digits of a commit


def ref_data(ref: Ref) -> v1.RefData:
    """A ref as data."""
    return v1.RefData(ref.given, ref.scheme, ref.location, ref.revision, ref.commit, ref.path)


def files_data(checkpoint: Checkpoint) -> tuple[v1.FileData, ...]:
    """Every file, those that failed included; sorted by path."""
    files = [
        v1.FileData(
            path=shard.path,
            bytes=shard.size,
            header_bytes=shard.header.nbytes if shard.header is not None else 0,
            tensors=sum(kind.count for kind in shard.header.kinds) if shard.header is not None else 0,
            error=str(shard.error) if shard.error is not None else None,
        )
        for shard in checkpoint.shards
    ]
    return tuple(sorted(files, key=lambda file: file.path))


def failed_data(checkpoint: Checkpoint) -> tuple[v1.FailedData, ...]:
    """The files that could not be read; sorted by path."""
    failed = [(shard.path, shard.error) for shard in checkpoint.shards if shard.error is not None]
    return tuple(
        v1.FailedData(path, error.kind, str(error)) for path, error in sorted(failed, key=lambda item: item[0])
    )


def notes_data(notes: Sequence[Note]) -> tuple[v1.NoteData, ...]:
    """Notes as data, in the order in which they are told."""
    return tuple(v1.NoteData(note.code, note.message) for note in notes)


def title_of(checkpoint: Checkpoint, layout: str | None = None) -> str:
    """One line on what is looked at: its name, layout and size."""
    ref, files = checkpoint.ref, checkpoint.shards
    # A hash of git is known by its first digits; what else a source calls a commit is left whole.
    revision = f" @ {ref.commit[:12] if len(ref.commit) == _HASH else ref.commit}" if ref.commit else ""
    form = checkpoint.layout if layout in {None, "snapshot"} else layout
    size = bytes_text(sum(shard.size for shard in files))
    read = sum(shard.error is None for shard in files)
    count = number_of(len(files), "file") if read == len(files) else f"{read:,} of {number_of(len(files), 'file')}"
    return f"{ref.given}{revision}: {form}, {count}, {size}, via {checkpoint.via}"


def sorted_rows(rows: Sequence[T], given: str | None, columns: dict[str, Callable[[T], object]]) -> list[T]:
    """Rows by ``--sort COLUMN`` (``-COLUMN``: largest first), as they are where none is given.

    Equal ones stay in the order in which they were. Raises RefError for a column that there is not.
    """
    if given is None:
        return list(rows)
    column, down = given.removeprefix("-"), given.startswith("-")
    if column not in columns:
        raise RefError(f"no column {quoted(column)} to sort by", "--sort", f"choose one of {', '.join(columns)}")
    key: Callable[[T], object] = columns[column]
    return sorted(rows, key=key, reverse=down)  # type: ignore[arg-type]
