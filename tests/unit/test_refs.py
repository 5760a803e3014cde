import os
from pathlib import Path

import pytest

from ckptinspect.errors import NotFoundError, RefError
from ckptinspect.model import Ref
from ckptinspect.refs import parse_ref


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)


@pytest.mark.parametrize(
    ("given", "location", "revision", "path"),
    [
        ("gpt2", "gpt2", None, ""),
        ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B", None, ""),
        ("Qwen/Qwen3-0.6B@v1.0", "Qwen/Qwen3-0.6B", "v1.0", ""),
        ("Qwen/Qwen3-0.6B@refs/pr/1", "Qwen/Qwen3-0.6B", "refs/pr/1", ""),
        ("hf://org/name", "org/name", None, ""),
        ("hf://org/name/sub/model.safetensors", "org/name", None, "sub/model.safetensors"),
        ("hf://org/name@main/unet", "org/name", "main", "unet"),
        ("hf://org/name@refs/pr/1/unet", "org/name", "refs/pr/1", "unet"),
        ("hf://org/name@refs%2Fpr%2F1/unet", "org/name", "refs/pr/1", "unet"),
        ("hf://models/org/name", "org/name", None, ""),
        ("hf://datasets/org/name@v2/x.safetensors", "datasets/org/name", "v2", "x.safetensors"),
        ("hf://spaces/org/name", "spaces/org/name", None, ""),
        ("https://huggingface.co/org/name", "org/name", None, ""),
        ("https://huggingface.co/gpt2", "gpt2", None, ""),
        ("https://huggingface.co/gpt2/tree/main", "gpt2", "main", ""),
        ("https://huggingface.co/org/name/tree/refs%2Fpr%2F3/sub", "org/name", "refs/pr/3", "sub"),
        ("https://huggingface.co/org/name/blob/main/model.safetensors", "org/name", "main", "model.safetensors"),
        ("https://huggingface.co/org/name/resolve/abc/model.safetensors?download=true", "org/name", "abc", "model.safetensors"),
        ("https://hf.co/datasets/org/name/tree/main", "datasets/org/name", "main", ""),
        ("https://huggingface.co/spaces/org/name", "spaces/org/name", None, ""),
        ("HF://org/name", "org/name", None, ""),
        ("HTTPS://HuggingFace.co/org/name", "org/name", None, ""),
        ("org/name/", "org/name", None, ""),
        ("org/name@v1/", "org/name", "v1", ""),
        ("hf://org/name/", "org/name", None, ""),
        ("hf://org/name/sub/", "org/name", None, "sub"),
        ("hf://org/name@main/", "org/name", "main", ""),
        ("hf://org/name@main/sub/", "org/name", "main", "sub"),
        ("https://huggingface.co/org/name/", "org/name", None, ""),
        ("https://huggingface.co/org/name/tree/main/sub/", "org/name", "main", "sub"),
        ("hf://org/name/config.json", "org/name", None, ""),
        ("hf://org/name@main/unet/config.json", "org/name", "main", "unet"),
        ("hf://org/name/model_index.json", "org/name", None, ""),
        ("https://huggingface.co/org/name/blob/main/config.json", "org/name", "main", ""),
        ("https://huggingface.co/org/name/resolve/main/sub/adapter_config.json", "org/name", "main", "sub"),
    ],
)  # fmt: skip
def test_whatever_names_a_repository_is_one(given: str, location: str, revision: str | None, path: str) -> None:
    assert parse_ref(given) == Ref(given, "hub", location, revision, path)


@pytest.mark.parametrize(
    "given", ["s3://bucket/model", "gs://b/x.safetensors", "memory://m", "https://host/a/b.safetensors"]
)
def test_any_other_url_goes_to_fsspec(given: str) -> None:
    assert parse_ref(given) == Ref(given, "remote", given)


def test_pages_of_a_mirror_named_by_hf_endpoint_are_repositories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/hub/")
    page = "https://mirror.example/hub/org/name"

    assert parse_ref(page) == Ref(page, "hub", "org/name")
    assert parse_ref(f"{page}/tree/v1/sub?x=y") == Ref(f"{page}/tree/v1/sub?x=y", "hub", "org/name", "v1", "sub")


def test_a_local_path_wins_over_a_repository_of_the_same_spelling(tmp_path: Path) -> None:
    (tmp_path / "org" / "name").mkdir(parents=True)

    assert parse_ref("org/name") == Ref("org/name", "local", "org/name")


def test_a_file_is_a_path_below_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.touch()

    assert parse_ref(str(file)) == Ref(str(file), "local", str(tmp_path), path="model.safetensors")
    assert parse_ref("model.safetensors") == Ref("model.safetensors", "local", ".", path="model.safetensors")


@pytest.mark.parametrize(
    "name", ["config.json", "model_index.json", "adapter_config.json", "modules.json", "params.json"]
)
def test_a_config_stands_for_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")

    assert parse_ref(str(tmp_path / name)) == Ref(str(tmp_path / name), "local", str(tmp_path))


def test_a_repository_of_the_hub_cache_stands_for_the_snapshot_of_its_main(tmp_path: Path) -> None:
    repository = tmp_path / "models--org--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc123")
    (repository / "snapshots" / "abc123").mkdir(parents=True)

    assert parse_ref(str(repository)).location == str(repository / "snapshots" / "abc123")


def test_a_cached_repository_whose_main_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    repository = tmp_path / "models--org--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("../../../etc")
    (repository / "snapshots" / "abc123").mkdir(parents=True)

    with pytest.raises(RefError) as error:
        parse_ref(str(repository))

    assert (
        str(error.value)
        == f"{repository}: this cached repository's main revision is damaged; name one of {repository}/snapshots/*"
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("./model", "./model: no such file or folder; check the spelling"),
        ("modle.safetensors", "modle.safetensors: no such file or folder; check the spelling"),
        (
            "org/name/sub",
            "org/name/sub: no such file or folder; for a folder of a Hub repository write hf://org/name/folder",
        ),
        ("/no/such/folder", "/no/such/folder: no such file or folder; check the spelling"),
        ("models/", "models/: no such file or folder; check the spelling"),
        ("model.safetensors/", "model.safetensors/: no such file or folder; check the spelling"),
        ("file:///no/such", "file:///no/such: no such file or folder; check the spelling"),
        ("/" + "a" * 9999, "/" + "a" * 148 + "…" + "a" * 149 + ": no such file or folder; check the spelling"),
        ("caf\udce9", "caf\udce9: no such file or folder; check the spelling"),
        ("org/name@\udce9", "org/name@\udce9: no such file or folder; check the spelling"),
        ("https://host/\udce9", "https://host/\udce9: no such file or folder; check the spelling"),
    ],
)
def test_a_path_that_is_not_there_is_not_found(given: str, sentence: str) -> None:
    with pytest.raises(NotFoundError) as error:
        parse_ref(given)

    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("", "'': this names nothing; name a file, a folder, org/name on the Hub, or a URL"),
        ("a b", "'a b': this is no path that exists and no repository id; name a file, a folder, org/name on the Hub, or a URL"),
        ("org/na--me", "'org/na--me': this is no path that exists and no repository id; name a file, a folder, org/name on the Hub, or a URL"),
        ("org/name@", "'org/name@': this is no path that exists and no repository id; name a file, a folder, org/name on the Hub, or a URL"),
        ("hf://org/name/../../x", "'hf://org/name/../../x': this names no repository of the Hub; write hf://org/name[@revision][/path]"),
        ("x" * 10_000, "'" + "x" * 39 + "…" + "x" * 39 + "': this is no path that exists and no repository id; name a file, a folder, org/name on the Hub, or a URL"),
        ("a\0b", "'a\\x00b': this names nothing; name a file, a folder, org/name on the Hub, or a URL"),
        ("https://[x", "'https://[x': this is no valid URL; check its host and its port"),
        ("HTTPS://[x/a", "'HTTPS://[x/a': this is no valid URL; check its host and its port"),
        ("https://host:port/a", "'https://host:port/a': this is no valid URL; check its host and its port"),
        ("https://host:99999/a", "'https://host:99999/a': this is no valid URL; check its host and its port"),
        ("https://:80/a", "'https://:80/a': this is no valid URL; check its host and its port"),
        ("https://", "'https://': this is no valid URL; check its host and its port"),
        ("https://me:pass[word@host/a?Signature=x", "'https://host/a': this is no valid URL; check its host and its port"),
        ("https://huggingface.co:bad/org/name", "'https://huggingface.co:bad/org/name': this is no valid URL; check its host and its port"),
        ("file://[x", "'file://[x': this is no valid URL; check its host and its port"),
        ("file://", "'file://': this is the URL of no local file; write file:///folder/file"),
        ("file://elsewhere/a", "'file://elsewhere/a': this is the URL of no local file; write file:///folder/file"),
        ("file:///a%00b", "'file:///a%00b': this is the URL of no local file; write file:///folder/file"),
        ("https://huggingface.co/docs/hub", "https://huggingface.co/docs/hub: this page belongs to no repository; name a file, a folder, org/name on the Hub, or a URL"),
    ],
)  # fmt: skip
def test_what_can_be_nothing_is_a_usage_error(given: str, sentence: str) -> None:
    with pytest.raises(RefError) as error:
        parse_ref(given)

    assert str(error.value) == sentence


@pytest.mark.parametrize("host", ["", "localhost"])
def test_the_url_of_a_local_file_is_its_path(tmp_path: Path, host: str) -> None:
    file = tmp_path / os.fsdecode(b"caf\xe9 1.safetensors")
    file.touch()
    url = f"file://{host}{tmp_path}/caf%E9%201.safetensors"

    assert parse_ref(url) == Ref(url, "local", str(tmp_path), path=file.name)


def test_a_cached_repository_whose_snapshots_cannot_be_listed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "models--org--name"
    (repository / "snapshots").mkdir(parents=True)

    def refuse(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(RefError) as error:
        parse_ref(str(repository))

    assert str(error.value) == (
        f"{repository}: this cached repository has no main revision; name one of {repository}/snapshots/*"
    )


def test_a_dangling_link_is_a_path_and_not_a_repository(tmp_path: Path) -> None:
    os.symlink("nowhere", tmp_path / "gpt2")

    assert parse_ref("gpt2").scheme == "local"
