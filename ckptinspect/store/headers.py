"""The header cache: beginnings of files by the hash of their content, and listings by their commit, in one sqlite file.

Both never change, so nothing here ever goes stale. It is a cache and no more: whatever is wrong with the file costs
requests, never a run. Several processes may use it at once (write-ahead log; https://sqlite.org/wal.html).
"""

import contextlib
import hashlib
import logging
import os
import sqlite3
import time
import zlib
from types import TracebackType
from typing import Any, Self

import msgspec

from ckptinspect.store.place import cache_limit, cache_place
from ckptinspect.text import escaped

FILE = "headers-v1.sqlite"
_HEADER, _LISTING = "header", "listing"
_PATIENCE = 2.0
"""Seconds to wait for another process that writes: it takes a fraction of a millisecond."""
_LOOK_EVERY = 128
_DAY = 86_400
_LEVEL = 6
_KEPT_OF_LIMIT = 0.8
_FEWEST = 16
_LARGE = 65_536
"""Bytes of an entry that is larger than most: so many are dropped at once that it is not too many."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS entries "
    "(key BLOB PRIMARY KEY, kind TEXT NOT NULL, used INTEGER NOT NULL, size INTEGER NOT NULL, data BLOB NOT NULL)"
)
_DROP_OLDEST = "DELETE FROM entries WHERE rowid IN (SELECT rowid FROM entries ORDER BY used, rowid LIMIT ?)"

log = logging.getLogger("ckptinspect")


class CacheState(msgspec.Struct, frozen=True):
    """What the cache holds: files' beginnings and listings, the bytes on disk, and how many those may become."""

    folder: str
    headers: int
    listings: int
    nbytes: int
    limit: int


class HeaderCache:
    """The cache in a folder. Opened when it is first used; ``limit`` is in bytes on disk."""

    def __init__(self, folder: str | None = None, limit: int | None = None) -> None:
        self.folder = folder or cache_place()
        self.limit = cache_limit() if limit is None else limit
        self._connection: sqlite3.Connection | None = None
        self._broken = False
        self._puts = 0
        self._today = int(time.time()) // _DAY

    def __reduce__(self) -> tuple[object, ...]:
        return HeaderCache, (self.folder, self.limit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def beginning(self, scope: str, digest: str) -> bytes | None:
        """The first bytes of the file of this content, as many as are kept. ``scope`` is the server that vouches
        for the hash.
        """
        return self._got(_key(_HEADER, scope, digest))

    def keep_beginning(self, scope: str, digest: str, data: bytes) -> None:
        """Keep the first bytes of the file of this content."""
        self._put(_HEADER, _key(_HEADER, scope, digest), data)

    def listing_of(self, scope: str, page: str, commit: str) -> bytes | None:
        """What the server of ``scope`` listed for a commit of a repository."""
        return self._got(_key(_LISTING, scope, page, commit))

    def keep_listing_of(self, scope: str, page: str, commit: str, raw: bytes) -> None:
        """Keep what a server listed for a commit."""
        self._put(_LISTING, _key(_LISTING, scope, page, commit), raw)

    def state(self) -> CacheState:
        """What the cache holds."""
        if not os.path.exists(self._paths()[0]):
            return CacheState(self.folder, 0, 0, 0, self.limit)
        counts = dict(self._rows("SELECT kind, count(*) FROM entries GROUP BY kind"))
        return CacheState(self.folder, counts.get(_HEADER, 0), counts.get(_LISTING, 0), self._on_disk(), self.limit)

    def clear(self) -> None:
        """Remove the file."""
        self.close()
        for path in self._paths():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _got(self, key: bytes) -> bytes | None:
        for used, size, data in self._rows("SELECT used, size, data FROM entries WHERE key = ?", key):
            try:
                content = zlib.decompressobj().decompress(data, size + 1)
            except (zlib.error, TypeError):
                content = b""
            if len(content) != size:
                self._rows("DELETE FROM entries WHERE key = ?", key)
                return None
            if used != self._today:
                self._rows("UPDATE entries SET used = ? WHERE key = ?", self._today, key)
            return content
        return None

    def _put(self, kind: str, key: bytes, content: bytes) -> None:
        data = zlib.compress(content, _LEVEL)
        if len(data) > self.limit // 4:
            return
        self._rows("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?)", key, kind, self._today, len(content), data)
        self._puts += 1
        if self._puts % _LOOK_EVERY == 1:
            self._make_room()

    def _make_room(self) -> None:
        """Drop what was not used for longest, where the file has grown over its limit."""
        if self._in_use() <= self.limit:
            return
        while (excess := self._in_use() - int(self.limit * _KEPT_OF_LIMIT)) > 0:
            self._rows(_DROP_OLDEST, max(_FEWEST, excess // _LARGE))
            if self._rows("SELECT changes()") in ([], [(0,)]):
                break
        self._rows("PRAGMA incremental_vacuum")

    def _in_use(self) -> int:
        """Bytes of the file's pages that hold something."""
        numbers = [self._rows(f"PRAGMA {name}") for name in ("page_count", "freelist_count", "page_size")]
        pages, free, size = (int(rows[0][0]) if rows else 0 for rows in numbers)
        return (pages - free) * size

    def _on_disk(self) -> int:
        return sum(os.path.getsize(path) for path in self._paths() if os.path.exists(path))

    def _paths(self) -> tuple[str, ...]:
        path = os.path.join(self.folder, FILE)
        return path, path + "-wal", path + "-shm"

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What a statement gives; nothing where the file is broken. A damaged file is made anew, once."""
        for _ in range(2):
            if self._broken:
                break
            try:
                return list(self._opened().execute(statement, values))
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    self._give_up(error)
            except (sqlite3.DatabaseError, OverflowError, OSError) as error:
                if self._broken or isinstance(error, OSError):
                    self._give_up(error)
                else:
                    self._anew(error)
                    continue
            break
        return []

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            path = os.path.join(self.folder, FILE)
            connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
            self._connection = connection
            # Before there is a table: it decides how the file is laid out.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_TABLE)
            connection.execute("CREATE INDEX IF NOT EXISTS by_use ON entries (used)")
        return self._connection

    def _anew(self, error: Exception) -> None:
        log.warning("the header cache is damaged (%s) and begins anew", escaped(str(error)))
        self.clear()

    def _give_up(self, error: Exception) -> None:
        log.warning("the header cache cannot be used: %s", escaped(str(error)))
        self._broken = True
        self.close()


def _key(*parts: str) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


class ScopedListings:
    """The cache as a source of the Hub wants it: for one endpoint."""

    def __init__(self, cache: HeaderCache, scope: str) -> None:
        self._cache = cache
        self._scope = scope

    def listing(self, page: str, commit: str) -> bytes | None:
        """The listing of a commit."""
        return self._cache.listing_of(self._scope, page, commit)

    def keep_listing(self, page: str, commit: str, raw: bytes) -> None:
        """Keep the listing of a commit."""
        self._cache.keep_listing_of(self._scope, page, commit, raw)
