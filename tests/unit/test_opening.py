"""From a REF to its checkpoint: what cannot be opened is one sentence, the same in an event loop and outside of one."""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ckptinspect.errors import CkptInspectError, NotFoundError, RefError, UnreachableError
from ckptinspect.model import Checkpoint
from ckptinspect.opening import open_checkpoint, open_checkpoint_async
from tests.folders import Shapes, write_json, write_safetensors, write_sharded
from tests.hub_server import TestHub

NORM: Shapes = {"model.norm.weight": ("BF16", (64,))}
HEAD: Shapes = {"lm_head.weight": ("BF16", (100, 64))}
Open = Callable[..., Checkpoint]


def in_a_loop(ref: str, **options: object) -> Checkpoint:
    return asyncio.run(open_checkpoint_async(ref, **options))  # type: ignore[arg-type]


@pytest.fixture(params=[open_checkpoint, in_a_loop], ids=["sync", "async"])
def opened(request: pytest.FixtureRequest) -> Open:
    way: Open = request.param
    return way


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestHub]:
    """A Hub with a sharded model, one of a single file, and one without weights."""
    shards = {"model-00001-of-00002.safetensors": NORM, "model-00002-of-00002.safetensors": HEAD}
    write_sharded(tmp_path / "sharded", shards)
    write_json(tmp_path / "sharded" / "config.json", {"hidden_size": 64})
    write_safetensors(tmp_path / "single" / "model.safetensors", NORM)
    write_json(tmp_path / "empty" / "sub" / "notes.json", {})
    repos = {"org/sharded": "sharded", "org/single": "single", "org/empty": "empty", "datasets/org/data": "single"}
    with TestHub({page: tmp_path / folder for page, folder in repos.items()}) as hub:
        hub.surround(monkeypatch, tmp_path / "home")
        monkeypatch.chdir(tmp_path)
        yield hub


def error_of(opened: Open, ref: object, **options: object) -> CkptInspectError:
    with pytest.raises(CkptInspectError) as caught:
        opened(ref, **options)
    return caught.value


@pytest.mark.parametrize("ref", [b"no such path", Path("no such path")])
def test_any_kind_of_path_may_name_nothing(
    opened: Open, ref: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    error = error_of(opened, ref)

    assert type(error) is RefError
    assert str(error) == (
        "'no such path': this is no path that exists and no repository id;"
        " name a file, a folder, org/name on the Hub, or a URL"
    )


def test_a_path_of_bytes_is_a_path(opened: Open, tmp_path: Path) -> None:
    file = write_safetensors(tmp_path / "model.safetensors", NORM)

    assert len(opened(os.fsencode(file)).shards) == 1


@pytest.mark.parametrize("ref", ["", "a\0b", "x" * 10_000, "https://[x", "hf://org/../name"])
def test_what_can_name_nothing_is_a_usage_error(opened: Open, ref: str) -> None:
    assert type(error_of(opened, ref)) is RefError


@pytest.mark.parametrize("ref", ["/" + "x" * 10_000, "./" + "x/" * 5_000, "~nobody-of-this-name/x", "caf\udce9"])
def test_a_path_that_cannot_be_there_is_not_found(opened: Open, ref: str) -> None:
    assert type(error_of(opened, ref)) is NotFoundError


def test_a_way_that_there_is_not_is_a_usage_error(opened: Open, tmp_path: Path) -> None:
    error = error_of(opened, str(tmp_path), via="bad")

    assert type(error) is RefError
    assert str(error) == "via: there is no way 'bad'; choose one of auto, endpoint, ranges"


# The folder that was named


def test_an_empty_folder_is_named(opened: Open, tmp_path: Path) -> None:
    error = error_of(opened, str(tmp_path))

    assert type(error) is NotFoundError
    assert str(error) == f"{tmp_path}: there is no safetensors file; check the spelling"


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("ref", ["org/empty", "hf://org/empty/sub", "hf://org/empty/sub/", "hf://org/empty/absent"])
def test_a_repository_or_a_folder_of_it_without_weights_is_named(opened: Open, ref: str) -> None:
    error = error_of(opened, ref)

    assert type(error) is NotFoundError
    assert str(error) == f"{ref}: there is no safetensors file; check the spelling"


def test_a_storage_without_weights_is_named(opened: Open) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe_file("/bucket/llama/notes.txt", b"")
    try:
        error = error_of(opened, "memory://bucket/llama")
    finally:
        memory.store.clear()
        memory.pseudo_dirs[:] = [""]

    assert str(error) == "memory://bucket/llama: there is no safetensors file; check the spelling"


def test_a_web_folder_without_weights_is_named_without_its_signature(opened: Open, hub: TestHub) -> None:
    error = error_of(opened, f"{hub.cdn}/files/org/empty?Signature=x")

    assert str(error) == (
        f"{hub.cdn}/files/org/empty: an HTTP server lists no files, and none of those that checkpoints have is there;"
        " name a safetensors file or an index in it"
    )


@pytest.mark.usefixtures("hub")
def test_a_repository_that_is_not_there_may_be_a_folder_misspelt(opened: Open) -> None:
    assert str(error_of(opened, "org/absent")) == (
        "org/absent: no such repository, or a private one; check the spelling; for a private one run `hf auth login`"
        " or set HF_TOKEN; no file or folder here has that name either"
    )


def test_a_missing_file_of_the_web_is_named_by_its_whole_address(opened: Open, hub: TestHub) -> None:
    url = f"{hub.cdn}/files/org/single/absent.safetensors"

    assert str(error_of(opened, url)) == f"{url}: absent.safetensors: no such file; check the spelling"


def test_a_url_is_not_read_offline_and_its_signature_not_told(opened: Open) -> None:
    error = error_of(opened, "https://host/model.safetensors?Signature=x", offline=True)

    assert type(error) is UnreachableError
    assert str(error) == (
        "https://host/model.safetensors: this is a URL, and --offline was asked for; leave out --offline"
    )


# The one-request endpoint


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        ("single", "is the Hub's, and this is read from elsewhere"),
        ("single/model.safetensors", "is the Hub's, and this is read from elsewhere"),
        ("https://host/a/model.safetensors", "is the Hub's, and this is read from elsewhere"),
        ("org/sharded@v1", "has the main revision alone, not 'v1'"),
        ("hf://datasets/org/data", "has models alone"),
    ],
)
def test_the_endpoint_is_refused_for_what_it_never_has(opened: Open, hub: TestHub, ref: str, why: str) -> None:
    error = error_of(opened, ref, via="endpoint")

    assert type(error) is RefError
    assert str(error) == f"{ref}: the one-request endpoint {why}; leave out --via endpoint"
    assert hub.requests == []


def test_the_endpoint_is_refused_for_a_snapshot(opened: Open) -> None:
    assert str(error_of(opened, "fixtures/real/gpt2.snap", via="endpoint")) == (
        "fixtures/real/gpt2.snap: the one-request endpoint is the Hub's, and this is read from elsewhere;"
        " leave out --via endpoint"
    )


def test_the_endpoint_is_refused_offline(opened: Open, hub: TestHub, tmp_path: Path) -> None:
    commit = "c" * 40
    snapshot = tmp_path / "home" / "hub" / "models--org--single" / "snapshots" / commit
    write_safetensors(snapshot / "model.safetensors", NORM)
    (tmp_path / "home" / "hub" / "models--org--single" / "refs").mkdir()
    (tmp_path / "home" / "hub" / "models--org--single" / "refs" / "main").write_text(commit)

    assert str(error_of(opened, "org/single", via="endpoint", offline=True)) == (
        "org/single: the one-request endpoint takes the network, and offline mode is on; leave out --via endpoint"
    )
    assert hub.requests == []


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("ref", "names", "message"),
    [
        ("org/single", False, "gives nothing other than whole sharded repositories: this was read by ranges"),
        ("hf://org/sharded/model-00001-of-00002.safetensors", False, "gives nothing other than whole sharded repositories: this was read by ranges"),
        ("org/sharded", True, "gives nothing where every name is asked for: this was read by ranges"),
    ],
)  # fmt: skip
def test_where_a_repository_merely_lacks_the_endpoint_the_ranges_answer_with_a_note(
    opened: Open, ref: str, names: bool, message: str
) -> None:
    checkpoint = opened(ref, via="endpoint", names=names)

    assert checkpoint.via == "ranges"
    assert [(note.code, note.message) for note in checkpoint.notes] == [
        ("endpoint-unused", f"the one-request endpoint {message}")
    ]


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("via", ["auto", "ranges"])
def test_nobody_is_told_of_an_endpoint_that_nobody_asked_for(opened: Open, via: str) -> None:
    assert opened("org/single", via=via, names=False).notes == ()


@pytest.mark.parametrize("also", [None, "adapter_config.json"])
def test_an_unreadable_config_is_told_once_where_the_endpoint_gives_way_to_ranges(
    opened: Open, hub: TestHub, tmp_path: Path, also: str | None
) -> None:
    (tmp_path / "sharded" / "config.json").write_text("{")
    if also is not None:
        write_json(tmp_path / "sharded" / also, {"r": 8})
    hub.inject("404", "/safetensors-metadata/", times=9)

    checkpoint = opened("org/sharded", names=False)

    assert checkpoint.via == "ranges"
    assert [note.message for note in checkpoint.notes] == ["config.json was left out: it is not JSON"]
    assert checkpoint.config.integer("r") == (None if also is None else 8)


# A config stands for its folder


def test_a_config_stands_for_the_folder_that_it_lies_in(opened: Open, hub: TestHub, tmp_path: Path) -> None:
    write_sharded(tmp_path / "sharded" / "sub", {"model.safetensors": HEAD})
    write_json(tmp_path / "sharded" / "sub" / "config.json", {"hidden_size": 65})
    answers = {
        "hf://org/sharded/config.json": 64,
        f"{hub.endpoint}/org/sharded/blob/main/config.json": 64,
        f"{hub.cdn}/files/org/sharded/config.json": 64,
        f"{tmp_path}/sharded/config.json": 64,
        f"file://{tmp_path}/sharded/config.json": 64,
        "hf://org/sharded/sub/config.json": 65,
        f"{hub.endpoint}/org/sharded/tree/main/sub/": 65,
        f"{hub.cdn}/files/org/sharded/sub/config.json": 65,
        f"{tmp_path}/sharded/sub/config.json": 65,
    }

    assert {ref: opened(ref).config.integer("hidden_size") for ref in answers} == answers
