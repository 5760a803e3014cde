"""Where the REFs of a run come from: every way gives them one by one, and says in a sentence what is wrong with it."""

import io
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ckptinspect.audit.listing import FromFile, Given, HubCache, Models, Sought, Tree, targets_of
from ckptinspect.audit.targets import Target
from ckptinspect.errors import FormatError, NotFoundError, RefError, UnavailableError, UnreachableError
from tests.folders import write_json, write_safetensors
from tests.hub_server import TestHub

SHA = "a" * 40


def written(path: Path, text: str) -> FromFile:
    path.write_text(text)
    return FromFile(os.fspath(path))


def refs(listing: FromFile | Tree | Models | HubCache) -> list[str]:
    return [target.ref for target in listing.targets()]


def test_a_text_file_has_a_ref_a_line_and_remarks(tmp_path: Path) -> None:
    listing = written(tmp_path / "list.txt", "\ufeff# ours\norg/name\n\n  s3://bucket/model  \r\n./local name\n")

    assert refs(listing) == ["org/name", "s3://bucket/model", "./local name"]
    assert listing.count() == 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", f'downloads,id,sha\n5,org/a,{SHA}\n4,"org/b",\n3,,\n'),
        ("list.tsv", f"modelId\tsha\norg/a\t{SHA}\norg/b\tno commit\n"),
    ],
)
def test_a_table_has_a_column_of_refs_and_may_have_one_of_commits(tmp_path: Path, name: str, text: str) -> None:
    assert list(written(tmp_path / name, text).targets()) == [Target("org/a", SHA), Target("org/b")]


def test_the_column_can_be_named_whatever_the_file_is_called(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("name,where\nfirst,org/a\nsecond,org/b\n")

    assert refs(FromFile(os.fspath(tmp_path / "list.txt"), "where")) == ["org/a", "org/b"]


def test_parquet_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"id": ["org/a", None, "org/b"], "sha": [SHA, SHA, None]}), tmp_path / "list")
    listing = FromFile(os.fspath(tmp_path / "list"))

    assert list(listing.targets()) == [Target("org/a", SHA), Target("org/b")]


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "list").write_bytes(b"PAR1....")
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(UnavailableError, match=r"pip install 'ckptinspect\[parquet\]'"):
        refs(FromFile(os.fspath(tmp_path / "list")))


def test_broken_parquet_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "list").write_bytes(b"PAR1....")

    with pytest.raises(FormatError) as caught:
        refs(FromFile(os.fspath(tmp_path / "list")))
    assert str(caught.value) == f"{tmp_path}/list: this is no Parquet file that can be read; write it again"


def test_standard_input_is_read_once_and_can_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"org/a\norg/b\n")))
    listing = FromFile("-")

    assert (listing.count(), refs(listing)) == (2, ["org/a", "org/b"])
    assert listing.stamp == FromFile.stamp.fget(listing)  # type: ignore[attr-defined]


def test_the_same_list_under_another_name_is_the_same_list(tmp_path: Path) -> None:
    one, two = written(tmp_path / "one", "org/a\n"), written(tmp_path / "two", "org/a\n")

    assert one.stamp == two.stamp
    assert written(tmp_path / "two", "org/b\n").stamp != one.stamp


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("x.csv", "a,b\n1,2\n", "no column is called like REFs; choose --column of 'a', 'b'"),
        ("x.txt", "org/a\0\n", "this is no list of REFs; write one REF a line, or name a CSV or Parquet file"),
        ("x.txt", "x" * 10_000, "this is no list of REFs; write one REF a line"),
        ("x.csv", 'id\n"' + "x" * 200_000 + '"\n', "this is no CSV; write one REF a line"),
    ],
)
def test_what_is_no_list_is_one_sentence(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    with pytest.raises((RefError, FormatError)) as caught:
        refs(written(tmp_path / name, text))

    assert str(caught.value).startswith(f"{tmp_path}/{name}: {sentence}")


def test_a_list_that_is_not_there_is_named() -> None:
    with pytest.raises(NotFoundError, match="nowhere: no such file; check the spelling"):
        refs(FromFile("nowhere"))


def checkpoint(folder: Path) -> None:
    write_safetensors(folder / "model.safetensors", {"w": ("F16", (2,))})


def test_a_local_tree_has_every_checkpoint_below_it(tmp_path: Path) -> None:
    for name in ("b/two", "a/one", "a/one/below", ".hidden/three"):
        checkpoint(tmp_path / name)
    tree = Tree(os.fspath(tmp_path))

    assert refs(tree) == [f"{tmp_path}/a/one", f"{tmp_path}/b/two"]
    assert tree.local


def test_the_prefix_of_a_storage_has_every_checkpoint_below_it() -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    for path in (
        "b/model.safetensors",
        "a/x/model-00001-of-00002.safetensors",
        "a/notes.txt",
        "a/x/y/model.safetensors",
    ):
        memory.pipe_file(f"/bucket/{path}", b"")
    try:
        tree = Tree("memory://bucket")
        assert refs(tree) == ["memory:///bucket/a/x", "memory:///bucket/b"]
        assert not tree.local
        with pytest.raises(NotFoundError) as nothing:
            refs(Tree("memory://bucket/nowhere"))
        assert str(nothing.value) == "memory:///bucket/nowhere: no such file or folder; check the spelling"
    finally:
        memory.store.clear()
        memory.pseudo_dirs[:] = [""]


@pytest.mark.parametrize(
    ("ref", "sentence"),
    [
        (
            "nowhere",
            "'nowhere': this is no folder; --recursive looks below folders of this machine, s3:// and the like",
        ),
        (
            "https://host/folder",
            "https://host/folder: an HTTP server lists no folders; name the checkpoints one by one",
        ),
    ],
)
def test_what_has_no_folders_is_a_usage_error(ref: str, sentence: str) -> None:
    with pytest.raises(RefError) as caught:
        refs(Tree(ref))

    assert str(caught.value) == sentence


def test_a_tree_without_checkpoints_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no checkpoint below it"):
        refs(Tree(os.fspath(tmp_path)))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestHub]:
    checkpoint(tmp_path / "repo")
    pages = [f"org/name-{number}" for number in range(7)] + ["other/name", "org/secret"]
    with TestHub(dict.fromkeys(pages, tmp_path / "repo")) as hub:
        hub.surround(monkeypatch, tmp_path / "home")
        hub.private = {"org/secret"}
        hub.tags = {"org/name-1": {"safetensors", "gguf"}, "org/name-2": {"safetensors"}, "other/name": {"safetensors"}}
        hub.page = 3
        yield hub


def test_an_organization_is_listed_page_by_page_with_its_commits(hub: TestHub) -> None:
    listing = Models("org", ())

    assert list(listing.targets()) == [
        Target(f"org/name-{number}", hub.repos[f"org/name-{number}"].commit) for number in range(7)
    ]
    assert len(hub.requests) == 3
    assert listing.quotas()["api"].limit == 1_000


def test_pages_are_asked_for_as_they_are_needed(hub: TestHub) -> None:
    assert len(list(itertools.islice(Models("org", ()).targets(), 3))) == 3
    assert len(hub.requests) == 1


def test_a_filter_is_the_hub_s_own(hub: TestHub) -> None:
    assert refs(Models(None, ("safetensors",))) == ["org/name-1", "org/name-2", "other/name"]
    assert refs(Models("org", ("safetensors", "gguf"))) == ["org/name-1"]
    assert {request.query for request in hub.requests} == {
        "filter=safetensors&expand=sha",
        "author=org&filter=safetensors&filter=gguf&expand=sha",
    }


@pytest.mark.usefixtures("hub")
def test_an_organization_without_models_is_not_found() -> None:
    with pytest.raises(NotFoundError) as caught:
        refs(Models("nobody", ()))

    assert str(caught.value) == "nobody: the Hub lists no models of it; check the spelling"


@pytest.mark.parametrize("fault", ["503", "reset", "stall-mid-body", "truncate", "429"])
def test_a_page_that_fails_once_is_asked_for_again(hub: TestHub, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ckptinspect.sources.hub_models._TIMEOUT", 4.0)
    hub.inject(fault, "/api/models")

    assert len(refs(Models("org", ()))) == 7


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("html", "org: the server's answer is no list of models; check HF_ENDPOINT and the proxy settings"),
        ("401", "org: the Hub refuses access to it (401); check that the token may read it"),
    ],
)
def test_an_answer_that_is_no_list_is_one_sentence(hub: TestHub, fault: str, sentence: str) -> None:
    hub.inject(fault, "/api/models")

    with pytest.raises(Exception, match="org") as caught:
        refs(Models("org", ()))
    assert str(caught.value) == sentence


def test_a_list_may_not_lead_to_another_host(hub: TestHub) -> None:
    hub.links_elsewhere = True

    with pytest.raises(Exception, match="another host") as caught:
        refs(Models("org", ()))
    assert str(caught.value) == "org: the Hub's list of models leads to another host; check HF_ENDPOINT"


def test_offline_nobody_is_asked(hub: TestHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises(UnreachableError, match="offline mode is on, and the list of models is the Hub's"):
        refs(Models("org", ()))
    assert hub.requests == []


def test_the_local_hub_cache_has_every_commit_that_has_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", os.fspath(tmp_path))
    one, two = "1" * 40, "2" * 40
    checkpoint(tmp_path / "models--org--name" / "snapshots" / two)
    checkpoint(tmp_path / "models--org--name" / "snapshots" / one / "unet")
    write_json(tmp_path / "models--org--config-only" / "snapshots" / one / "config.json", {})
    checkpoint(tmp_path / "datasets--org--data" / "snapshots" / one)
    (tmp_path / "version.txt").touch()

    assert list(HubCache().targets()) == [
        Target(f"org/name@{one}", one, cached=True),
        Target(f"org/name@{two}", two, cached=True),
    ]


def test_an_empty_hub_cache_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", os.fspath(tmp_path))

    with pytest.raises(NotFoundError, match="the local Hub cache holds no checkpoint; check HF_HUB_CACHE"):
        refs(HubCache())


def test_places_are_listed_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("org/c\n")
    sought = Sought(refs=("org/a", "org/b"), file=os.fspath(tmp_path / "list"))

    assert [target.ref for target in targets_of(sought.listings())] == ["org/a", "org/b", "org/c"]


@pytest.mark.parametrize(
    ("sought", "sentence"),
    [
        (Sought(), "there is nothing to audit; name a REF, or use --from, --org or --hub-cache"),
        (Sought(refs=("a",), column="id"), "--column is for --from; name a CSV or Parquet file with --from"),
    ],
)
def test_a_place_that_nobody_named_is_a_usage_error(sought: Sought, sentence: str) -> None:
    with pytest.raises(RefError) as caught:
        sought.listings()

    assert str(caught.value) == sentence


def test_refs_are_on_this_machine_where_all_of_them_are(tmp_path: Path) -> None:
    assert Given((os.fspath(tmp_path),)).local
    assert not Given((os.fspath(tmp_path), "org/name")).local
