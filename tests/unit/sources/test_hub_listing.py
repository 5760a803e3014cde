"""The Hub's listing, as it is and as a hostile server would make it."""

import json

import pytest

from ckptinspect.errors import SourceError
from ckptinspect.sources.base import File
from ckptinspect.sources.hub_listing import parse_listing
from ckptinspect.sources.hub_repo import Repo

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO = Repo("models", "org/name")


def raw(*siblings: object, **fields: object) -> bytes:
    return json.dumps({"sha": COMMIT, "siblings": siblings, **fields}).encode()


def test_files_come_sorted_with_their_sizes_and_hashes() -> None:
    listing = parse_listing(
        raw(
            {
                "rfilename": "model.safetensors",
                "size": 135,
                "blobId": "11",
                "lfs": {"sha256": "22", "size": 700, "pointerSize": 135},
            },
            {"rfilename": "a/config.json", "size": 5, "blobId": "33"},
            {"rfilename": "README.md", "size": 0},
            private=False,
            tags=["x"],
        ),
        REPO,
    )

    assert listing.commit == COMMIT
    assert tuple(listing.files.values()) == (
        File("README.md", 0, None),
        File("a/config.json", 5, "git:33"),
        File("model.safetensors", 700, "sha256:22"),
    )


@pytest.mark.parametrize(
    ("said", "name"), [("openai-community/gpt2", "openai-community/gpt2"), (None, "org/name"), ("../x?y", "org/name")]
)
def test_the_id_in_the_listing_is_the_name_from_then_on(said: str | None, name: str) -> None:
    assert parse_listing(raw(id=said), REPO).repo == Repo("models", name)


@pytest.mark.parametrize("path", ["../config.json", "a/../../b", "/etc/passwd", "a\\b", "a//b", "", "./a"])
def test_a_file_outside_of_the_repository_is_refused(path: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_listing(raw({"rfilename": path, "size": 1}), REPO)

    escaped = path.encode("unicode_escape").decode() if "\\" not in path else path
    assert str(caught.value) == (
        f"org/name: the server's listing names the impossible file '{escaped}';"
        " check HF_ENDPOINT and the proxy settings"
    )


@pytest.mark.parametrize("size", [None, -1])
def test_a_file_without_a_size_is_refused(size: int | None) -> None:
    with pytest.raises(SourceError) as caught:
        parse_listing(raw({"rfilename": "a.json", "size": size}), REPO)

    assert str(caught.value) == (
        "org/name: the server's listing gives no size for 'a.json'; check HF_ENDPOINT and the proxy settings"
    )


@pytest.mark.parametrize("sha", ["", "main", "0123", COMMIT.upper()])
def test_a_listing_without_a_commit_is_refused(sha: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_listing(raw(sha=sha), REPO)

    assert str(caught.value) == (
        "org/name: the server's listing names no commit; check HF_ENDPOINT and the proxy settings"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html>",
        b"\xff",
        b'{"sha": 1}',
        b'{"sha": "x"}',
        b"[" * 100_000,
        raw(7),
        raw({"rfilename": "a", "size": "1"}),
        raw({"rfilename": "a", "size": 1e300}),
    ],
)
def test_what_is_no_listing_is_one_sentence(body: bytes) -> None:
    with pytest.raises(SourceError) as caught:
        parse_listing(body, REPO)

    assert str(caught.value) == (
        "org/name: the server's answer is no listing of a repository; check HF_ENDPOINT and the proxy settings"
    )
