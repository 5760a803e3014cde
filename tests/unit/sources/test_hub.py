"""A repository of the Hub as it should be: what is asked, in how many requests, and with which token."""

import asyncio
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from ckptinspect import __version__
from ckptinspect.errors import AccessError, NotFoundError, RefError, SourceError, UnreachableError
from ckptinspect.sources.base import File, each
from ckptinspect.sources.hub import HubSource
from tests.hub_server import TestHub, served

T = TypeVar("T")
HEADER = b'{"w":{"dtype":"U8","shape":[10],"data_offsets":[0,10]}}'
SHARD = len(HEADER).to_bytes(8, "little") + HEADER + b"0123456789"
INDEX = json.dumps({"metadata": {"total_size": 10}, "weight_map": {"w": "model-1.safetensors"}}).encode()
FILES = {"config.json": b'{"a": 1}', "model-1.safetensors": SHARD, "model.safetensors.index.json": INDEX}
LISTING = "/api/models/org/name/revision/main"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestHub]:
    with served(FILES, tmp_path, monkeypatch) as hub:
        yield hub


def result(source: HubSource, work: Callable[[HubSource], Awaitable[T]]) -> T:
    async def opened() -> T:
        async with source:
            return await work(source)

    return asyncio.run(opened())


def test_the_listing_is_one_request_and_gives_sizes_hashes_and_the_commit(hub: TestHub) -> None:
    repo = hub.repos["org/name"]
    source = HubSource("org/name")

    async def work(source: HubSource) -> tuple[tuple[File, ...], str, int]:
        return await source.list(), await source.commit(), await source.size("config.json")

    files, commit, size = result(source, work)

    assert files == (
        File("config.json", 8, "git:" + repo.oid("config.json")[:40]),
        File("model-1.safetensors", 73, "sha256:" + repo.oid("model-1.safetensors")),
        File("model.safetensors.index.json", 76, "git:" + repo.oid("model.safetensors.index.json")[:40]),
    )
    assert commit == repo.commit
    assert size == 8
    assert [(request.path, request.query) for request in hub.requests] == [(LISTING, "blobs=true")]
    assert source.requests == 1


def test_a_header_is_two_requests_and_its_rest_one_more(hub: TestHub) -> None:
    source = HubSource("org/name")

    async def work(source: HubSource) -> tuple[bytes, bytes]:
        first = await source.read("model-1.safetensors", 0, 20)
        return first, await source.read("model-1.safetensors", 20, 63)

    assert b"".join(result(source, work)) == SHARD[:63]
    assert source.requests == 4
    assert hub.paths("hub") == [LISTING, f"/org/name/resolve/{hub.repos['org/name'].commit}/model-1.safetensors"]
    assert hub.paths("cdn") == ["/signed/org/name/model-1.safetensors"] * 2
    assert [request.headers["range"] for request in hub.requests if request.port == "cdn"] == [
        "bytes=0-19",
        "bytes=20-62",
    ]
    assert source.bytes_read == sum(request.sent for request in hub.requests)


def test_ranges_are_asked_for_without_compression(hub: TestHub) -> None:
    result(HubSource("org/name"), lambda source: source.read("model-1.safetensors", 0, 8))

    ranged = [request for request in hub.requests if "range" in request.headers]
    assert [request.headers["accept-encoding"] for request in ranged] == ["identity", "identity"]


def test_a_small_file_is_fetched_whole_from_the_hub_itself(hub: TestHub) -> None:
    source = HubSource("org/name")
    commit = hub.repos["org/name"].commit

    assert result(source, lambda source: source.read("config.json", 2, 5)) == b'a":'
    assert source.requests == 3
    assert hub.paths("hub")[1:] == [
        f"/org/name/resolve/{commit}/config.json",
        f"/api/resolve-cache/models/org/name/{commit}/config.json",
    ]
    assert not any("range" in request.headers for request in hub.requests)
    assert hub.paths("cdn") == []


def test_reading_many_shards_lists_once_and_asks_twice_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"model-{number:02}.safetensors": bytes([number]) * 50 for number in range(40)}
    with served(files, tmp_path, monkeypatch) as hub:
        source = HubSource("org/name")
        headers = result(source, lambda source: each(source, lambda path: source.read(path, 0, 8), files))

    assert headers == [bytes([number]) * 8 for number in range(40)]
    assert source.requests == 1 + 2 * 40
    assert len(hub.requests) == 81


def test_the_token_is_sent_to_the_hub_and_never_to_the_cdn(hub: TestHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.token)
    hub.gated.add("org/name")

    async def work(source: HubSource) -> None:
        await source.read("model-1.safetensors", 0, 20)
        await source.read("model-1.safetensors", 20, 30)
        await source.read("config.json", 0, 8)

    result(HubSource("org/name"), work)

    assert [(request.port, request.token) for request in hub.requests] == [
        ("hub", "Bearer hf_the_right_token"),
        ("hub", "Bearer hf_the_right_token"),
        ("cdn", None),
        ("cdn", None),
        ("hub", "Bearer hf_the_right_token"),
        ("hub", "Bearer hf_the_right_token"),
    ]


def test_requests_say_who_asks_and_are_not_counted_as_downloads(hub: TestHub) -> None:
    result(HubSource("org/name"), lambda source: source.read("config.json", 0, 8))

    for request in hub.requests:
        who, *_, contact = request.headers["user-agent"].split("; ")
        assert who == f"ckptinspect/{__version__}"
        assert contact == "+https://pypi.org/project/ckptinspect"
    assert not any("x-hf-download-counter" in request.headers for request in hub.requests)


@pytest.mark.parametrize(("old", "new"), [("old/name", "org/name"), ("name", "org/name")])
def test_a_renamed_or_one_part_id_is_followed_once_and_then_known(hub: TestHub, old: str, new: str) -> None:
    hub.renamed[old] = new
    source = HubSource(old)

    assert result(source, lambda source: source.read("model-1.safetensors", 0, 8)) == SHARD[:8]
    assert hub.paths("hub") == [
        f"/api/models/{old}/revision/main",
        LISTING,
        f"/org/name/resolve/{hub.repos['org/name'].commit}/model-1.safetensors",
    ]
    assert source.requests == 4


@pytest.mark.parametrize("kind", ["datasets", "spaces"])
def test_datasets_and_spaces_are_repositories_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    with served(FILES, tmp_path, monkeypatch, f"{kind}/org/name") as hub:
        commit = hub.repos[f"{kind}/org/name"].commit
        source = HubSource(f"{kind}/org/name")

        async def work(source: HubSource) -> tuple[bytes, bytes]:
            return await source.read("model-1.safetensors", 0, 8), await source.read("config.json", 0, 8)

        assert result(source, work) == (SHARD[:8], b'{"a": 1}')
        assert hub.paths("hub") == [
            f"/api/{kind}/org/name/revision/main",
            f"/{kind}/org/name/resolve/{commit}/model-1.safetensors",
            f"/{kind}/org/name/resolve/{commit}/config.json",
            f"/api/resolve-cache/{kind}/org/name/{commit}/config.json",
        ]


def test_a_revision_is_asked_for_by_its_name_and_read_by_its_commit(hub: TestHub) -> None:
    hub.repos["org/name"].tags.append("refs/pr/1")

    result(HubSource("org/name", "refs/pr/1"), lambda source: source.read("model-1.safetensors", 0, 8))

    assert hub.paths("hub") == [
        "/api/models/org/name/revision/refs%2Fpr%2F1",
        f"/org/name/resolve/{hub.repos['org/name'].commit}/model-1.safetensors",
    ]


@pytest.mark.usefixtures("hub")
def test_a_copy_by_pickle_reads_the_commit_that_the_original_has_read() -> None:
    source = HubSource("org/name")
    commit = result(source, lambda source: source.commit())

    copy: HubSource = pickle.loads(pickle.dumps(source))

    assert copy.revision == commit
    assert result(copy, lambda copy: copy.commit()) == commit


def test_all_headers_come_in_one_request(hub: TestHub) -> None:
    source = HubSource("org/name")

    body = result(source, lambda source: source.sharded_headers("model.safetensors.index.json"))

    assert json.loads(body) == {
        "index": {"metadata": {"total_size": 10}},
        "headers": {"model-1.safetensors": {"w": {"dtype": "U8", "shape": [10], "data_offsets": [0, 10]}}},
    }
    assert hub.paths("hub") == ["/api/models/org/name/safetensors-metadata/model.safetensors.index.json"]
    assert source.requests == 1


@pytest.mark.usefixtures("hub")
def test_an_index_without_headers_at_the_hub_is_not_found() -> None:
    with pytest.raises(NotFoundError) as caught:
        result(HubSource("org/name"), lambda source: source.sharded_headers("other.index.json"))

    assert str(caught.value) == "other.index.json: no such file; check the spelling"


@pytest.mark.parametrize(("repo", "revision"), [("org/name", "v1.0"), ("datasets/org/name", None)])
def test_headers_come_at_once_only_for_a_models_main(hub: TestHub, repo: str, revision: str | None) -> None:
    with pytest.raises(SourceError) as caught:
        result(HubSource(repo, revision), lambda source: source.sharded_headers("model.safetensors.index.json"))

    assert str(caught.value) == (
        "model.safetensors.index.json: the Hub gives headers all at once only for a model's main revision"
    )
    assert hub.requests == []


def test_a_file_in_the_local_cache_is_read_from_disk(hub: TestHub, tmp_path: Path) -> None:
    snapshot = tmp_path / "home/hub/models--org--name/snapshots" / hub.repos["org/name"].commit
    snapshot.mkdir(parents=True)
    (snapshot / "model-1.safetensors").write_bytes(SHARD)
    source = HubSource("org/name")

    assert result(source, lambda source: source.read("model-1.safetensors", 8, 63)) == HEADER
    assert hub.paths("hub") == [LISTING]
    assert hub.paths("cdn") == []


def test_a_cached_file_of_another_size_is_not_trusted(hub: TestHub, tmp_path: Path) -> None:
    snapshot = tmp_path / "home/hub/models--org--name/snapshots" / hub.repos["org/name"].commit
    snapshot.mkdir(parents=True)
    (snapshot / "model-1.safetensors").write_bytes(SHARD[:-1])

    assert result(HubSource("org/name"), lambda source: source.read("model-1.safetensors", 8, 63)) == HEADER
    assert hub.paths("cdn") == ["/signed/org/name/model-1.safetensors"]


def error_of(source: HubSource) -> SourceError:
    with pytest.raises(SourceError) as caught:
        result(source, lambda source: source.read("model-1.safetensors", 0, 8))
    return caught.value


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("token", ["", "hf_the_right_token"])
def test_a_missing_repository_may_be_a_private_one(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("HF_TOKEN", token)

    error = error_of(HubSource("org/absent"))

    assert type(error) is NotFoundError
    assert str(error) == (
        "org/absent: no such repository, or a private one;"
        " check the spelling; for a private one run `hf auth login` or set HF_TOKEN"
    )


def test_a_private_repository_is_read_with_the_token(hub: TestHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.private.add("org/name")
    assert type(error_of(HubSource("org/name"))) is NotFoundError

    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert result(HubSource("org/name"), lambda source: source.read("model-1.safetensors", 0, 8)) == SHARD[:8]


def test_a_gated_repository_names_the_page_with_its_conditions(hub: TestHub) -> None:
    hub.gated.add("org/name")

    error = error_of(HubSource("org/name"))

    assert type(error) is AccessError
    assert str(error) == (
        f"org/name: the repository is gated; accept its conditions at {hub.endpoint}/org/name,"
        " then run `hf auth login` or set HF_TOKEN"
    )


def test_a_disabled_repository_says_so(hub: TestHub) -> None:
    hub.disabled.add("org/name")

    error = error_of(HubSource("org/name"))

    assert type(error) is AccessError
    assert str(error) == f"org/name: the Hub has disabled this repository; see {hub.endpoint}/org/name"


@pytest.mark.usefixtures("hub")
def test_a_missing_revision_says_which() -> None:
    error = error_of(HubSource("org/name", "v9/\x1b[31m"))

    assert type(error) is NotFoundError
    assert str(error) == r"org/name: no such revision: 'v9/\x1b[31m'; name a branch, a tag or a commit"


def test_a_missing_file_says_where_it_was_looked_for(hub: TestHub) -> None:
    with pytest.raises(NotFoundError) as caught:
        result(HubSource("org/name"), lambda source: source.read("../other/model.safetensors", 0, 8))

    commit = hub.repos["org/name"].commit[:12]
    assert str(caught.value) == f"../other/model.safetensors: no such file; it is not in org/name at {commit}"
    assert hub.paths("hub") == [LISTING]


@pytest.mark.usefixtures("hub")
def test_a_wrong_token_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")

    error = error_of(HubSource("org/name"))

    assert type(error) is AccessError
    assert str(error) == "org/name: the Hub does not accept the token; run `hf auth login` or set HF_TOKEN again"


def test_a_token_that_cannot_be_one_is_an_error_before_any_request(
    hub: TestHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_“quoted”")

    error = error_of(HubSource("org/name"))

    assert str(error) == "HF_TOKEN: the token holds letters that no token has; set it again, without quotes"
    assert hub.requests == []


def test_offline_mode_asks_nobody_and_says_what_is_cached(
    hub: TestHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    nothing = error_of(HubSource("org/name"))
    snapshots = tmp_path / "home/hub/models--org--name/snapshots"
    (snapshots / ("1" * 40)).mkdir(parents=True)
    other = error_of(HubSource("org/name", "v1.0"))
    this = error_of(HubSource("org/name", "1" * 40))

    assert type(nothing) is type(other) is type(this) is UnreachableError
    assert str(nothing) == (
        "org/name: offline mode is on, and the local cache holds none of it;"
        " unset HF_HUB_OFFLINE, or run `hf download org/name` once"
    )
    assert str(other) == (
        "org/name: offline mode is on, and the local cache holds only 111111111111;"
        " name one of these with @, or unset HF_HUB_OFFLINE"
    )
    assert str(this) == (
        "org/name: offline mode is on, and the local cache holds this revision;"
        " read it from there, or unset HF_HUB_OFFLINE"
    )
    assert hub.requests == []


@pytest.mark.parametrize("spelling", ["", "org/name/more", "org/../name", "org/name?x=1", "https://host/org", "a b"])
def test_what_is_no_repository_id_is_refused_before_any_request(spelling: str) -> None:
    with pytest.raises(RefError, match=r": this is no repository id; write org/name$"):
        HubSource(spelling)


def test_making_and_pickling_a_source_imports_nothing_of_huggingface_hub() -> None:
    code = (
        "import pickle, sys\n"
        "from ckptinspect.sources.hub import HubSource, cached_snapshot\n"
        "pickle.loads(pickle.dumps(HubSource('org/name')))\n"
        "cached_snapshot('org/name')\n"
        "print(sorted(name for name in sys.modules if name.startswith(('huggingface_hub', 'httpx'))))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})

    assert done.stdout == "[]\n"
