"""What the user typed -> Ref: a path, a repository, a Hub page, or any other URL. Asks the disk, never the network."""

import os
import re
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from ckptinspect.config import without_config
from ckptinspect.errors import NotFoundError, RefError
from ckptinspect.model import Ref
from ckptinspect.sources.remote_url import WEB, parts_of
from ckptinspect.text import quoted, shortened, spelled_out

_SNAPSHOT = b"ckptinspect.json"
_REPO = re.compile(r"(?=.{1,96}(?:/|$))[A-Za-z0-9](?:[\w.-]*\w)?(?:/[\w.-]{1,96})?")
_KINDS = ("datasets", "spaces")
_PAGES = ("tree", "blob", "resolve", "raw")
_HUB_HOSTS = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
_RESERVED = frozenset(
    {"models", "docs", "blog", "papers", "api", "join", "login", "settings", "collections", "pricing"}
)
_FILE_ENDINGS = (".safetensors", ".json", ".snap", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".zip")
_SPELLING = "name a file, a folder, org/name on the Hub, or a URL"
_MAX_SHOWN = 300


def parse_ref(given: str) -> Ref:
    """The Ref that ``given`` stands for; a local path wins over a repository of the same spelling.

    Raises RefError for what can be neither, NotFoundError for a path that is not there.

    >>> ref = parse_ref("hf://Qwen/Qwen3-0.6B@v1.0/model.safetensors")
    >>> ref.scheme, ref.location, ref.revision, ref.path
    ('hub', 'Qwen/Qwen3-0.6B', 'v1.0', 'model.safetensors')
    """
    if not given or "\0" in given:
        raise RefError("this names nothing", quoted(given), _SPELLING)
    if os.path.lexists(local := os.path.expanduser(given)):
        return _local(given, local)
    if spelled_out(given) != given:
        # Bytes that are not UTF-8 stand in the names of local files alone.
        raise _no_such(given)
    scheme, separator, rest = given.partition("://")
    if not separator:
        return _spelled(given)
    return _by_scheme(given, scheme.lower(), rest)


def _by_scheme(given: str, scheme: str, rest: str) -> Ref:
    if scheme == "hf":
        return _hf(given, rest)
    if scheme in WEB and (parts_of(given).hostname in _HUB_HOSTS or _at_endpoint(given)):
        return _page(given)
    if scheme == "file":
        return _file(given)
    return Ref(given, "remote", given if scheme in WEB else given.split("?", 1)[0])


def _file(given: str) -> Ref:
    """A ``file://`` URL: of this machine, whether it says so or names no host."""
    parts = parts_of(given, hosted=False)
    path = os.fsdecode(unquote_to_bytes(parts.path))
    if parts.netloc not in {"", "localhost"} or not path or "\0" in path:
        raise RefError("this is the URL of no local file", quoted(given), "write file:///folder/file")
    if not os.path.lexists(path):
        raise _no_such(given)
    return _local(given, path)


def _no_such(given: str) -> NotFoundError:
    return NotFoundError("no such file or folder", shortened(given, _MAX_SHOWN), "check the spelling")


def _local(given: str, path: str) -> Ref:
    if os.path.isdir(path):
        return Ref(given, "local", _cached(path))
    folder, name = os.path.split(path)
    if os.path.isfile(path) and _is_snapshot(path):
        return Ref(given, "snapshot", path)
    return Ref(given, "local", folder or ".", path=without_config(name))


def _is_snapshot(path: str) -> bool:
    """Whether the file at ``path`` begins as a snapshot does."""
    try:
        with open(path, "rb") as file:
            first = file.read(30 + len(_SNAPSHOT))
    except OSError:
        return False
    return first.startswith(b"PK\x03\x04") and first.endswith(_SNAPSHOT)


def _cached(path: str) -> str:
    """The folder itself, or the snapshot of ``main`` in a repository folder of the Hub's cache.

    Layout: ``models--org--name/{refs,blobs,snapshots}`` (huggingface_hub, "Understand caching").
    """
    snapshots = os.path.join(path, "snapshots")
    if "--" not in os.path.basename(os.path.normpath(path)) or not os.path.isdir(snapshots):
        return path
    try:
        with open(os.path.join(path, "refs", "main"), encoding="ascii") as file:
            commit = file.read(64).strip()
    except (OSError, UnicodeDecodeError):
        commits = _names_in(snapshots)
        if len(commits) != 1:
            raise RefError("this cached repository has no main revision", path, f"name one of {snapshots}/*") from None
        commit = commits[0]
    if not commit.isalnum():
        raise RefError("this cached repository's main revision is damaged", path, f"name one of {snapshots}/*")
    return os.path.join(snapshots, commit)


def _names_in(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _spelled(given: str) -> Ref:
    name, at, revision = given.rstrip("/").partition("@")
    if given.startswith((".", "/", "~")) or name.endswith(_FILE_ENDINGS) or os.sep * 2 in given:
        raise _no_such(given)
    if given.endswith("/") and "/" not in name:
        # ``models/`` is a folder misspelt rather than a repository.
        raise _no_such(given)
    if _REPO.fullmatch(name) is None or "--" in name or ".." in name or (at and not revision):
        if _REPO.match(name) is not None and name.count("/") > 1:
            hint = "for a folder of a Hub repository write hf://org/name/folder"
            raise NotFoundError("no such file or folder", shortened(given, _MAX_SHOWN), hint)
        raise RefError("this is no path that exists and no repository id", quoted(given), _SPELLING)
    return Ref(given, "hub", name, revision or None)


def _hf(given: str, rest: str) -> Ref:
    kind, _, after = rest.partition("/")
    prefix, rest = (kind + "/", after) if kind in _KINDS else ("", after if kind == "models" else rest)
    head, at, tail = rest.partition("@")
    if at:
        revision, path = _revision(tail)
        return _hub(given, prefix, head.rstrip("/"), revision, path)
    parts = rest.split("/")
    return _hub(given, prefix, "/".join(parts[:2]).rstrip("/"), None, "/".join(parts[2:]))


def _revision(tail: str) -> tuple[str, str]:
    """``refs/pr/1/path`` is a revision of three parts and a path; any other revision is one part."""
    parts = tail.split("/")
    count = 3 if parts[0] == "refs" and len(parts) >= 3 else 1
    return unquote("/".join(parts[:count])), "/".join(parts[count:])


def _page(given: str) -> Ref:
    parts = [unquote(part) for part in _path_at_hub(given).split("/") if part]
    prefix = ""
    if parts and parts[0] in _KINDS:
        prefix = parts.pop(0) + "/"
    if not parts or parts[0] in _RESERVED:
        raise RefError("this page belongs to no repository", given, _SPELLING)
    count = 1 if len(parts) == 1 or parts[1] in _PAGES else 2
    repo, rest = "/".join(parts[:count]), parts[count:]
    if not rest or rest[0] not in _PAGES:
        return _hub(given, prefix, repo, None, "")
    revision, path = _revision("/".join(rest[1:]) or "main")
    return _hub(given, prefix, repo, revision, path)


def _path_at_hub(url: str) -> str:
    """The path of a page's URL; of a mirror's, what comes after its own address."""
    below = url[len(_endpoint()) :] if _at_endpoint(url) else urlsplit(url).path
    return below.partition("?")[0].partition("#")[0]


def _hub(given: str, prefix: str, repo: str, revision: str | None, path: str) -> Ref:
    path = path.rstrip("/")
    if _REPO.fullmatch(repo) is None or any(part in {"", ".", ".."} for part in path.split("/") if path):
        raise RefError("this names no repository of the Hub", quoted(given), "write hf://org/name[@revision][/path]")
    return Ref(given, "hub", prefix + repo, revision, without_config(path))


def _at_endpoint(url: str) -> bool:
    endpoint = _endpoint()
    return bool(endpoint) and url.startswith(endpoint + "/")


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "").rstrip("/")
