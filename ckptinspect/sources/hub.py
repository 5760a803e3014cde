"""A repository of the Hugging Face Hub, read by ranges: one request for the listing, two for a file's header.

Every read is pinned to the commit of the listing and checked against its sizes and hashes.
"""

import asyncio
import os
from functools import partial
from typing import Self

from ckptinspect.errors import NotFoundError, ShortReadError, SourceError
from ckptinspect.sources.base import File, Source
from ckptinspect.sources.http import Connections, HttpClient
from ckptinspect.sources.hub_cache import cached_snapshot, not_reached, snapshot_folder
from ckptinspect.sources.hub_client import HubClient
from ckptinspect.sources.hub_environment import endpoint, is_offline
from ckptinspect.sources.hub_file import HubFile
from ckptinspect.sources.hub_listing import Listing, parse_listing
from ckptinspect.sources.hub_refusals import Subject
from ckptinspect.sources.hub_repo import Repo
from ckptinspect.sources.local import LocalSource
from ckptinspect.sources.ranges import FIRST_READ
from ckptinspect.sources.retry import PATIENT, Retry

__all__ = ["HubSource", "cached_snapshot", "is_offline"]

MAX_LISTING = 100_000_000
MAX_HEADERS = 300_000_000
"""Bytes of one answer: a listing of 300,000 files, the headers of 2,500,000 tensors."""
_HEADERS_EXPECTED = 10_000_000


class HubSource(Source):
    """The files of one commit of a repository: ``org/name``, ``datasets/org/name``, ``spaces/org/name``.

    ``timeout`` is the seconds that a read may take for each started megabyte. A copy made by pickling reads
    the same commit; the token is never part of it. Sources that share ``connections`` share the Hub's quota.
    """

    via = "ranges"
    concurrency = 16
    first_read = FIRST_READ

    def __init__(
        self,
        repo: str,
        revision: str | None = None,
        *,
        timeout: float = 20.0,
        retry: Retry = PATIENT,
        connections: Connections | None = None,
    ) -> None:
        self.repo = Repo.named(repo)
        self.revision = revision
        self.timeout = timeout
        self.retry = retry
        self.connections = connections
        self.requests = 0
        self.bytes_read = 0
        self._client: HubClient | None = None
        self._endpoint = ""
        self._listing: Listing | None = None
        self._once = asyncio.Lock()
        self._opened_files: dict[str, HubFile] = {}

    def __reduce__(self) -> tuple[object, ...]:
        commit = self.revision if self._listing is None else self._listing.commit
        return _restored, (self.repo.page, commit, self.timeout, self.retry)

    async def __aenter__(self) -> Self:
        self._endpoint = endpoint()
        http = HttpClient(self, self.timeout, self.retry, self.connections)
        self._client = HubClient(http, self._endpoint)
        self._once = asyncio.Lock()
        return self

    async def __aexit__(self, *_: object) -> None:
        client, self._client = self._client, None
        self._opened_files.clear()
        if client is not None:
            await client.http.close()

    async def list(self) -> tuple[File, ...]:
        return tuple((await self._listed()).files.values())

    async def commit(self) -> str:
        return (await self._listed()).commit

    async def claimed_parameters(self) -> int | None:
        return (await self._listed()).parameters

    async def size(self, path: str) -> int:
        return (await self._file(path)).size

    async def read(self, path: str, begin: int, end: int) -> bytes:
        file = await self._file(path)
        if end > file.size:
            raise ShortReadError(f"the file ends at byte {file.size}, before byte {end}", path, "fetch it again")
        if begin == end:
            return b""
        cached = await self._from_cache(file, begin, end)
        return await (await self._on_hub(file)).read(begin, end) if cached is None else cached

    async def sharded_headers(self, index: str) -> bytes:
        """The headers of every shard that ``index`` names, as the Hub's JSON, in one request. Only for ``main``.

        ``{"index": {"metadata": …}, "headers": {shard: header}}``. Raises SourceError where the Hub has none.
        """
        if is_offline():
            raise not_reached(self.repo, self.revision)
        repo = self.repo if self._listing is None else self._listing.repo
        if repo.kind != "models" or self.revision not in {None, "main"}:
            raise SourceError("the Hub gives headers all at once only for a model's main revision", index)
        client = self._opened()
        url = repo.headers_url(self._endpoint, index)
        subject = Subject(self._endpoint, repo, "main", index)
        attempt = partial(client.document, url, subject, MAX_HEADERS)
        return await client.http.until_done(attempt, _HEADERS_EXPECTED, attempts=2)

    def _opened(self) -> HubClient:
        if self._client is None:
            raise RuntimeError("a source is used inside `async with source`")
        return self._client

    async def _file(self, path: str) -> File:
        listing = await self._listed()
        if (file := listing.files.get(path)) is None:
            raise NotFoundError("no such file", path, f"it is not in {listing.repo.page} at {listing.commit[:12]}")
        return file

    async def _listed(self) -> Listing:
        """The listing, asked for once."""
        async with self._once:
            if self._listing is None:
                self._listing = await self._asked_listing()
        return self._listing

    async def _asked_listing(self) -> Listing:
        if is_offline():
            raise not_reached(self.repo, self.revision)
        client = self._opened()
        revision = self.revision or "main"
        listings = self.connections.listings if self.connections is not None else None
        if listings is not None and (kept := listings.listing(self.repo.page, revision)) is not None:
            return parse_listing(kept, self.repo)
        url = self.repo.listing_url(self._endpoint, revision)
        attempt = partial(client.document, url, Subject(self._endpoint, self.repo, revision), MAX_LISTING)
        raw = await client.http.until_done(attempt, 0)
        listing = parse_listing(raw, self.repo)
        if listings is not None:
            listings.keep_listing(self.repo.page, listing.commit, raw)
        return listing

    async def _from_cache(self, file: File, begin: int, end: int) -> bytes | None:
        """The bytes of a file that the local cache holds whole at this commit."""
        listing = await self._listed()
        for repo in (listing.repo, self.repo):
            folder = snapshot_folder(repo, listing.commit)
            if folder is None or _size_on_disk(os.path.join(folder, file.path)) != file.size:
                continue
            try:
                data = await LocalSource(folder).read(file.path, begin, end)
            except SourceError:
                continue
            self.bytes_read += len(data)
            return data
        return None

    async def _on_hub(self, file: File) -> HubFile:
        """The file on the Hub, with what earlier reads have learnt of it."""
        if file.path not in self._opened_files:
            listing = await self._listed()
            subject = Subject(self._endpoint, listing.repo, listing.commit, file.path)
            self._opened_files[file.path] = HubFile(self._opened(), subject, file)
        return self._opened_files[file.path]


def _restored(repo: str, revision: str | None, timeout: float, retry: Retry) -> HubSource:
    return HubSource(repo, revision, timeout=timeout, retry=retry)


def _size_on_disk(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:
        return None
