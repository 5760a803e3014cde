"""What a source read by way of the header cache asks of the server: everything once, then nothing again."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from ckptinspect.errors import HeaderError
from ckptinspect.heading import raw_header
from ckptinspect.sources.hub import HubSource
from ckptinspect.store.headers import HeaderCache
from ckptinspect.store.kept import KeptSource
from tests.folders import header_json, write_safetensors
from tests.hub_server import TestHub

T = TypeVar("T")
SMALL = {"w": ("F32", (4, 4))}
WIDE = {f"model.layers.{number}.weight": ("BF16", (16, 16)) for number in range(3_000)}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestHub]:
    folder = tmp_path / "repo"
    write_safetensors(folder / "model.safetensors", SMALL)
    write_safetensors(folder / "wide.safetensors", WIDE)
    (folder / "pointer.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    (folder / "config.json").write_text('{"hidden_size": 64}')
    with TestHub({"org/name": folder}) as hub:
        hub.surround(monkeypatch, tmp_path / "home")
        yield hub


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[HeaderCache]:
    with HeaderCache(os.fspath(tmp_path / "cache")) as cache:
        yield cache


def asked(hub: TestHub, cache: HeaderCache, work: Callable[[KeptSource], Awaitable[T]]) -> tuple[T, int]:
    """What ``work`` gives on a source of its own, and the requests that took."""

    async def opened() -> T:
        async with source:
            return await work(source)

    source = KeptSource(HubSource("org/name"), cache, hub.endpoint)
    result = asyncio.run(opened())
    return result, source.requests


def header(path: str, size: int) -> Callable[[KeptSource], Awaitable[bytes]]:
    return lambda source: raw_header(source, path, size)


def size_of(hub: TestHub, path: str) -> int:
    return os.path.getsize(os.path.join(hub.repos["org/name"].folder, path))


@pytest.mark.parametrize(("path", "first"), [("model.safetensors", 3), ("wide.safetensors", 4)])
def test_a_header_is_asked_for_once(hub: TestHub, cache: HeaderCache, path: str, first: int) -> None:
    size = size_of(hub, path)
    expected = header_json(SMALL if path.startswith("model") else WIDE)

    assert asked(hub, cache, header(path, size)) == (expected, first)
    assert asked(hub, cache, header(path, size)) == (expected, 1)


def test_of_a_file_its_header_is_kept_and_nothing_of_its_tensors(hub: TestHub, cache: HeaderCache) -> None:
    asked(hub, cache, header("model.safetensors", size_of(hub, "model.safetensors")))
    digest = hub.repos["org/name"].oid("model.safetensors")

    assert cache.beginning(hub.endpoint, f"sha256:{digest}") == len(header_json(SMALL)).to_bytes(
        8, "little"
    ) + header_json(SMALL)


def test_a_config_is_asked_for_once(hub: TestHub, cache: HeaderCache) -> None:
    def read(source: KeptSource) -> Awaitable[bytes]:
        return source.read("config.json", 0, 19)

    assert asked(hub, cache, read) == (b'{"hidden_size": 64}', 3)
    assert asked(hub, cache, read) == (b'{"hidden_size": 64}', 1)


def test_a_file_that_is_no_safetensors_is_asked_for_once(hub: TestHub, cache: HeaderCache) -> None:
    async def recognised(source: KeptSource) -> str:
        with pytest.raises(HeaderError) as caught:
            await raw_header(source, "pointer.safetensors", size_of(hub, "pointer.safetensors"))
        return caught.value.what

    (first, requests), (second, again) = asked(hub, cache, recognised), asked(hub, cache, recognised)

    assert first == second
    assert (requests, again) == (3, 1)


def test_what_lies_beyond_the_header_is_read_and_not_kept(hub: TestHub, cache: HeaderCache) -> None:
    size = size_of(hub, "wide.safetensors")
    asked(hub, cache, header("wide.safetensors", size))

    async def tail(source: KeptSource) -> bytes:
        return await source.read("wide.safetensors", size - 8, size)

    assert asked(hub, cache, tail) == (bytes(8), 3)
    assert asked(hub, cache, tail) == (bytes(8), 3)


def test_a_broken_cache_costs_requests_and_nothing_else(hub: TestHub, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with HeaderCache(os.fspath(tmp_path / "file" / "below")) as broken:
        assert asked(hub, broken, lambda source: source.read("config.json", 0, 19)) == (b'{"hidden_size": 64}', 3)
        assert asked(hub, broken, lambda source: source.read("config.json", 0, 19)) == (b'{"hidden_size": 64}', 3)
