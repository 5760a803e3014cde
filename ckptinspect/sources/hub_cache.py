"""The local Hub cache, read without huggingface_hub: ``<cache>/models--org--name/{refs,blobs,snapshots}``.

The layout is documented (https://huggingface.co/docs/huggingface_hub/guides/manage-cache): a ref is a file that
holds a commit, a snapshot is a folder per commit, its files are links into the blobs.
"""

import os
import re
from collections.abc import Iterator

from ckptinspect.errors import UnreachableError
from ckptinspect.sources.hub_environment import cache_folder
from ckptinspect.sources.hub_repo import Repo, is_repo_name

_COMMIT = re.compile(r"[0-9a-f]{40}")
_ABBREVIATED = re.compile(r"[0-9a-f]{7,39}")


def cached_snapshot(repo: str, revision: str | None = None) -> tuple[str, str] | None:
    """The folder and the commit of a revision that the local cache holds; None where it holds none of it.

    ``revision`` is a branch, a tag, ``refs/pr/1``, a commit or its beginning; None is ``main``.
    """
    named = Repo.named(repo)
    commit = _commit(named, revision or "main")
    folder = None if commit is None else snapshot_folder(named, commit)
    return None if commit is None or folder is None else (folder, commit)


def snapshot_folder(repo: Repo, commit: str) -> str | None:
    """The folder of a commit's cached files; None where there is none."""
    folder = os.path.join(cache_folder(), repo.cache_name, "snapshots", commit)
    return folder if os.path.isdir(folder) else None


def cached_revisions() -> Iterator[tuple[str, str]]:
    """Every model and commit of which the local cache holds anything, sorted: its page and the commit."""
    for name in _names_in(cache_folder()):
        kind, *parts = name.split("--")
        page = "/".join(parts)
        if kind == "models" and is_repo_name(page):
            for commit in _cached_commits(Repo("models", page)):
                yield page, commit


def not_reached(repo: Repo, revision: str | None) -> UnreachableError:
    """The error of offline mode, which says what the local cache holds of the repository instead."""
    commits = ", ".join(commit[:12] for commit in _cached_commits(repo))
    if cached_snapshot(repo.page, revision) is not None:
        what, hint = "the local cache holds this revision", "read it from there, or unset HF_HUB_OFFLINE"
    elif commits:
        what, hint = f"the local cache holds only {commits}", "name one of these with @, or unset HF_HUB_OFFLINE"
    else:
        what, hint = "the local cache holds none of it", f"unset HF_HUB_OFFLINE, or run `hf download {repo.name}` once"
    return UnreachableError(f"offline mode is on, and {what}", repo.page, hint)


def _commit(repo: Repo, revision: str) -> str | None:
    if _COMMIT.fullmatch(revision):
        return revision
    if (commit := _ref(repo, revision)) is not None:
        return commit
    if _ABBREVIATED.fullmatch(revision) is None:
        return None
    found = [commit for commit in _cached_commits(repo) if commit.startswith(revision)]
    return found[0] if len(found) == 1 else None


def _ref(repo: Repo, revision: str) -> str | None:
    """The commit that the cache noted for a branch or tag. A name never leads out of the folder of refs."""
    if "\0" in revision or any(part in {"", ".", ".."} for part in revision.split("/")):
        return None
    try:
        with open(os.path.join(cache_folder(), repo.cache_name, "refs", *revision.split("/")), "rb") as file:
            commit = file.read(64).strip().decode("ascii", "replace")
    except OSError:
        return None
    return commit if _COMMIT.fullmatch(commit) else None


def _cached_commits(repo: Repo) -> list[str]:
    names = _names_in(os.path.join(cache_folder(), repo.cache_name, "snapshots"))
    return [name for name in names if _COMMIT.fullmatch(name)]


def _names_in(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
