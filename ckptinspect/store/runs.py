"""Where a run keeps what it has: the list of what it audits, and rows in parts that appear whole or not at all.

::

    STORE/runs/RUN/run.json         what was asked for, so that the same command finds it again
    STORE/runs/RUN/targets.jsonl    what is audited, in its order, as it was listed
    STORE/rows/RUN-BATCH.jsonl      one object a REF; a batch is done when this is there
    STORE/{repos,files,tensors,index,findings}/RUN-BATCH.parquet
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import IO

import msgspec

from ckptinspect.audit.targets import Target
from ckptinspect.errors import AccessError, RefError
from ckptinspect.store.keys import Keys

SCHEMA = "ckptinspect/run/v1"
_AGAIN = "make room, then run the same command again: it goes on"


class Run(msgspec.Struct, frozen=True):
    """One run in a store. Picklable; workers on other machines need the same folder.

    ``fingerprint`` stands for the command: what is audited and how, not by which engine or into which format.
    ``size`` is the targets in a batch. ``tables`` says that the store is to be kept, and queried.
    """

    store: str
    name: str
    fingerprint: str
    size: int
    tables: bool = False

    @property
    def folder(self) -> str:
        """The run's own folder."""
        return os.path.join(self.store, "runs", self.name)

    def part(self, batch: str, kind: str = "rows", ending: str = "jsonl") -> str:
        """Where the rows of a batch stand."""
        return os.path.join(self.store, kind, f"{self.name}-{batch}.{ending}")


class _Saved(msgspec.Struct):
    schema: str
    fingerprint: str
    size: int
    version: str
    finished: bool = False


class _Line(msgspec.Struct, omit_defaults=True):
    ref: str = ""
    commit: str | None = None
    cached: bool = False
    end: bool = False


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Whatever the disk refuses is one sentence."""
    try:
        yield
    except OSError as error:
        raise AccessError(f"it cannot be written: {error.strerror}", path, _AGAIN) from None


def write_part(path: str, write: Callable[[str], None], *, sync: bool = False) -> None:
    """Let ``write`` make a file under another name, then let it appear under its own; ``sync`` waits for the disk."""
    temporary = f"{path}.{secrets.token_hex(6)}.tmp"
    try:
        with writing(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            write(temporary)
            if sync:
                _sync(temporary)
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def write_lines(path: str, lines: Iterable[bytes], *, sync: bool = False) -> None:
    """A part of lines, each with its end."""

    def write(temporary: str) -> None:
        with open(temporary, "wb") as file:
            file.writelines(lines)

    write_part(path, write, sync=sync)


def lines_of(path: str) -> Iterator[bytes]:
    """The lines of a part, or of a list that is still being written: one that has no end is left out."""
    with open(path, "rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line


class Wanted(msgspec.Struct, frozen=True):
    """The run that a command asks for; ``fresh`` gives up an unfinished one."""

    store: str
    fingerprint: str
    size: int
    tables: bool = False
    fresh: bool = False


def run_of(wanted: Wanted) -> tuple[Run, bool]:
    """The run of this command that is to go on, or a new one; and whether it goes on."""
    store, fingerprint, tables = wanted.store, wanted.fingerprint, wanted.tables
    for name, saved in _runs(store):
        if saved.fingerprint == fingerprint and not saved.finished:
            run = Run(store, name, fingerprint, saved.size, tables)
            if not wanted.fresh:
                return run, True
            remove(run)
    name = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{fingerprint[:8]}"
    run = Run(store, name, fingerprint, wanted.size, tables)
    while os.path.exists(run.folder):
        run = msgspec.structs.replace(run, name=f"{run.name}-again")
    with writing(run.folder):
        os.makedirs(run.folder)
    _save(run, finished=False)
    return run, False


def finish(run: Run) -> None:
    """Let the same command begin anew from now on."""
    _save(run, finished=True)


def remove(run: Run) -> None:
    """Remove all of a run."""
    _unlink(run, "")
    shutil.rmtree(run.folder, ignore_errors=True)


def left_runs(store: str) -> Iterator[Run]:
    """The runs in a store that can be gone on with."""
    for name, saved in _runs(store):
        if not saved.finished:
            yield Run(store, name, saved.fingerprint, saved.size)


def _unlink(run: Run, ending: str) -> None:
    """Remove the parts of a run whose names end so."""
    for kind in os.listdir(run.store) if os.path.isdir(run.store) else ():
        folder = os.path.join(run.store, kind)
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            before, dash, number = name.partition(run.name + "-")
            if dash and not before and number[:8].isdigit() and name.endswith(ending):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(folder, name))


@contextlib.contextmanager
def claimed(run: Run) -> Iterator[None]:
    """Hold a run for this process. Raises RefError where another one has it."""
    path = os.path.join(run.folder, "lock")
    with writing(path):
        file = open(path, "wb")  # noqa: SIM115 - it stays open as long as the claim holds
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            what = "another process is at the same run"
            raise RefError(what, run.folder, "wait for it, or choose another --store") from None
        # Nobody is at it: what was half written is nobody's.
        _unlink(run, ".tmp")
        yield


def _runs(store: str) -> Iterator[tuple[str, _Saved]]:
    """The runs in a store by name; what is damaged is no run."""
    folder = os.path.join(store, "runs")
    for name in sorted(os.listdir(folder), reverse=True) if os.path.isdir(folder) else ():
        try:
            with open(os.path.join(folder, name, "run.json"), "rb") as file:
                saved = msgspec.json.decode(file.read(), type=_Saved)
        except (OSError, msgspec.MsgspecError):
            continue
        if saved.schema == SCHEMA:
            yield name, saved


def _save(run: Run, *, finished: bool) -> None:
    from ckptinspect import __version__

    saved = _Saved(SCHEMA, run.fingerprint, run.size, __version__, finished)
    write_lines(os.path.join(run.folder, "run.json"), [msgspec.json.encode(saved) + b"\n"])


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Targets:
    """The list of what a run audits: written as it is listed, and read again by whoever goes on with the run.

    A REF that is listed twice is audited once. Where nobody can go on with the run, nothing is ``kept``.
    """

    def __init__(self, run: Run, *, kept: bool = True) -> None:
        self._path = os.path.join(run.folder, "targets.jsonl")
        self._is_kept = kept
        self._seen = Keys()
        self.twice = 0

    def all(self, listing: Iterable[Target]) -> Iterator[Target]:
        """What was listed before, then what ``listing`` gives beyond that."""
        if not self._is_kept:
            yield from self._new(listing)
            return
        ended = yield from self._listed_before()
        if ended:
            return
        with writing(self._path):
            file = open(self._path, "ab")  # noqa: SIM115 - closed below, where other errors are not about writing
        with file:
            for target in self._new(listing):
                self._append(file, _Line(target.ref, target.commit, target.cached))
                yield target
            self._append(file, _Line(end=True))

    def _new(self, listing: Iterable[Target]) -> Iterator[Target]:
        for target in listing:
            if self._seen.add(target.key):
                yield target
            else:
                self.twice += 1

    def _listed_before(self) -> Generator[Target, None, bool]:
        """What stands in the file; gives whether that is all. A line that was being written is cut off."""
        if not os.path.exists(self._path):
            return False
        whole = 0
        ended = False
        for line in lines_of(self._path):
            try:
                said = msgspec.convert(json.loads(line), _Line)
            except ValueError:
                break
            whole += len(line)
            if said.end:
                ended = True
                break
            target = Target(said.ref, said.commit, said.cached)
            self._seen.add(target.key)
            yield target
        if not ended:
            with writing(self._path):
                os.truncate(self._path, whole)
        return ended

    def _append(self, file: IO[bytes], line: _Line) -> None:
        """Hand a line to the system before anybody acts on it: whoever is killed then has it on the list."""
        with writing(self._path):
            # The standard library writes and reads what is no Unicode in the name of a file here.
            file.write(json.dumps(msgspec.to_builtins(line), separators=(",", ":")).encode() + b"\n")
            file.flush()
