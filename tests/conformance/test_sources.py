"""What every source promises. To join, subclass SourceContract and say how a source over given files is made."""

import asyncio
import os
import pickle
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

from ckptinspect.checkpoint import Reading, assemble
from ckptinspect.errors import NotFoundError, ShortReadError
from ckptinspect.model import Ref
from ckptinspect.snapshot import written as snapshot_of
from ckptinspect.sources.base import File, Source, each, is_hidden
from ckptinspect.sources.hub import HubSource
from ckptinspect.sources.local import LocalSource
from ckptinspect.sources.remote import RemoteSource
from ckptinspect.sources.snapshot import SCHEMA, Manifest, SnapshotSource
from ckptinspect.store.headers import HeaderCache
from ckptinspect.store.kept import KeptSource
from tests.hub_server import TestHub

T = TypeVar("T")
Make = Callable[[Mapping[str, bytes]], Source]
ALPHABET = b"abcdefghijklmnopqrstuvwxyz"
EMPTY = (2).to_bytes(8, "little") + b"{}"
FILES = {"model.safetensors": ALPHABET, "config.json": b'{"hidden_size": 64}'}


def result(source: Source, work: Callable[[Source], Awaitable[T]]) -> T:
    """What ``work`` gives on an opened source."""

    async def opened() -> T:
        async with source:
            return await work(source)

    return asyncio.run(opened())


def written(folder: Path, files: Mapping[str, bytes]) -> str:
    """The folder, with these files in it."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return os.fspath(folder)


class SourceContract:
    """Inherited by every source's tests; ``make`` gives a source over the files of a mapping."""

    @pytest.fixture
    def make(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make | Iterator[Make]:
        raise NotImplementedError

    @pytest.fixture
    def nowhere(self, make: Make, tmp_path: Path) -> Source:
        """A source whose root does not exist."""
        raise NotImplementedError

    @pytest.mark.parametrize(("begin", "end"), [(0, 1), (0, 26), (3, 9), (25, 26)])
    def test_a_range_is_exactly_the_bytes_asked_for(self, make: Make, begin: int, end: int) -> None:
        data = result(make(FILES), lambda source: source.read("model.safetensors", begin, end))

        assert data == ALPHABET[begin:end]
        assert type(data) is bytes

    def test_an_empty_range_is_no_bytes(self, make: Make) -> None:
        assert result(make(FILES), lambda source: source.read("model.safetensors", 4, 4)) == b""

    def test_a_small_file_is_read_whole_and_in_part(self, make: Make) -> None:
        async def read(source: Source) -> tuple[bytes, bytes]:
            return await source.read("config.json", 0, 19), await source.read("config.json", 2, 8)

        assert result(make(FILES), read) == (b'{"hidden_size": 64}', b"hidden")

    def test_a_short_read_is_an_error_not_a_short_answer(self, make: Make) -> None:
        with pytest.raises(ShortReadError) as caught:
            result(make(FILES), lambda source: source.read("model.safetensors", 20, 30))

        assert str(caught.value) == "model.safetensors: the file ends at byte 26, before byte 30; fetch it again"

    def test_a_missing_file_is_a_not_found_error(self, make: Make) -> None:
        with pytest.raises(NotFoundError) as read:
            result(make(FILES), lambda source: source.read("absent.safetensors", 0, 8))
        with pytest.raises(NotFoundError) as size:
            result(make(FILES), lambda source: source.size("absent.safetensors"))

        assert read.value.where == size.value.where == "absent.safetensors"

    def test_a_missing_root_is_a_not_found_error(self, nowhere: Source) -> None:
        with pytest.raises(NotFoundError):
            result(nowhere, lambda source: source.list())

    def test_the_list_is_sorted_and_knows_the_sizes(self, make: Make) -> None:
        files = result(make(FILES), lambda source: source.list())

        assert [(file.path, file.size) for file in files] == [("config.json", 19), ("model.safetensors", 26)]

    def test_a_file_in_a_folder_is_read_by_its_path(self, make: Make) -> None:
        source = make({"unet/model.safetensors": b"1234"})

        assert result(source, lambda source: source.read("unet/model.safetensors", 1, 3)) == b"23"

    def test_a_name_of_any_letters_is_a_name(self, make: Make) -> None:
        name = "größe #1 %41?x=y&z.safetensors"

        assert result(make({name: ALPHABET}), lambda source: source.read(name, 0, 2)) == b"ab"

    def test_a_size_is_the_number_of_bytes(self, make: Make) -> None:
        assert result(make(FILES), lambda source: source.size("model.safetensors")) == 26

    def test_a_file_without_bytes_has_size_zero(self, make: Make) -> None:
        assert result(make({"model.safetensors": b""}), lambda source: source.size("model.safetensors")) == 0

    def test_many_reads_at_once_do_not_mix(self, make: Make) -> None:
        async def read(source: Source) -> list[bytes]:
            return await each(source, lambda at: source.read("model.safetensors", at, at + 1), range(26))

        assert b"".join(result(make(FILES), read)) == ALPHABET

    def test_bytes_read_are_counted(self, make: Make) -> None:
        source = make(FILES)
        result(source, lambda source: source.read("model.safetensors", 0, 10))

        assert source.bytes_read >= 10

    def test_a_copy_by_pickle_reads_the_same(self, make: Make) -> None:
        copy: Source = pickle.loads(pickle.dumps(make(FILES)))

        assert result(copy, lambda source: source.read("model.safetensors", 3, 9)) == b"defghi"

    def test_a_source_that_has_been_read_from_is_picklable_still(self, make: Make) -> None:
        async def read_and_pickle(source: Source) -> bytes:
            await source.read("model.safetensors", 0, 4)
            return pickle.dumps(source)

        copy: Source = pickle.loads(result(make(FILES), read_and_pickle))

        assert result(copy, lambda source: source.size("config.json")) == 19

    def test_a_pickle_holds_no_token(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_TOKEN", "hf_the_right_token")

        async def read_and_pickle(source: Source) -> bytes:
            await source.read("model.safetensors", 0, 4)
            return pickle.dumps(source)

        assert b"hf_the_right_token" not in result(make(FILES), read_and_pickle)

    def test_a_source_is_opened_again_after_it_was_closed(self, make: Make) -> None:
        source = make(FILES)

        assert result(source, lambda source: source.read("model.safetensors", 0, 1)) == b"a"
        assert result(source, lambda source: source.read("model.safetensors", 1, 2)) == b"b"


class ListingSourceContract(SourceContract):
    """For sources that can list what lies in folders, as a plain web server cannot."""

    def test_files_in_folders_are_listed_by_their_path(self, make: Make) -> None:
        files = {"unet/model.safetensors": b"1234", "model_index.json": b"{}", "vae/a/b.safetensors": b"1"}

        listed: tuple[File, ...] = result(make(files), lambda source: source.list())

        assert [(file.path, file.size) for file in listed] == [
            ("model_index.json", 2),
            ("unet/model.safetensors", 4),
            ("vae/a/b.safetensors", 1),
        ]

    @pytest.mark.parametrize(
        ("named", "shards"),
        [
            ("", ["model.safetensors"]),
            ("unet", ["unet/model.safetensors"]),
            ("unet/.old", ["unet/.old/model.safetensors"]),
            ("unet/.old/model.safetensors", ["unet/.old/model.safetensors"]),
            (".x.safetensors", [".x.safetensors"]),
        ],
    )
    def test_what_is_hidden_counts_only_where_it_is_named(self, make: Make, named: str, shards: list[str]) -> None:
        paths = ("model", ".x", ".git/model", "unet/model", "unet/.x", "unet/.old/model", "unet/.old/.git/x")
        files = {f"{path}.safetensors": EMPTY for path in paths} | {"unet/.old/config.json": b'{"hidden_size": 8}'}
        ref = Ref("given", "remote", "location", path=named)
        source = self.named(make(files), named)

        checkpoint = result(source, lambda source: assemble(source, ref, Reading()))

        assert [shard.path for shard in checkpoint.shards] == shards
        assert not [path for path in checkpoint.alternatives if is_hidden(path, named)]
        assert checkpoint.config.integer("hidden_size") == (8 if ".old" in named else None)

    def named(self, source: Source, path: str) -> Source:
        """The source as it is opened for a path that was named."""
        return source


class TestLocalSource(ListingSourceContract):
    @pytest.fixture
    def make(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
        return lambda files: LocalSource(written(tmp_path, files))

    def named(self, source: Source, path: str) -> Source:
        assert isinstance(source, LocalSource)
        return LocalSource(source.root, hidden=bool(path))

    @pytest.fixture
    def nowhere(self, make: Make, tmp_path: Path) -> Source:
        return LocalSource(os.fspath(tmp_path / "nowhere"))


class TestSnapshotSource(ListingSourceContract):
    @pytest.fixture
    def make(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
        def made(files: Mapping[str, bytes]) -> Source:
            listed = tuple(File(path, len(content)) for path, content in files.items())
            content = snapshot_of(Manifest(SCHEMA, "org/name", None, "", listed), files)
            (tmp_path / "x.snap").write_bytes(content)
            return SnapshotSource(os.fspath(tmp_path / "x.snap"))

        return made

    @pytest.fixture
    def nowhere(self, make: Make, tmp_path: Path) -> Source:
        return SnapshotSource(os.fspath(tmp_path / "nowhere.snap"))


class TestHubSource(ListingSourceContract):
    @pytest.fixture
    def make(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
        folder = tmp_path / "repo"
        with TestHub({"org/name": folder}) as hub:
            hub.surround(monkeypatch, tmp_path / "home")
            yield lambda files: HubSource(written(folder, files) and "org/name")

    @pytest.fixture
    def nowhere(self, make: Make, tmp_path: Path) -> Source:
        return HubSource("org/nowhere")


class TestKeptSource(TestHubSource):
    """The Hub by way of the header cache: what is read through it is the same, the first time and the second."""

    @pytest.fixture
    def make(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
        folder = tmp_path / "repo"
        cache = HeaderCache(os.fspath(tmp_path / "cache"))
        with TestHub({"org/name": folder}) as hub, cache:
            hub.surround(monkeypatch, tmp_path / "home")
            yield lambda files: KeptSource(HubSource(written(folder, files) and "org/name"), cache, hub.endpoint)


class TestRemoteSourceInMemory(ListingSourceContract):
    @pytest.fixture
    def make(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
        import fsspec

        memory = fsspec.filesystem("memory")

        def made(files: Mapping[str, bytes]) -> Source:
            for path, content in files.items():
                memory.pipe_file(f"/bucket/llama/{path}", content)
            return RemoteSource("memory://bucket/llama")

        yield made
        memory.store.clear()
        memory.pseudo_dirs[:] = [""]

    @pytest.fixture
    def nowhere(self, make: Make, tmp_path: Path) -> Source:
        return RemoteSource("memory://bucket/nowhere")


class TestRemoteSourceOverHttp(SourceContract):
    @pytest.fixture
    def make(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
        folder = tmp_path / "served"
        with TestHub({"org/name": folder}) as hub:
            hub.surround(monkeypatch, tmp_path / "home")
            self.address = hub.cdn
            yield lambda files: RemoteSource(f"{hub.cdn}/files/{written(folder, files) and 'org/name'}")

    @pytest.fixture
    def nowhere(self, make: Make, tmp_path: Path) -> Source:
        return RemoteSource(f"{self.address}/files/org/nowhere")
