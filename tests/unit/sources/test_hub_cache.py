"""The local Hub cache, by its documented layout."""

from pathlib import Path

import pytest

from ckptinspect.sources.hub_cache import cached_snapshot

MAIN = "a" * 40
OLD = "abc1234" + "0" * 33


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with two commits of org/name, of which main is one and refs/pr/1 the other."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    repo = tmp_path / "models--org--name"
    for commit in (MAIN, OLD):
        (repo / "snapshots" / commit).mkdir(parents=True)
    (repo / "refs/refs/pr").mkdir(parents=True)
    (repo / "refs/main").write_text(MAIN)
    (repo / "refs/refs/pr/1").write_text(OLD)
    return repo / "snapshots"


@pytest.mark.parametrize(
    ("revision", "commit"), [(None, MAIN), ("main", MAIN), ("refs/pr/1", OLD), (OLD, OLD), ("abc1234", OLD)]
)
def test_a_revision_is_found_by_name_commit_or_beginning(cache: Path, revision: str | None, commit: str) -> None:
    assert cached_snapshot("org/name", revision) == (str(cache / commit), commit)


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("revision", ["v1.0", "b" * 40, "abc", "aaaaaaab", "../../../x", "/etc/passwd", "", "\0", "."])
def test_a_revision_that_is_not_cached_is_none(revision: str) -> None:
    assert cached_snapshot("org/name", revision or "refs") is None


def test_a_ref_that_is_damaged_is_none(cache: Path) -> None:
    (cache.parent / "refs/main").write_bytes(b"../../elsewhere\xff")

    assert cached_snapshot("org/name") is None


def test_a_beginning_of_two_commits_is_none(cache: Path) -> None:
    (cache / ("abc1234" + "1" * 33)).mkdir()

    assert cached_snapshot("org/name", "abc1234") is None


@pytest.mark.parametrize(
    ("repo", "folder"),
    [("gpt2", "models--gpt2"), ("datasets/org/name", "datasets--org--name"), ("spaces/org/name", "spaces--org--name")],
)
def test_every_kind_of_repository_has_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repo: str, folder: str
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    (tmp_path / folder / "snapshots" / MAIN).mkdir(parents=True)

    assert cached_snapshot(repo, MAIN) == (str(tmp_path / folder / "snapshots" / MAIN), MAIN)


@pytest.mark.parametrize(
    ("variables", "cache"),
    [
        ({"HF_HUB_CACHE": "{home}/a"}, "a"),
        ({"HUGGINGFACE_HUB_CACHE": "{home}/b"}, "b"),
        ({"HF_HOME": "{home}/c"}, "c/hub"),
        ({"XDG_CACHE_HOME": "{home}/d"}, "d/huggingface/hub"),
        ({"HOME": "{home}"}, ".cache/huggingface/hub"),
    ],
)
def test_the_cache_is_where_huggingface_hub_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], cache: str
) -> None:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(home=tmp_path))
    snapshot = tmp_path / cache / "models--org--name" / "snapshots" / MAIN
    snapshot.mkdir(parents=True)

    assert cached_snapshot("org/name", MAIN) == (str(snapshot), MAIN)
