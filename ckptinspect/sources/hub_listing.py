"""The Hub's answer about a repository -> its commit and its files with their sizes and hashes."""

import re
from collections.abc import Mapping

import msgspec

from ckptinspect.errors import SourceError
from ckptinspect.sources.base import File
from ckptinspect.sources.hub_repo import Repo, is_repo_name
from ckptinspect.text import quoted

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_HINT = "check HF_ENDPOINT and the proxy settings"


class Listing(msgspec.Struct, frozen=True):
    """A repository by the name that the Hub gives it, one commit of it, and the files of that commit by path.

    ``parameters`` is what the Hub itself counts, where it does.
    """

    repo: Repo
    commit: str
    files: Mapping[str, File]
    parameters: int | None = None


class _Lfs(msgspec.Struct):
    sha256: str
    size: int


class _Sibling(msgspec.Struct):
    rfilename: str
    size: int | None = None
    blob: str | None = msgspec.field(name="blobId", default=None)
    lfs: _Lfs | None = None


class _Answer(msgspec.Struct):
    sha: str
    siblings: tuple[_Sibling, ...]
    id: str | None = None
    safetensors: object = None


def parse_listing(raw: bytes, repo: Repo) -> Listing:
    """The listing that ``raw`` holds, or a SourceError for what is none or names files outside of the repository."""
    try:
        answer = msgspec.json.decode(raw, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise SourceError("the server's answer is no listing of a repository", repo.page, _HINT) from None
    if _COMMIT.fullmatch(answer.sha) is None:
        raise SourceError("the server's listing names no commit", repo.page, _HINT)
    if answer.id is not None and is_repo_name(answer.id):
        repo = Repo(repo.kind, answer.id)
    files = sorted(_file(sibling, repo) for sibling in answer.siblings)
    return Listing(repo, answer.sha, {file.path: file for file in files}, _parameters(answer.safetensors))


def _parameters(said: object) -> int | None:
    """``{"parameters": {dtype: count}, "total": count}``; whatever else stands there says nothing."""
    total = said.get("total") if isinstance(said, dict) else None
    return total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None


def _file(sibling: _Sibling, repo: Repo) -> File:
    path = sibling.rfilename
    if path.startswith("/") or "\\" in path or any(part in {"", ".", ".."} for part in path.split("/")):
        raise SourceError(f"the server's listing names the impossible file {quoted(path)}", repo.page, _HINT)
    size = sibling.size if sibling.lfs is None else sibling.lfs.size
    if size is None or size < 0:
        raise SourceError(f"the server's listing gives no size for {quoted(path)}", repo.page, _HINT)
    if sibling.lfs is not None:
        return File(path, size, f"sha256:{sibling.lfs.sha256}")
    return File(path, size, None if sibling.blob is None else f"git:{sibling.blob}")
