"""Where the REFs of a run come from. All of it is lazy: nothing is listed before it is asked for."""

import csv
import hashlib
import io
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from ckptinspect.audit.targets import Target
from ckptinspect.audit.trees import checkpoints_below, is_checkpoint
from ckptinspect.errors import AccessError, FormatError, NotFoundError, RefError, UnavailableError
from ckptinspect.text import quoted

if TYPE_CHECKING:
    from ckptinspect.sources.budget import Quota

_COLUMNS = ("ref", "repo_id", "repo", "id", "modelId", "model_id", "model")
_SHA = "sha"
_PARQUET = b"PAR1"
_EXTRA = "pip install 'ckptinspect[parquet]'"
_HINT = "write one REF a line, or name a CSV or Parquet file and its --column"
_MAX_STANDARD_INPUT = 2_000_000_000
_ROWS = 10_000
_LONGEST = 8_192


class Listing(ABC):
    """One place that REFs come from."""

    local = False
    """Whether all of it lies on this machine, so that no network is waited for."""

    @property
    @abstractmethod
    def stamp(self) -> str:
        """What tells it from another: the same command on the same list goes on with a run, on another it does not."""

    @abstractmethod
    def targets(self) -> Iterator[Target]:
        """The targets, one by one."""

    def count(self) -> int | None:
        """How many there are, where that costs little to know."""
        return None

    def quotas(self) -> "dict[str, Quota]":
        """What a server has said of its quotas while it was listed."""
        return {}


class Given(Listing):
    """REFs as they were typed."""

    def __init__(self, refs: Sequence[str]) -> None:
        self._refs = tuple(refs)
        self.local = all(os.path.lexists(os.path.expanduser(ref)) for ref in self._refs)

    @property
    def stamp(self) -> str:
        return "\n".join(
            os.path.abspath(path) if os.path.lexists(path) else path for path in map(os.path.expanduser, self._refs)
        )

    def targets(self) -> Iterator[Target]:
        return map(Target, self._refs)

    def count(self) -> int:
        return len(self._refs)


class Tree(Listing):
    """Every checkpoint below a local folder, or below one of a storage that lists folders."""

    def __init__(self, ref: str) -> None:
        self._ref = ref
        self._folder = os.path.expanduser(ref)
        self.local = "://" not in ref or os.path.isdir(self._folder)
        if self.local and not os.path.isdir(self._folder):
            what = "this is no folder"
            hint = "--recursive looks below folders of this machine, s3:// and the like"
            raise RefError(what, quoted(ref), hint)

    @property
    def stamp(self) -> str:
        return f"below {os.path.abspath(self._folder) if self.local else self._ref}"

    def targets(self) -> Iterator[Target]:
        found = False
        for checkpoint in checkpoints_below(self._folder) if self.local else remote_checkpoints_below(self._ref):
            found = True
            yield Target(checkpoint)
        if not found:
            raise NotFoundError("there is no checkpoint below it", self._ref, "check the spelling")


def remote_checkpoints_below(url: str) -> Iterator[str]:
    """The folders of a storage that hold a checkpoint, as ``checkpoints_below``."""
    from ckptinspect.sources.remote_tree import RemoteTree

    tree = RemoteTree(url)
    waiting = [tree.root]
    while waiting:
        folder = waiting.pop()
        files, folders = tree.look_into(folder)
        if is_checkpoint(files):
            yield tree.url(folder)
            continue
        waiting += [below for below in reversed(folders) if not below.rpartition("/")[2].startswith(".")]


class FromFile(Listing):
    """REFs in a file, or in standard input: one a line, ``#`` before a remark; or in a column of CSV or Parquet.

    A column ``sha`` beside it is the commit that each repository is known to be at. Standard input is read to its
    end, so that a run can go on.
    """

    def __init__(self, path: str, column: str | None = None) -> None:
        self._path = path
        self._column = column
        self._name = "standard input" if path == "-" else path

    @property
    def stamp(self) -> str:
        digest = hashlib.sha256()
        with self._opened() as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
        return f"from {digest.hexdigest()} {self._column}"

    def targets(self) -> Iterator[Target]:
        found = False
        for target in self._listed():
            found = True
            yield target
        if not found:
            # An audit of nothing would find nothing wrong, and whoever waits for it would go on.
            raise NotFoundError("there is no REF in it", self._name, _HINT)

    def _listed(self) -> Iterator[Target]:
        with self._opened() as file:
            beginning = file.read(len(_PARQUET))
            file.seek(0)
            if beginning == _PARQUET:
                yield from self._from_parquet(file)
            elif self._column is not None or self._path.lower().endswith((".csv", ".tsv")):
                with io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="") as text:
                    yield from self._from_csv(text)
            else:
                with io.TextIOWrapper(file, "utf-8-sig", "surrogateescape") as text:
                    yield from self._from_text(text)

    def count(self) -> int:
        return self._rows

    @cached_property
    def _rows(self) -> int:
        return sum(1 for _ in self.targets())

    @cached_property
    def _standard_input(self) -> bytes:
        content = sys.stdin.buffer.read(_MAX_STANDARD_INPUT + 1)
        if len(content) > _MAX_STANDARD_INPUT:
            raise RefError("standard input has no end", hint="write the list into a file")
        return content

    def _opened(self) -> io.BufferedReader | io.BytesIO:
        if self._path == "-":
            return io.BytesIO(self._standard_input)
        try:
            return open(os.path.expanduser(self._path), "rb")
        except FileNotFoundError:
            raise NotFoundError("no such file", self._path, "check the spelling") from None
        except IsADirectoryError:
            raise AccessError("this is a folder", self._path, "name a list; --recursive looks below folders") from None
        except OSError as error:
            raise AccessError(f"it cannot be read: {error.strerror}", self._path, "check its permissions") from None

    def _from_text(self, file: io.TextIOWrapper) -> Iterator[Target]:
        for line in file:
            if (ref := line.strip()) and not ref.startswith("#"):
                if "\0" in ref or len(ref) > _LONGEST:
                    raise FormatError("this is no list of REFs", self._name, _HINT)
                yield Target(ref)

    def _from_csv(self, file: io.TextIOWrapper) -> Iterator[Target]:
        separator = "\t" if self._path.lower().endswith(".tsv") else ","
        try:
            rows = csv.DictReader(file, delimiter=separator)
            column = self._chosen(rows.fieldnames or ())
            for row in rows:
                yield from _target(row.get(column), row.get(_SHA))
        except csv.Error:
            raise FormatError("this is no CSV", self._name, _HINT) from None

    def _from_parquet(self, file: io.BufferedReader | io.BytesIO) -> Iterator[Target]:
        try:
            from pyarrow import ArrowException, parquet
        except ImportError:
            raise UnavailableError("a Parquet file takes a package that is not installed", None, _EXTRA) from None
        try:
            table = parquet.ParquetFile(file)
            names = table.schema_arrow.names
            column = self._chosen(names)
            wanted = [column, *([_SHA] if _SHA in names and column != _SHA else ())]
            for batch in table.iter_batches(_ROWS, columns=wanted):
                for row in batch.to_pylist():
                    yield from _target(row[column], row.get(_SHA))
        except (ArrowException, OSError):
            raise FormatError("this is no Parquet file that can be read", self._name, "write it again") from None

    def _chosen(self, names: Iterable[str]) -> str:
        """The column that holds the REFs: the one that was named, or the one that says so."""
        names = tuple(names)
        chosen = self._column or next((name for name in _COLUMNS if name in names), None)
        if chosen is None or chosen not in names:
            what = "no column is called like REFs" if self._column is None else f"no column {quoted(self._column)}"
            raise RefError(what, self._name, f"choose --column of {', '.join(map(quoted, names[:20]))}")
        return chosen


def _target(ref: object, sha: object) -> Iterator[Target]:
    if isinstance(ref, str) and (named := ref.strip()) and "\0" not in named:
        yield Target(named, sha if isinstance(sha, str) and _is_commit(sha) else None)


def _is_commit(text: str) -> bool:
    return len(text) == 40 and all(letter in "0123456789abcdef" for letter in text)


class Models(Listing):
    """The models of an organization or a user, or all that carry some tags, as the Hub lists them."""

    def __init__(self, org: str | None, filters: Sequence[str]) -> None:
        from ckptinspect.sources.hub_models import ModelList

        self._org = org
        self._filters = tuple(filters)
        self._list = ModelList(org, filters)

    @property
    def stamp(self) -> str:
        from ckptinspect.sources.hub_environment import endpoint

        return f"models of {self._org} with {','.join(self._filters)} at {endpoint()}"

    def targets(self) -> Iterator[Target]:
        found = False
        for model in self._list:
            found = True
            yield Target(model.id, model.sha if model.sha and _is_commit(model.sha) else None)
        if not found:
            what = "the Hub lists no models of it" if self._org else "the Hub lists no models with these tags"
            raise NotFoundError(what, self._org or ", ".join(self._filters), "check the spelling")

    def quotas(self) -> "dict[str, Quota]":
        return self._list.quotas


class HubCache(Listing):
    """Every commit of every model of which the local Hub cache holds weights."""

    local = True

    @property
    def stamp(self) -> str:
        from ckptinspect.sources.hub_environment import cache_folder

        return f"the cache {cache_folder()}"

    def targets(self) -> Iterator[Target]:
        from ckptinspect.sources.hub_cache import cached_revisions, cached_snapshot
        from ckptinspect.sources.hub_environment import cache_folder

        found = False
        for page, commit in cached_revisions():
            held = cached_snapshot(page, commit)
            if held is not None and next(checkpoints_below(held[0]), None) is not None:
                found = True
                yield Target(f"{page}@{commit}", commit, cached=True)
        if not found:
            raise NotFoundError("the local Hub cache holds no checkpoint", cache_folder(), "check HF_HUB_CACHE")


class Sought(msgspec.Struct, frozen=True):
    """Where to look for REFs, as a command line says it."""

    refs: tuple[str, ...] = ()
    recursive: bool = False
    file: str | None = None
    column: str | None = None
    org: str | None = None
    filters: tuple[str, ...] = ()
    hub_cache: bool = False

    def listings(self) -> tuple[Listing, ...]:
        """The places. Raises RefError where there is none, or an option is about none."""
        found: list[Listing] = []
        if self.refs:
            found += [Tree(ref) for ref in self.refs] if self.recursive else [Given(self.refs)]
        if self.file is not None:
            found.append(FromFile(self.file, self.column))
        elif self.column is not None:
            raise RefError("--column is for --from", hint="name a CSV or Parquet file with --from")
        if self.org is not None or self.filters:
            found.append(Models(self.org, self.filters))
        if self.hub_cache:
            found.append(HubCache())
        if not found:
            raise RefError("there is nothing to audit", hint="name a REF, or use --from, --org or --hub-cache")
        return tuple(found)


def targets_of(listings: Iterable[Listing]) -> Iterator[Target]:
    """The targets of all of them, one place after the other."""
    return chain.from_iterable(listing.targets() for listing in listings)
