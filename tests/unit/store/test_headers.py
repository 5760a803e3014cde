"""The header cache: what was kept is had again, and nothing that happens to the file ends a run."""

import logging
import multiprocessing
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ckptinspect.errors import RefError
from ckptinspect.store.headers import FILE, HeaderCache, ScopedListings
from ckptinspect.store.place import cache_limit, cache_place

HUB = "https://huggingface.co"


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[HeaderCache]:
    with HeaderCache(os.fspath(tmp_path), 100_000_000) as cache:
        yield cache


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def test_what_was_kept_is_had_again_by_another_process_s_cache(cache: HeaderCache, tmp_path: Path) -> None:
    cache.keep_beginning(HUB, digest(1), b"header" * 100)
    cache.keep_listing_of(HUB, "org/name", "a" * 40, b"{}")
    cache.close()

    with HeaderCache(os.fspath(tmp_path)) as again:
        assert again.beginning(HUB, digest(1)) == b"header" * 100
        assert again.listing_of(HUB, "org/name", "a" * 40) == b"{}"
        assert again.beginning(HUB, digest(2)) is None
        assert again.listing_of(HUB, "org/name", "b" * 40) is None


def test_another_server_s_word_for_a_hash_is_its_own(cache: HeaderCache) -> None:
    cache.keep_beginning("http://mirror", digest(1), b"other")

    assert cache.beginning(HUB, digest(1)) is None


def test_a_longer_beginning_takes_the_place_of_a_shorter_one(cache: HeaderCache) -> None:
    cache.keep_beginning(HUB, digest(1), b"head")
    cache.keep_beginning(HUB, digest(1), b"header")

    assert cache.beginning(HUB, digest(1)) == b"header"
    assert cache.state().headers == 1


def test_the_listings_of_one_endpoint_are_asked_for_by_page_and_commit(cache: HeaderCache) -> None:
    listings = ScopedListings(cache, HUB)
    listings.keep_listing("org/name", "a" * 40, b"[]")

    assert listings.listing("org/name", "a" * 40) == b"[]"
    assert ScopedListings(cache, "http://mirror").listing("org/name", "a" * 40) is None


def test_headers_are_kept_compressed(cache: HeaderCache) -> None:
    cache.keep_beginning(HUB, digest(1), b'"model.layers.0.weight":' * 10_000)

    state = cache.state()
    assert (state.headers, state.listings) == (1, 0)
    assert state.nbytes < 100_000


def test_the_file_stays_below_its_limit_and_drops_the_oldest_first(tmp_path: Path) -> None:
    with HeaderCache(os.fspath(tmp_path), 1_000_000) as cache:
        cache._today -= 2
        cache.keep_beginning(HUB, "old", b"old")
        cache.keep_beginning(HUB, "old, and used again", b"old")
        cache._today += 1
        for number in range(150):
            cache.keep_beginning(HUB, digest(number), os.urandom(4_000))
        cache._today += 1
        assert cache.beginning(HUB, "old, and used again") == b"old"
        for number in range(150, 290):
            cache.keep_beginning(HUB, digest(number), os.urandom(4_000))
            assert cache._in_use() < 1_000_000 + 128 * 5_000

        assert cache.beginning(HUB, "old") is None
        assert cache.beginning(HUB, "old, and used again") == b"old"
        assert cache.beginning(HUB, digest(0)) is None
        assert all(cache.beginning(HUB, digest(number)) for number in range(150, 290))


def test_what_is_as_large_as_the_cache_is_not_kept(tmp_path: Path) -> None:
    with HeaderCache(os.fspath(tmp_path), 100_000) as cache:
        cache.keep_beginning(HUB, digest(1), os.urandom(30_000))

        assert cache.beginning(HUB, digest(1)) is None


def test_a_file_that_is_no_database_is_made_anew(
    cache: HeaderCache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database" * 1_000)

    with caplog.at_level(logging.WARNING, logger="ckptinspect"):
        cache.keep_beginning(HUB, digest(1), b"header")

    assert cache.beginning(HUB, digest(1)) == b"header"
    assert caplog.messages == ["the header cache is damaged (file is not a database) and begins anew"]


def test_a_database_that_is_damaged_in_the_middle_is_made_anew(cache: HeaderCache, tmp_path: Path) -> None:
    for number in range(200):
        cache.keep_beginning(HUB, digest(number), os.urandom(2_000))
    cache.close()
    with open(tmp_path / FILE, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 300_000)

    for number in range(200):
        cache.beginning(HUB, digest(number))
        cache.keep_beginning(HUB, digest(number), b"again")

    assert {cache.beginning(HUB, digest(number)) for number in range(200)} == {b"again"}


def test_an_entry_that_is_damaged_is_as_if_it_were_not_there(cache: HeaderCache, tmp_path: Path) -> None:
    cache.keep_beginning(HUB, digest(1), b"header")
    cache.keep_beginning(HUB, digest(2), b"header")
    with closing(sqlite3.connect(tmp_path / FILE)) as other, other:
        other.execute("UPDATE entries SET data = x'00' WHERE rowid = 1")
        other.execute("UPDATE entries SET size = 3 WHERE rowid = 2")

    assert cache.beginning(HUB, digest(1)) is None
    assert cache.beginning(HUB, digest(2)) is None
    assert cache.state().headers == 0


def test_a_folder_that_cannot_be_written_costs_the_cache_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = HeaderCache(os.fspath(tmp_path / "file" / "below"))

    with caplog.at_level(logging.WARNING, logger="ckptinspect"):
        cache.keep_beginning(HUB, digest(1), b"header")

        assert cache.beginning(HUB, digest(1)) is None
    assert caplog.messages == [f"the header cache cannot be used: [Errno 20] Not a directory: '{tmp_path}/file/below'"]


def test_a_cache_that_somebody_else_has_locked_is_passed_by(
    cache: HeaderCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ckptinspect.store.headers._PATIENCE", 0.01)
    with HeaderCache(os.fspath(tmp_path)) as first:
        first.keep_beginning(HUB, digest(1), b"header")
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        cache.keep_beginning(HUB, digest(2), b"header")
        assert cache.beginning(HUB, digest(1)) == b"header"
        other.execute("ROLLBACK")
    cache.keep_beginning(HUB, digest(3), b"header")

    assert [cache.beginning(HUB, digest(n)) for n in (1, 2, 3)] == [b"header", None, b"header"]


def _write(folder: str, first: int) -> None:
    with HeaderCache(folder, 100_000_000) as cache:
        for number in range(first, first + 200):
            cache.keep_beginning(HUB, digest(number), b"%d" % number)


def test_several_processes_write_at_once_and_nothing_is_lost(cache: HeaderCache, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(os.fspath(tmp_path), first)) for first in (0, 200, 400)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert [cache.beginning(HUB, digest(number)) for number in range(600)] == [b"%d" % number for number in range(600)]


def test_clearing_removes_the_file(cache: HeaderCache, tmp_path: Path) -> None:
    cache.keep_beginning(HUB, digest(1), b"header")
    cache.clear()

    assert list(tmp_path.iterdir()) == []
    assert cache.beginning(HUB, digest(1)) is None


def test_the_place_is_the_environment_s_or_the_platform_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("CKPTINSPECT_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for platform, expected in (
        ("linux", "/home/me/.cache/ckptinspect"),
        ("darwin", "/home/me/Library/Caches/ckptinspect"),
    ):
        monkeypatch.setattr("sys.platform", platform)
        assert cache_place() == expected
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache")
    assert cache_place() == "/var/cache/ckptinspect"
    monkeypatch.setenv("CKPTINSPECT_CACHE", "~/here")
    assert cache_place() == "/home/me/here"


@pytest.mark.parametrize(
    ("given", "expected"), [("", 2 * 10**9), ("500M", 500 * 10**6), ("3gb", 3 * 10**9), ("1000", 1000), ("0", 0)]
)
def test_the_limit_is_a_size(monkeypatch: pytest.MonkeyPatch, given: str, expected: int) -> None:
    monkeypatch.setenv("CKPTINSPECT_CACHE_SIZE", given)

    assert cache_limit() == expected


@pytest.mark.parametrize("given", ["much", "2X", "-1", "2 G", "1" * 20])
def test_a_limit_that_is_no_size_is_a_usage_error(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("CKPTINSPECT_CACHE_SIZE", given)

    with pytest.raises(RefError, match="is no size; write it as 500M or 2G"):
        cache_limit()
