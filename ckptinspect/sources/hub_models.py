"""The Hub's list of models, page by page, each with the commit that its main branch is at."""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from ckptinspect.errors import SourceError, UnreachableError
from ckptinspect.sources.answers import whole_body
from ckptinspect.sources.budget import Quota
from ckptinspect.sources.http import Connections, HttpClient
from ckptinspect.sources.hub_client import HubClient
from ckptinspect.sources.hub_environment import endpoint, is_offline
from ckptinspect.sources.hub_refusals import Subject, hub_refusal
from ckptinspect.sources.hub_repo import Repo, is_repo_name
from ckptinspect.sources.retry import PATIENT, Allowance

if TYPE_CHECKING:
    from ckptinspect.sources.hub_library import httpx

MAX_PAGE = 50_000_000
_TIMEOUT = 30.0
_HINT = "check HF_ENDPOINT and the proxy settings"


class Model(msgspec.Struct, frozen=True):
    """A repository of the list; ``sha`` is the commit of its main branch, where the list says so."""

    id: str
    sha: str | None = None


class _Page(msgspec.Struct):
    models: list[Model]
    next: str | None


class ModelList:
    """The models of ``author`` that carry all of the ``filters``, as the Hub lists them.

    ``requests``, ``bytes_read`` and ``quotas`` tell what that has cost, and what the Hub said of what is left.
    """

    concurrency = 1

    def __init__(self, author: str | None = None, filters: Sequence[str] = ()) -> None:
        self.author = author
        self.filters = tuple(filters)
        self.requests = 0
        self.bytes_read = 0
        self.quotas: dict[str, Quota] = {}

    def __iter__(self) -> Iterator[Model]:
        """Page by page, as far as it is asked for."""
        if is_offline():
            what = "offline mode is on, and the list of models is the Hub's"
            raise UnreachableError(what, self._where, "unset HF_HUB_OFFLINE")
        url: str | None = self._first(endpoint())
        asked = set()
        while url is not None:
            if url in asked:
                raise SourceError("the Hub's list of models leads in a circle", self._where, "try again later")
            asked.add(url)
            page = asyncio.run(self._page(url))
            yield from page.models
            url = page.next

    @property
    def _where(self) -> str:
        return self.author or "models"

    def _first(self, hub: str) -> str:
        query = [("author", self.author)] if self.author else []
        query += [("filter", name) for name in self.filters]
        return f"{hub}/api/models?{urlencode([*query, ('expand', 'sha')])}"

    async def _page(self, url: str) -> _Page:
        connections = Connections(most=1)
        http = HttpClient(self, _TIMEOUT, PATIENT, connections)
        client = HubClient(http, endpoint())
        try:
            return await http.until_done(partial(self._asked, client, url), MAX_PAGE)
        finally:
            self.quotas |= getattr(connections.pace, "quotas", dict)()
            await connections.close()

    async def _asked(self, client: HubClient, url: str, allowance: Allowance) -> _Page:
        subject = Subject(endpoint(), Repo("models", self._where), "main", self._where)
        async with client.answer(url, {}, allowance, self._where) as response:
            if response.status_code >= 400:
                raise hub_refusal(response, subject)
            if response.status_code != 200:
                raise SourceError("the server's answer is no list of models", self._where, _HINT)
            following = self._following(client, response)
            body = await whole_body(response, MAX_PAGE, self._where)
        try:
            models = msgspec.json.decode(body, type=list[Model])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise SourceError("the server's answer is no list of models", self._where, _HINT) from None
        return _Page([model for model in models if is_repo_name(model.id)], following)

    def _following(self, client: HubClient, response: "httpx.Response") -> str | None:
        """Where the next page is, by the Link header: at the Hub, since the token goes there."""
        found = response.links.get("next", {}).get("url")
        if found is None:
            return None
        url = str(response.request.url.join(found))
        if not client.trusts(url):
            raise SourceError("the Hub's list of models leads to another host", self._where, "check HF_ENDPOINT")
        return url
