"""Folders at other URLs: over HTTP by careful requests, elsewhere by a driver whose errors become ours."""

import asyncio
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import fsspec
import pytest

from ckptinspect.errors import (
    AccessError,
    CkptInspectError,
    NotFoundError,
    RefError,
    ShortReadError,
    SourceError,
    UnavailableError,
    UnreachableError,
)
from ckptinspect.sources.base import File
from ckptinspect.sources.remote import RemoteSource, split_url
from ckptinspect.sources.retry import Retry
from ckptinspect.text import quoted
from tests.hub_server import TestHub, served

T = TypeVar("T")
QUICK = Retry(first_pause=0.001, longest_pause=0.002)
ALPHABET = b"abcdefghijklmnopqrstuvwxyz"
INDEX = json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}).encode()
FILES = {
    "config.json": b'{"a": 1}',
    "model-1.safetensors": ALPHABET,
    "model-2.safetensors": b"0123456789",
    "model.safetensors.index.json": INDEX,
    "other/config.json": b"{}",
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestHub]:
    with served(FILES, tmp_path, monkeypatch) as hub:
        monkeypatch.setenv("HF_TOKEN", hub.token)
        yield hub


@pytest.fixture
def folder(hub: TestHub) -> str:
    """The URL of a folder of plain files."""
    return f"{hub.cdn}/files/org/name"


def result(source: RemoteSource, work: Callable[[RemoteSource], Awaitable[T]]) -> T:
    async def opened() -> T:
        async with source:
            return await work(source)

    return asyncio.run(opened())


def error_of(source: RemoteSource, work: Callable[[RemoteSource], Awaitable[object]]) -> CkptInspectError:
    with pytest.raises(CkptInspectError) as caught:
        result(source, work)
    return caught.value


def host(url: str) -> str:
    return url.split("/")[2]


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("s3://bucket/llama/model.safetensors", ("s3://bucket/llama", "model.safetensors")),
        ("s3://bucket/Qwen2.5-7B/", ("s3://bucket/Qwen2.5-7B", "")),
        ("s3://bucket/what?.safetensors", ("s3://bucket", "what?.safetensors")),
        ("gs://bucket", ("gs://bucket", "")),
        ("memory:///a/b.safetensors", ("memory:///a", "b.safetensors")),
        ("https://host/a%20b/model%201.safetensors?sig=x", ("https://host/a%20b?sig=x", "model 1.safetensors")),
        ("https://host/a/model.safetensors.index.json", ("https://host/a", "model.safetensors.index.json")),
        ("https://host/a/config.json?sig=x", ("https://host/a?sig=x", "")),
        ("s3://bucket/a/model_index.json", ("s3://bucket/a", "")),
        ("https://model.safetensors", ("https://model.safetensors", "")),
        ("http://[::1]:8000/a/", ("http://[::1]:8000/a", "")),
    ],
)
def test_a_url_is_a_folder_and_perhaps_a_file(url: str, parts: tuple[str, str]) -> None:
    assert split_url(url) == parts


@pytest.mark.parametrize("url", ["s3://", "://bucket", "memory:///"])
def test_a_url_of_nothing_is_refused(url: str) -> None:
    with pytest.raises(RefError) as error:
        split_url(url)

    assert str(error.value) == f"{url}: this is no URL of one storage; write scheme://bucket/folder"


@pytest.mark.parametrize("url", ["https://[x/a", "https://host:port/a", "https://ho\x1bst/a", "http://[v1.x]/a"])
def test_an_address_that_cannot_be_one_is_a_usage_error(url: str) -> None:
    error = error_of(RemoteSource(url), lambda source: source.list())

    assert type(error) is RefError
    assert str(error) == f"{quoted(url)}: this is no valid URL; check its host and its port"


def test_an_address_that_a_driver_refuses_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str) -> None:
        raise ValueError(url)

    monkeypatch.setattr("fsspec.core.url_to_fs", refuse)
    error = error_of(RemoteSource("memory://me:secret@[x"), lambda source: source.list())

    assert type(error) is RefError
    assert str(error) == "'memory://[x': this is no valid URL; write scheme://bucket/folder"


@pytest.mark.parametrize("url", ["simplecache::s3://bucket/a", "zip://a.zip::s3://bucket", "no url"])
def test_a_chain_of_urls_is_refused(url: str) -> None:
    with pytest.raises(RefError, match="this is no URL of one storage; write scheme://bucket/folder"):
        split_url(url)


# HTTP


def test_over_http_a_read_is_one_request_of_exactly_its_range(hub: TestHub, folder: str) -> None:
    source = RemoteSource(folder)

    assert result(source, lambda source: source.read("model-1.safetensors", 3, 9)) == b"defghi"
    assert [(request.headers["range"], request.sent) for request in hub.requests] == [("bytes=3-8", 6)]
    assert source.requests == 1
    assert source.bytes_read == 6


def test_over_http_no_token_is_sent(hub: TestHub, folder: str) -> None:
    result(RemoteSource(folder), lambda source: source.read("model-1.safetensors", 3, 9))

    assert [request.token for request in hub.requests] == [None]


def test_over_http_a_file_is_listed_with_its_config(hub: TestHub, folder: str) -> None:
    source = RemoteSource(f"{folder}/model-1.safetensors")

    assert result(source, lambda source: source.list()) == (
        File("config.json", 8),
        File("model-1.safetensors", 26),
    )
    assert sorted(hub.paths("cdn")) == ["/files/org/name/config.json", "/files/org/name/model-1.safetensors"]
    assert [request.sent for request in hub.requests] == [1, 1]


def test_over_http_a_folder_is_listed_by_the_names_that_checkpoints_have_and_by_its_index(
    hub: TestHub, folder: str
) -> None:
    async def work(source: RemoteSource) -> tuple[tuple[File, ...], bytes]:
        return await source.list(), await source.read("model.safetensors.index.json", 0, len(INDEX))

    source = RemoteSource(folder + "/")

    files, index = result(source, work)

    assert files == (
        File("config.json", 8),
        File("model-1.safetensors", 26),
        File("model-2.safetensors", 10),
        File("model.safetensors.index.json", 72),
    )
    assert index == INDEX
    assert source.requests == len(hub.requests) == 6 + 1 + 2


def test_over_http_a_folder_without_checkpoints_says_so(folder: str) -> None:
    error = error_of(RemoteSource(folder + "/nothing?secret=1"), lambda source: source.list())

    assert type(error) is NotFoundError
    assert str(error) == (
        f"{folder}/nothing: an HTTP server lists no files, and none of those that checkpoints have is there;"
        " name a safetensors file or an index in it"
    )


def test_over_http_a_missing_file_that_was_named_is_the_error(folder: str) -> None:
    error = error_of(RemoteSource(folder + "/absent.safetensors"), lambda source: source.list())

    assert type(error) is NotFoundError
    assert str(error) == "absent.safetensors: no such file; check the spelling"


def test_over_http_a_refusal_says_who_refuses(hub: TestHub, folder: str) -> None:
    hub.inject("403", "model-1.safetensors", times=9)

    error = error_of(RemoteSource(folder), lambda source: source.read("model-1.safetensors", 0, 8))

    assert type(error) is AccessError
    assert str(error) == (
        f"model-1.safetensors: {host(folder)} refuses access to it (403); check that the address is public"
    )


@pytest.mark.parametrize("fault", ["503", "429", "reset", "truncate", "wrong-offset", "stall", "ignore-range", "gzip"])
def test_over_http_a_fault_that_passes_ends_in_the_right_bytes(hub: TestHub, folder: str, fault: str) -> None:
    hub.inject(fault, "model-1.safetensors")
    source = RemoteSource(folder, timeout=0.5, retry=QUICK)

    assert result(source, lambda source: source.read("model-1.safetensors", 3, 9)) == b"defghi"


def test_over_http_a_server_that_ignores_ranges_is_not_read_whole(hub: TestHub, folder: str) -> None:
    with open(os.path.join(hub.repos["org/name"].folder, "large.safetensors"), "wb") as file:
        file.truncate(5_000_000)
    hub.inject("ignore-range", "large.safetensors", times=9)
    source = RemoteSource(folder)

    assert result(source, lambda source: source.size("large.safetensors")) == 5_000_000
    assert result(source, lambda source: source.read("large.safetensors", 8, 100_000)) == bytes(99_992)
    error = error_of(source, lambda source: source.read("large.safetensors", 4_000_000, 4_000_008))

    assert type(error) is SourceError
    assert str(error) == (
        f"large.safetensors: {host(folder)} ignores ranges and would send all 5.00 MB; fetch the file and name the copy"
    )
    assert source.bytes_read < 1_000_000


def test_over_http_redirects_are_followed(hub: TestHub) -> None:
    source = RemoteSource(f"{hub.endpoint}/org/name/resolve/main")

    assert result(source, lambda source: source.read("model-1.safetensors", 3, 9)) == b"defghi"
    assert [(request.port, request.token) for request in hub.requests] == [("hub", None), ("cdn", None)]


def test_over_http_a_web_page_is_no_file(hub: TestHub, folder: str) -> None:
    hub.inject("html", "model-1.safetensors", times=9)

    error = error_of(RemoteSource(folder), lambda source: source.size("model-1.safetensors"))

    assert str(error) == ("model-1.safetensors: the server gives a web page in place of this file; check the address")


def test_over_http_a_query_is_sent_and_never_shown(hub: TestHub, folder: str) -> None:
    hub.inject("418", times=9)
    source = RemoteSource(f"{folder}?Signature=secret")

    error = error_of(source, lambda source: source.read("model-1.safetensors", 3, 9))

    assert [request.query for request in hub.requests] == ["Signature=secret"]
    assert str(error) == f"model-1.safetensors: {host(folder)} answered 418; check the address"


@pytest.mark.parametrize("path", ["../config.json", "/etc/passwd", "a/../../b", "https://host/x", "a\\b", ""])
def test_a_path_that_leads_out_is_no_file(hub: TestHub, folder: str, path: str) -> None:
    error = error_of(RemoteSource(folder), lambda source: source.read(path, 0, 8))

    assert str(error) == f"{path}: no such file; check the spelling"
    assert hub.requests == []


# fsspec


class BrokenFileSystem(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """A storage that fails as drivers do."""

    protocol = "broken"
    cachable = False
    error: Exception = OSError("unset")

    def info(self, path: str, **_: object) -> Mapping[str, object]:
        raise self.error

    ls = info


@pytest.fixture
def broken() -> Iterator[type[BrokenFileSystem]]:
    fsspec.register_implementation("broken", BrokenFileSystem, clobber=True)
    yield BrokenFileSystem
    BrokenFileSystem.error = OSError("unset")


class NoCredentialsError(Exception):
    """As botocore names it."""


class RequestError(Exception):
    """As HTTP drivers have it, with the address in its text."""

    def __init__(self, status: int) -> None:
        super().__init__("https://bucket/file?X-Amz-Signature=secret")
        self.status = status


@pytest.mark.parametrize(
    ("raised", "kind", "sentence"),
    [
        (FileNotFoundError("x"), NotFoundError, "no such file or folder; check the spelling"),
        (RequestError(404), NotFoundError, "no such file or folder; check the spelling"),
        (PermissionError("x"), AccessError, "the storage refuses access; check the credentials in the environment"),
        (RequestError(403), AccessError, "the storage refuses access; check the credentials in the environment"),
        (NoCredentialsError(), AccessError, "the storage refuses access; check the credentials in the environment"),
        (TimeoutError(), UnreachableError, "the storage cannot be reached; check the network and the endpoint"),
        (ConnectionError(), UnreachableError, "the storage cannot be reached; check the network and the endpoint"),
        (RequestError(500), SourceError, "the storage's driver failed: RequestError; try again"),
        (OSError(28, "No space"), SourceError, "the storage's driver failed: No space; try again"),
    ],
)
def test_whatever_a_driver_raises_is_one_sentence(
    broken: type[BrokenFileSystem], raised: Exception, kind: type[SourceError], sentence: str
) -> None:
    broken.error = raised

    size = error_of(RemoteSource("broken://bucket/llama"), lambda source: source.size("model.safetensors"))
    listed = error_of(RemoteSource("broken://bucket/llama"), lambda source: source.list())

    assert type(size) is type(listed) is kind
    assert str(size) == f"model.safetensors: {sentence}"
    assert str(listed) == f"broken://bucket/llama: {sentence}"


def test_a_driver_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)

    error = error_of(RemoteSource("s3://bucket/llama"), lambda source: source.list())

    assert type(error) is UnavailableError
    assert str(error) == "reading s3:// takes a driver that is not installed; pip install 'ckptinspect[remote]'"


def test_without_fsspec_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)

    error = error_of(RemoteSource("memory://bucket/llama"), lambda source: source.list())

    assert type(error) is UnavailableError
    assert str(error) == "reading memory:// takes a driver that is not installed; pip install 'ckptinspect[remote]'"


def test_a_scheme_that_nobody_knows_is_a_usage_error() -> None:
    error = error_of(RemoteSource("nowhere://bucket/llama"), lambda source: source.list())

    assert type(error) is RefError
    assert str(error) == "'nowhere://': no storage of this scheme is known; write s3:// or gs://"


def test_a_driver_that_gives_fewer_bytes_is_a_short_read(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(ALPHABET)

    error = error_of(RemoteSource(f"file://{tmp_path}"), lambda source: source.read("model.safetensors", 20, 30))

    assert type(error) is ShortReadError
    assert str(error) == "model.safetensors: the file ends at byte 26, before byte 30; fetch it again"


def test_the_pickle_of_a_source_is_its_address() -> None:
    copy: RemoteSource = pickle.loads(pickle.dumps(RemoteSource("s3://bucket/llama", timeout=3.0, retry=QUICK)))

    assert (copy.url, copy.timeout, copy.retry) == ("s3://bucket/llama", 3.0, QUICK)


def test_making_a_source_imports_neither_fsspec_nor_huggingface_hub() -> None:
    code = (
        "import sys\n"
        "from ckptinspect.sources.remote import RemoteSource\n"
        "RemoteSource('s3://bucket')\n"
        "print(sorted(name for name in sys.modules if name in {'fsspec', 'aiohttp', 'huggingface_hub', 'httpx2'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
