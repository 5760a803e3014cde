"""A Hub on loopback: the API and the redirects on one port, the CDN on another, faults and quotas to order.

In a test::

    with TestHub({"org/name": folder}) as hub:
        hub.inject("503", "model.safetensors")
        ...
        assert [request.path for request in hub.requests] == [...]

By itself, for benchmarks: ``python -m tests.hub_server FOLDER... --latency 0.05 --port 0``.
Files are served as they lie on disk, in ranges, so sparse checkpoints of any size cost nothing.
"""

import argparse
import contextlib
import gzip
import hashlib
import json
import os
import random
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, quote, unquote

from tests.loopback import BREAKS, Port, Reply, Request, Slice, bytes_of

if TYPE_CHECKING:
    import pytest

# huggingface_hub asks its endpoint for more, once a day, unless telemetry is off when it is imported.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

LARGE = (".safetensors", ".bin", ".gguf", ".pt")
_REPO = r"([^/]+(?:/[^/]+)??)"
_API = re.compile(rf"/api/(models|datasets|spaces)/{_REPO}(?:/(revision|tree|safetensors-metadata)/(.+))?")
_RESOLVE = re.compile(rf"/(?:(datasets|spaces)/)?{_REPO}/resolve/([^/]+)/(.+)")
_CACHE = re.compile(rf"/api/resolve-cache/(models|datasets|spaces)/{_REPO}/([0-9a-f]{{40}})/(.+)")
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass
class Fault:
    kind: str
    path: str
    port: str | None
    left: int


@dataclass
class Quota:
    """Requests allowed in a window of so many seconds."""

    limit: int
    window: float
    left: int = -1
    ends: float = 0.0

    def take(self) -> bool:
        now = time.monotonic()
        if now >= self.ends:
            self.left, self.ends = self.limit, now + self.window
        self.left -= 1
        return self.left >= 0

    def headers(self, bucket: str) -> dict[str, str]:
        seconds = max(0, int(self.ends - time.monotonic()))
        return {
            "RateLimit": f'"{bucket}";r={max(0, self.left)};t={seconds}',
            "RateLimit-Policy": f'"fixed window";"{bucket}";q={self.limit};w={int(self.window)}',
        }


class Repo:
    """A folder served as a repository, with one commit that ``main`` and the tags stand for."""

    def __init__(self, page: str, folder: str) -> None:
        self.kind, self.name = _kind(page)
        self.folder = folder
        self.commit = hashlib.sha1(page.encode()).hexdigest()
        self.tags: list[str] = []
        self.shard_headers: dict[str, bytes] = {}
        self.digests: dict[str, str] = {}

    def has(self, revision: str) -> bool:
        return revision in {"main", self.commit, *self.tags}

    def size(self, path: str) -> int | None:
        full = os.path.join(self.folder, path)
        return os.path.getsize(full) if os.path.isfile(full) else None

    def paths(self) -> list[str]:
        """The paths of all files, sorted."""
        return sorted(
            os.path.relpath(os.path.join(at, name), self.folder)
            for at, _, names in os.walk(self.folder)
            for name in names
        )

    def listing(self, *, blobs: bool) -> bytes:
        siblings = [self.sibling(path) if blobs else {"rfilename": path} for path in self.paths()]
        return json.dumps({"id": self.name, "modelId": self.name, "sha": self.commit, "siblings": siblings}).encode()

    def tree(self) -> bytes:
        """What is listed to those who download all of it."""
        entries = []
        for path in self.paths():
            sibling = self.sibling(path)
            entry = {"type": "file", "path": path, "size": sibling["size"], "oid": sibling["blobId"]}
            if isinstance(lfs := sibling.get("lfs"), dict):
                entry["lfs"] = {"oid": lfs["sha256"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
            entries.append(entry)
        return json.dumps(entries).encode()

    def sibling(self, path: str) -> dict[str, object]:
        size = self.size(path) or 0
        entry: dict[str, object] = {"rfilename": path, "size": size, "blobId": self.oid(path)[:40]}
        if self.large(path):
            entry["lfs"] = {"sha256": self.oid(path), "size": size, "pointerSize": 135}
        return entry

    def large(self, path: str) -> bool:
        return path.endswith(LARGE) or (self.size(path) or 0) > 10_000_000

    def oid(self, path: str) -> str:
        """The content's hash where ``digests`` has it. Else it is made up: nobody hashes 700 GB to serve a header."""
        return self.digests.get(path) or hashlib.sha256(f"{self.name}/{path}:{self.size(path)}".encode()).hexdigest()

    def headers_of(self, index: str) -> bytes:
        """What safetensors-metadata answers; made once, since 12 MB of headers take a while."""
        if index not in self.shard_headers:
            content = json.loads(Path(self.folder, index).read_bytes())
            below = os.path.dirname(index)
            headers = [
                json.dumps(shard).encode() + b":" + _header(os.path.join(self.folder, below, shard))
                for shard in sorted(set(content["weight_map"].values()))
            ]
            metadata = json.dumps({"metadata": content.get("metadata")}).encode()
            self.shard_headers[index] = b'{"index":' + metadata + b',"headers":{' + b",".join(headers) + b"}}"
        return self.shard_headers[index]


class TestHub:
    """The server. Set its attributes to make repositories renamed, gated, private or disabled, and quotas small."""

    __test__ = False

    def __init__(self, repos: Mapping[str, str | os.PathLike[str]], *, latency: float = 0.0, port: int = 0) -> None:
        self.repos = {page: Repo(page, os.fspath(folder)) for page, folder in repos.items()}
        self.latency = latency
        self.renamed: dict[str, str] = {}
        self.gated: set[str] = set()
        self.private: set[str] = set()
        self.disabled: set[str] = set()
        self.token = "hf_the_right_token"
        self.quotas = {"api": Quota(1_000, 300), "resolvers": Quota(5_000, 300)}
        self.tags: dict[str, set[str]] = {}
        self.page = 1_000
        self.links_elsewhere = False
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self.disturbed = 0
        self._faults: list[Fault] = []
        self._disturbance: tuple[float, list[str], random.Random] | None = None
        self._signatures: set[str] = set()
        self._lock = threading.Lock()
        self._hub = Port("hub", self, port)
        self._cdn = Port("cdn", self, 0)

    @property
    def endpoint(self) -> str:
        return self._hub.address

    @property
    def cdn(self) -> str:
        """The CDN's address; below ``/files/`` it serves every repository's files to anybody."""
        return self._cdn.address

    def environment(self, home: str | os.PathLike[str]) -> dict[str, str]:
        """The variables that make a process use this Hub, with a cache of its own and without the user's token."""
        return {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": os.fspath(home),
            "HF_HUB_CACHE": os.path.join(home, "hub"),
            "HF_TOKEN_PATH": os.path.join(home, "token"),
            "CKPTINSPECT_CACHE": os.path.join(home, "ckptinspect"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_OFFLINE": "0",
            "HF_TOKEN": "",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def surround(self, monkeypatch: "pytest.MonkeyPatch", home: str | os.PathLike[str]) -> None:
        """Make this process use this Hub, also where huggingface_hub has read its variables already."""
        for name, value in self.environment(home).items():
            monkeypatch.setenv(name, value)
        for name in ("TRANSFORMERS_OFFLINE", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_CACHE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", os.path.join(home, "token"))

    def inject(self, kind: str, path: str = "", *, times: int = 1, port: str | None = None) -> None:
        """Let the next ``times`` requests whose path holds ``path`` fail in the way named (see ``FAULTS``), or with this status."""
        assert kind in FAULTS or kind.isdigit()
        self._faults.append(Fault(kind, path, port, times))

    def disturb(self, share: float, kinds: Iterable[str], seed: int = 0) -> None:
        """Let this share of all requests fail, in one of these ways each; ``disturbed`` counts them."""
        self._disturbance = (share, sorted(kinds), random.Random(seed))

    def expire(self) -> None:
        """Let every signed address that was given so far be refused."""
        with self._lock:
            self._signatures.clear()

    def paths(self, port: str) -> list[str]:
        """The paths that were asked for on a port, in the order of arrival."""
        return [request.path for request in self.requests if request.port == port]

    def __enter__(self) -> Self:
        self._hub.start()
        self._cdn.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._hub.stop()
        self._cdn.stop()

    def taken(self, request: Request) -> tuple[Reply, str | None]:
        fault = self._fault(request)
        return _replied(self, request, fault), fault

    def _fault(self, request: Request) -> str | None:
        with self._lock:
            self.requests.append(request)
            for fault in self._faults:
                if fault.left and fault.path in request.path and fault.port in {None, request.port}:
                    fault.left -= 1
                    return fault.kind
            if self._disturbance is not None:
                share, kinds, chance = self._disturbance
                if chance.random() < share:
                    self.disturbed += 1
                    return chance.choice(kinds)
        return None

    def answer(self, request: Request) -> Reply:
        if request.port == "cdn":
            return self._from_cdn(request)
        bucket = "resolvers" if "/resolve" in request.path else "api"
        with self._lock:
            granted = self.quotas[bucket].take()
            headers = self.quotas[bucket].headers(bucket)
        reply = self._from_hub(request) if granted else Reply(429)
        reply.headers |= headers
        return reply

    def _from_hub(self, request: Request) -> Reply:
        if match := _CACHE.fullmatch(request.path):
            kind, name, _, path = match.groups()
            repo = self.repos[_page(kind, name)]
            reply = _file(request, os.path.join(repo.folder, unquote(path)))
            reply.headers |= {"X-Repo-Commit": repo.commit, "ETag": f'"{repo.oid(unquote(path))[:40]}"'}
            return reply
        if match := _RESOLVE.fullmatch(request.path):
            kind, name, revision, path = match.groups()
            return self._resolved(request, _page(kind or "models", name), unquote(revision), unquote(path))
        if request.path == "/api/models":
            return self._models(request)
        if match := _API.fullmatch(request.path):
            kind, name, what, rest = match.groups()
            return self._api(request, _page(kind, name), what or "revision", unquote(rest or "main"))
        return Reply(404)

    def _api(self, request: Request, page: str, what: str, rest: str) -> Reply:
        if page in self.renamed:
            kind, name = _kind(self.renamed[page])
            return Reply(307, {"Location": f"/api/{kind}/{name}/{what}/{quote(rest, safe='')}?{request.query}"})
        if (refused := self._refused(request, page)) is not None:
            return refused
        repo = self.repos[page]
        if what == "revision":
            if not repo.has(rest):
                return _error(404, "RevisionNotFound", f"Invalid rev id: {rest}")
            return _json(request, repo.listing(blobs="blobs=true" in request.query))
        if what == "tree":
            return _json(request, repo.tree())
        if repo.size(rest) is None:
            return _error(404, "EntryNotFound", "Entry not found")
        return _json(request, repo.headers_of(rest))

    def _models(self, request: Request) -> Reply:
        """A page of the list of models, sorted by name, and where the next one is."""
        asked = parse_qs(request.query)
        author, tags = asked.get("author", [None])[0], set(asked.get("filter", ()))
        names = sorted(
            page
            for page, repo in self.repos.items()
            if repo.kind == "models"
            and page not in self.private
            and author in {None, page.partition("/")[0]}
            and tags <= self.tags.get(page, set())
        )
        begin = int(asked.get("cursor", ["0"])[0])
        shown = [{"id": name, "sha": self.repos[name].commit} for name in names[begin : begin + self.page]]
        reply = _json(request, json.dumps(shown).encode())
        if len(names) > begin + self.page:
            query = "&".join(part for part in request.query.split("&") if not part.startswith("cursor="))
            following = f"{'http://localhost:1' if self.links_elsewhere else self.endpoint}/api/models?{query}&cursor={begin + self.page}"
            reply.headers["Link"] = f'<{following}>; rel="next"'
        return reply

    def _refused(self, request: Request, page: str) -> Reply | None:
        known = request.token == f"Bearer {self.token}"
        if request.token is not None and not known:
            return _error(401, None, "Invalid credentials in Authorization header")
        if page not in self.repos or (page in self.private and not known):
            return _error(404 if known else 401, "RepoNotFound", "Repository not found")
        if page in self.disabled:
            return _error(403, None, "Access to this resource is disabled.")
        return None

    def _resolved(self, request: Request, page: str, revision: str, path: str) -> Reply:
        if page in self.renamed:
            return Reply(307, {"Location": f"/{self.renamed[page]}/resolve/{revision}/{quote(path)}"})
        if (refused := self._refused(request, page)) is not None:
            return refused
        if page in self.gated and request.token is None:
            return _error(401, "GatedRepo", "Access to this resource is restricted")
        repo = self.repos[page]
        if not repo.has(revision):
            return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if repo.size(path) is None:
            return _error(404, "EntryNotFound", "Entry not found")
        return self._located(repo, path)

    def _located(self, repo: Repo, path: str) -> Reply:
        headers = {"X-Repo-Commit": repo.commit}
        if not repo.large(path):
            address = f"/api/resolve-cache/{repo.kind}/{repo.name}/{repo.commit}/{quote(path)}"
            return Reply(307, headers | {"Location": address, "ETag": f'"{repo.oid(path)[:40]}"'})
        with self._lock:
            signature = f"signed{len(self.requests)}"
            self._signatures.add(signature)
        address = f"{self.cdn}/signed/{_page(repo.kind, repo.name)}/{quote(path)}?Expires=1&Signature={signature}"
        linked = {"X-Linked-Size": str(repo.size(path)), "X-Linked-ETag": f'"{repo.oid(path)}"'}
        return Reply(302, headers | linked | {"Location": address})

    def _from_cdn(self, request: Request) -> Reply:
        _, where, rest = request.path.split("/", 2)
        signature = parse_qs(request.query).get("Signature", [""])[0]
        if where == "signed" and signature not in self._signatures:
            return _error(403, None, "Request has expired")
        words = rest.split("/")
        for depth in (1, 2, 3):
            if (repo := self.repos.get("/".join(words[:depth]))) is not None:
                return _file(request, os.path.join(repo.folder, unquote("/".join(words[depth:]))))
        return Reply(404)


def _replied(hub: TestHub, request: Request, fault: str | None) -> Reply:
    """The right answer, or the one that a fault puts in its place."""
    if fault is not None and fault.isdigit():
        return Reply(int(fault), {"Retry-After": "0"} if fault == "429" else {}, b"trouble")
    if fault == "ask-to-wait":
        return Reply(429, {"Retry-After": "1000"})
    if fault == "expired":
        return _error(403, None, "Request has expired")
    if fault == "redirect-to-cdn":
        return Reply(307, {"Location": hub.cdn + "/files/"})
    if fault == "html":
        return Reply(200, {"Content-Type": "text/html"}, b"<html>Please log in to the guest network</html>")
    if fault == "ignore-range":
        request.headers.pop("range", None)
    if fault == "wrong-offset" and (match := _RANGE.fullmatch(request.headers.get("range", ""))):
        request.headers["range"] = f"bytes={int(match[1]) + 8}-{int(match[2]) + 8}"
    reply = hub.answer(request)
    for name, value in _ALTERED.get(fault or "", {}).items():
        reply.headers[name] = value
    if fault == "gzip":
        reply.headers["Content-Encoding"] = "gzip"
        reply.body = gzip.compress(bytes_of(reply.body))
    return reply


_ALTERED = {
    "other-commit": {"X-Repo-Commit": "f" * 40},
    "other-size": {"X-Linked-Size": "12345"},
    "other-hash": {"X-Linked-ETag": '"' + "0" * 64 + '"'},
    "wrong-content-range": {"Content-Range": "bytes 8-15/16"},
    "no-content-range": {"Content-Range": ""},
    "redirect-elsewhere": {"Location": "ftp://127.0.0.1/file"},
    "false-gzip": {"Content-Encoding": "gzip"},
    "quota-of-many-digits": {"RateLimit": f'"api";r={"9" * 5_000};t=1'},
    "quota-beyond-time": {"RateLimit": f'"api";r=0;t={"9" * 400}'},
}
_REPLACED = {"ask-to-wait", "expired", "html", "ignore-range", "redirect-to-cdn", "wrong-offset", "gzip"}
FAULTS = {*_ALTERED, *BREAKS, *_REPLACED}


@contextlib.contextmanager
def served(
    files: Mapping[str, bytes], tmp_path: Path, monkeypatch: "pytest.MonkeyPatch", page: str = "org/name"
) -> Iterator[TestHub]:
    """A Hub with one repository of these files, which this process uses."""
    for path, content in files.items():
        (tmp_path / "repo" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "repo" / path).write_bytes(content)
    with TestHub({page: tmp_path / "repo"}) as hub:
        hub.surround(monkeypatch, tmp_path / "home")
        yield hub


def _file(request: Request, path: str) -> Reply:
    if not os.path.isfile(path):
        return Reply(404, {}, b"Not Found")
    size = os.path.getsize(path)
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match is None and path.endswith(".json"):
        return _json(request, bytes_of(Slice(path, 0, size)))
    if match is None:
        return Reply(200, {}, Slice(path, 0, size))
    begin, end = int(match[1]), min(int(match[2]) + 1, size)
    if begin >= size:
        return Reply(416, {"Content-Range": f"bytes */{size}"})
    return Reply(206, {"Content-Range": f"bytes {begin}-{end - 1}/{size}"}, Slice(path, begin, end))


def _json(request: Request, body: bytes) -> Reply:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if len(body) > 1_000 and "gzip" in request.headers.get("accept-encoding", ""):
        return Reply(200, headers | {"Content-Encoding": "gzip"}, gzip.compress(body, 1))
    return Reply(200, headers, body)


def _error(status: int, code: str | None, message: str) -> Reply:
    headers = {"X-Error-Message": message, "Content-Type": "application/json"}
    return Reply(status, headers | ({"X-Error-Code": code} if code else {}), json.dumps({"error": message}).encode())


def _header(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(int.from_bytes(file.read(8), "little"))


def _kind(page: str) -> tuple[str, str]:
    first, _, rest = page.partition("/")
    return (first, rest) if first in {"datasets", "spaces"} else ("models", page)


def _page(kind: str, name: str) -> str:
    return name if kind == "models" else f"{kind}/{name}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve folders as repositories of a Hub on loopback.")
    parser.add_argument("folders", nargs="+", help="FOLDER, served as local/FOLDER, or org/name=FOLDER")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds added to every request")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    named = (folder.partition("=") for folder in options.folders)
    repos = {page if mark else f"local/{Path(page).name}": folder if mark else page for page, mark, folder in named}
    with TestHub(repos, latency=options.latency, port=options.port) as hub:
        print(f"HF_ENDPOINT={hub.endpoint}", *hub.repos, flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
