"""Everything that can go wrong between here and the Hub: a right answer in the end, or one sentence."""

import asyncio
import os
import socket
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from ckptinspect.errors import AccessError, ShortReadError, SourceError, UnreachableError
from ckptinspect.sources.base import each
from ckptinspect.sources.hub import HubSource
from ckptinspect.sources.retry import Retry
from tests.hub_server import Quota, TestHub, served
from tests.loopback import Port, Reply, Request

T = TypeVar("T")
QUICK = Retry(first_pause=0.001, longest_pause=0.002)
ALPHABET = b"abcdefghijklmnopqrstuvwxyz"
FILE = "model.safetensors"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestHub]:
    with served({FILE: ALPHABET, "config.json": b'{"a": 1}'}, tmp_path, monkeypatch) as hub:
        yield hub


@pytest.fixture
def large(hub: TestHub) -> TestHub:
    """The Hub, with a file of 5 MB that ends in the alphabet."""
    with open(os.path.join(hub.repos["org/name"].folder, "large.safetensors"), "wb") as file:
        file.truncate(5_000_000)
        file.seek(5_000_000 - 26)
        file.write(ALPHABET)
    return hub


def source(timeout: float = 5.0, retry: Retry = QUICK) -> HubSource:
    return HubSource("org/name", timeout=timeout, retry=retry)


def result(source: HubSource, work: Callable[[HubSource], Awaitable[T]]) -> T:
    async def opened() -> T:
        async with source:
            return await work(source)

    return asyncio.run(opened())


def letters(source: HubSource) -> bytes:
    return result(source, lambda source: source.read(FILE, 3, 9))


def error_of(source: HubSource, path: str = FILE, begin: int = 3, end: int = 9) -> SourceError:
    with pytest.raises(SourceError) as caught:
        result(source, lambda source: source.read(path, begin, end))
    return caught.value


def host(address: str) -> str:
    return address.removeprefix("http://")


PASSING = ["408", "429", "500", "502", "503", "504", "reset", "stall"]
ON_THE_HUB = [*PASSING, "other-commit", "other-size", "other-hash", "html"]
ON_THE_CDN = [
    *PASSING,
    *("reset-mid-body", "truncate", "stall-mid-body", "expired", "404", "html"),
    *("wrong-content-range", "no-content-range", "wrong-offset", "gzip", "false-gzip", "ignore-range"),
]


@pytest.mark.parametrize(
    ("port", "fault"), [*(("hub", fault) for fault in ON_THE_HUB), *(("cdn", fault) for fault in ON_THE_CDN)]
)
def test_a_fault_that_passes_ends_in_the_right_bytes(hub: TestHub, port: str, fault: str) -> None:
    hub.inject(fault, FILE, port=port)

    assert letters(source(timeout=0.5 if "stall" in fault else 5.0)) == b"defghi"


@pytest.mark.parametrize("fault", [*PASSING, "reset-mid-body", "truncate", "stall-mid-body"])
def test_a_listing_that_fails_once_is_asked_for_again(hub: TestHub, fault: str) -> None:
    hub.inject(fault, "/revision/main")

    assert result(source(timeout=0.5), lambda source: source.size(FILE)) == 26


@pytest.mark.parametrize("fault", [*PASSING, "reset-mid-body", "truncate", "stall-mid-body"])
def test_a_small_file_that_fails_once_is_asked_for_again(hub: TestHub, fault: str) -> None:
    hub.inject(fault, "/api/resolve-cache/")

    assert result(source(timeout=0.5), lambda source: source.read("config.json", 0, 8)) == b'{"a": 1}'


LASTING = [
    ("hub", "503", UnreachableError, "{host} answered 503; try again later"),
    ("cdn", "500", UnreachableError, "{host} answered 500; try again later"),
    ("cdn", "429", UnreachableError, "{host} has no quota left for this; try again later"),
    ("cdn", "501", SourceError, "{host} answered 501; check the address"),
    ("hub", "403", AccessError, "the Hub refuses access to it (403); check that the token may read it"),
    (
        "hub",
        "reset",
        UnreachableError,
        "no connection to {host}: connection reset by peer; check the network and the proxy settings",
    ),
    ("cdn", "reset-mid-body", ShortReadError, "{host} broke off its answer; try again later"),
    ("cdn", "truncate", ShortReadError, "{host} broke off its answer; try again later"),
    ("cdn", "no-content-range", ShortReadError, "{host} sent bytes other than those asked for; try again later"),
    ("cdn", "wrong-offset", ShortReadError, "{host} sent bytes other than those asked for; try again later"),
    ("cdn", "wrong-content-range", ShortReadError, "{host} sent a file of 16 bytes instead of 26; try again later"),
    ("cdn", "html", ShortReadError, "{host} sent a file of 47 bytes instead of 26; try again later"),
    ("cdn", "false-gzip", ShortReadError, "the server's compression is damaged; try again later"),
    ("cdn", "expired", AccessError, "the Hub's storage refuses the address that the Hub gives for it; try again later"),
    (
        "hub",
        "other-commit",
        ShortReadError,
        "the Hub answered with commit ffffffffffff instead of {commit}; try again later",
    ),
    ("hub", "other-size", ShortReadError, "the Hub answered with a file of 12345 bytes instead of 26; try again later"),
    (
        "hub",
        "other-hash",
        ShortReadError,
        "the Hub answered with a file with another hash than the listing's; try again later",
    ),
    ("hub", "redirect-elsewhere", SourceError, "the server redirects to an insecure address; use another server"),
]


@pytest.mark.parametrize("lasting", LASTING, ids=lambda lasting: f"{lasting[0]}-{lasting[1]}")
def test_a_fault_that_lasts_ends_in_one_sentence(
    hub: TestHub, monkeypatch: pytest.MonkeyPatch, lasting: tuple[str, str, type[SourceError], str]
) -> None:
    port, fault, kind, sentence = lasting
    monkeypatch.setenv("HF_TOKEN", hub.token)
    hub.inject(fault, FILE, times=1_000, port=port)

    error = error_of(source())

    address = hub.endpoint if port == "hub" else hub.cdn
    expected = sentence.format(host=host(address), commit=hub.repos["org/name"].commit[:12])
    assert type(error) is kind
    assert str(error) == f"model.safetensors: {expected}"
    assert "Signature" not in "".join(traceback.format_exception(error))
    assert {request.token for request in hub.requests if request.port == "cdn"} <= {None}


def test_a_transient_fault_is_tried_five_times(hub: TestHub) -> None:
    hub.inject("503", FILE, times=1_000, port="cdn")
    error_of(source())

    assert len(hub.paths("cdn")) == 5


@pytest.mark.parametrize("fault", ["stall", "stall-mid-body", "drip"])
def test_a_server_that_stalls_or_drips_is_given_up_in_time(large: TestHub, fault: str) -> None:
    large.inject(fault, "large.safetensors", times=1_000, port="cdn")
    began = time.monotonic()

    error = error_of(source(timeout=0.4), "large.safetensors", 0, 100_000)

    assert time.monotonic() - began < 1.5
    assert type(error) is UnreachableError
    assert str(error) == f"large.safetensors: {host(large.cdn)} has not answered within 0.4 s; try again later"


def test_a_stalled_shard_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"model-{number}.safetensors" for number in range(4)]

    async def read(source: HubSource, name: str) -> bytes | str:
        try:
            return await source.read(name, 0, 3)
        except SourceError as error:
            return type(error).__name__

    with served(dict.fromkeys(names, ALPHABET), tmp_path, monkeypatch) as hub:
        hub.inject("stall", "model-2.safetensors", times=1_000, port="cdn")
        opened = source(timeout=0.4)
        outcomes = result(opened, lambda source: each(source, lambda name: read(source, name), names))

    assert outcomes == [b"abc", b"abc", "UnreachableError", b"abc"]


def test_a_server_that_ignores_ranges_is_read_to_the_end_of_a_header(large: TestHub) -> None:
    large.inject("ignore-range", "large.safetensors", times=1_000, port="cdn")
    opened = source()

    assert result(opened, lambda source: source.read("large.safetensors", 8, 131_072)) == bytes(131_064)
    assert opened.bytes_read < 1_000_000
    assert opened.requests == 3


def test_a_server_that_ignores_ranges_costs_nothing_where_the_bytes_lie_far_in(large: TestHub) -> None:
    large.inject("ignore-range", "large.safetensors", times=1_000, port="cdn")
    opened = source()

    error = error_of(opened, "large.safetensors", 4_999_974, 5_000_000)

    assert type(error) is SourceError
    assert str(error) == (
        f"large.safetensors: {host(large.cdn)} ignores ranges and would send all 5.00 MB;"
        " fetch the file and name the copy"
    )
    assert opened.bytes_read < 1_000
    assert opened.requests == 3


def test_an_address_that_has_expired_is_asked_for_once_more(hub: TestHub) -> None:
    async def work(source: HubSource) -> bytes:
        await source.read(FILE, 0, 3)
        hub.expire()
        return await source.read(FILE, 3, 9)

    opened = source()

    assert result(opened, work) == b"defghi"
    assert len(hub.paths("cdn")) == 3
    assert opened.requests == 6


def test_a_renamed_repository_may_not_lead_to_another_host(hub: TestHub) -> None:
    hub.inject("redirect-to-cdn", "/revision/main", times=1_000)

    error = error_of(source())

    assert str(error) == "org/name: the Hub redirects to another host; check HF_ENDPOINT"
    assert hub.paths("cdn") == []


def test_redirects_in_a_circle_come_to_an_end(hub: TestHub) -> None:
    hub.renamed |= {"org/name": "other/name", "other/name": "org/name"}

    error = error_of(source())

    assert str(error) == "org/name: the server redirects in a circle; try again later"
    assert len(hub.requests) == 6


def test_a_login_page_is_no_listing(hub: TestHub) -> None:
    hub.inject("html", "/revision/main", times=1_000)

    assert str(error_of(source())) == (
        "org/name: the server's answer is no JSON; check HF_ENDPOINT and the proxy settings"
    )


def test_a_wait_that_is_too_long_is_an_error_at_once(hub: TestHub) -> None:
    hub.inject("ask-to-wait", FILE, times=1_000, port="hub")

    assert str(error_of(source())) == (
        "model.safetensors: the server asks to wait 1000 s before the next request;"
        " try again later; with a token (HF_TOKEN) the Hub's quota is larger"
    )


@pytest.mark.parametrize("fault", ["quota-of-many-digits", "quota-beyond-time"])
def test_a_quota_that_no_server_has_is_not_believed(hub: TestHub, fault: str) -> None:
    hub.inject(fault, times=1_000)

    assert letters(source()) == b"defghi"


def test_a_refusal_with_a_quota_that_no_server_has_is_tried_again(
    hub: TestHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub.quotas["api"], "take", iter([False, True]).__next__)
    hub.inject("quota-beyond-time", "/revision/main")

    assert letters(source()) == b"defghi"
    assert [request.status for request in hub.requests][:2] == [429, 200]


@pytest.mark.parametrize("path", ["/resolve/", "/api/resolve-cache/"])
def test_every_answer_about_a_small_file_has_to_be_of_the_listing_s_commit(hub: TestHub, path: str) -> None:
    hub.inject("other-commit", path, times=1_000)

    assert str(error_of(source(), "config.json", 0, 8)) == (
        f"config.json: the Hub answered with commit ffffffffffff instead of {hub.repos['org/name'].commit[:12]};"
        " try again later"
    )


def test_the_quota_is_kept_before_the_hub_refuses(hub: TestHub) -> None:
    hub.quotas["resolvers"] = Quota(limit=3, window=1)

    async def work(source: HubSource) -> bytes:
        return b"".join([await source.read("config.json", at, at + 1) for at in range(4)])

    assert result(source(), work) == b'{"a"'
    assert {request.status for request in hub.requests} == {200, 307}


def test_a_quota_that_is_used_up_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"model-{number:02}.safetensors": ALPHABET for number in range(12)}
    with served(files, tmp_path, monkeypatch) as hub:
        hub.quotas["resolvers"] = Quota(limit=8, window=1)
        hub.latency = 0.1  # so that all of them are on their way before any answer says what is left
        opened = source()
        heads = result(opened, lambda source: each(source, lambda path: source.read(path, 0, 3), files))

    assert heads == [b"abc"] * 12
    assert 429 in {request.status for request in hub.requests}


@pytest.mark.usefixtures("hub")
def test_a_host_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://nowhere.invalid")

    assert str(error_of(source())) == (
        "org/name: no host of the name nowhere.invalid is known; check the network and the proxy settings"
    )


@pytest.mark.usefixtures("hub")
def test_a_port_where_nobody_listens_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")

    assert str(error_of(source())) == (
        f"org/name: no connection to 127.0.0.1:{port}: connection refused; check the network and the proxy settings"
    )


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("endpoint", ["huggingface.co", "https://[x", "https://host:port", "ftp://host", "https://"])
def test_an_endpoint_that_is_no_address_is_named(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)

    assert str(error_of(source())) == (
        f"HF_ENDPOINT: '{endpoint}' is no address of a server; write it as https://huggingface.co"
    )


@pytest.mark.usefixtures("hub")
def test_a_server_without_tls_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setenv("HF_ENDPOINT", f"https://{address}")
        thread = threading.Thread(target=_answer_in_clear, args=(listener,))
        thread.start()
        error = error_of(source())
        thread.join()

    assert type(error) is UnreachableError
    assert str(error) == (
        f"org/name: no secure connection to {address}: wrong version number;"
        " check HF_ENDPOINT, the proxy, the clock and the certificates (SSL_CERT_FILE)"
    )


def _answer_in_clear(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(1_000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


class Proxy:
    """A proxy that answers by itself: any repository has one file."""

    def __init__(self) -> None:
        self.latency = 0.0
        self.closing = threading.Event()
        self.asked: list[str] = []

    def taken(self, request: Request) -> tuple[Reply, str | None]:
        self.asked.append(request.path)
        listing = b'{"sha": "' + b"a" * 40 + b'", "siblings": [{"rfilename": "config.json", "size": 2}]}'
        return Reply(200, {"Content-Type": "application/json"}, listing), None


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_requests_go_through_the_proxy_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    proxy = Proxy()
    port = Port("proxy", proxy, 0)
    port.start()
    monkeypatch.setenv("HF_ENDPOINT", "http://nowhere.invalid")
    monkeypatch.setenv(variable, port.address)
    try:
        size = result(source(), lambda source: source.size("config.json"))
    finally:
        port.stop()

    assert size == 2
    assert proxy.asked == ["http://nowhere.invalid/api/models/org/name/revision/main"]


NO_GOOD = (
    "the settings of the proxy or of the certificates are no good;"
    " check HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR"
)
NO_TOKEN = "HF_TOKEN: the token cannot be had (OIDCError); set it, or run `hf auth login` again"


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("HTTP_PROXY", "weird://me:secret@127.0.0.1:1", NO_GOOD),
        ("SSL_CERT_FILE", "/nowhere/certificates.pem", NO_GOOD),
        ("HF_OIDC_RESOURCE", "org", NO_TOKEN),
    ],
)
def test_settings_that_are_no_good_are_one_sentence(
    hub: TestHub, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(variable, value)

    assert str(error_of(source())) == sentence
    assert hub.requests == []


def test_reads_that_are_given_up_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"model-{number}.safetensors" for number in range(8)]
    with served(dict.fromkeys(names, ALPHABET), tmp_path, monkeypatch) as hub:
        hub.inject("501", "model-3.safetensors", times=1_000, port="cdn")
        hub.inject("stall", "model", times=1_000, port="cdn")

        with pytest.raises(SourceError) as caught:
            result(source(), lambda source: each(source, lambda name: source.read(name, 0, 3), names))

    assert str(caught.value) == f"model-3.safetensors: {host(hub.cdn)} answered 501; check the address"
