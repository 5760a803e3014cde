"""The command line against a Hub on loopback: what other tools get wrong on good repositories, and every fault."""

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.command import Ran, ckptinspect
from tests.folders import Shapes, header_json, write_json, write_safetensors, write_sharded
from tests.hub_server import TestHub

NORM: Shapes = {"model.norm.weight": ("BF16", (64,))}
HEAD: Shapes = {"lm_head.weight": ("BF16", (100, 64))}
SHARDED = {"model-00001-of-00002.safetensors": NORM, "model-00002-of-00002.safetensors": HEAD}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[TestHub]:
    """A Hub with one sharded repository, ``org/name``."""
    write_sharded(tmp_path / "repo", SHARDED)
    write_json(tmp_path / "repo" / "config.json", {"model_type": "llama", "tie_word_embeddings": False})
    with TestHub({"org/name": tmp_path / "repo"}) as hub:
        yield hub


def ask(hub: TestHub, tmp_path: Path, *arguments: str, **environment: str) -> Ran:
    return ckptinspect(*arguments, environment=hub.environment(tmp_path / "home") | environment)


def served_alone(tmp_path: Path) -> Path:
    folder = tmp_path / "other"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(("way", "via"), [("auto", "endpoint"), ("endpoint", "endpoint"), ("ranges", "ranges")])
def test_a_sharded_repository_either_way(hub: TestHub, tmp_path: Path, way: str, via: str) -> None:
    ran = ask(hub, tmp_path, "org/name", "--via", way, "-f", "json")

    assert (ran.code, ran.err) == (0, "")
    assert ran.data["totals"]["parameters"] == 6464
    assert (ran.data["via"], ran.data["ref"]["commit"]) == (via, hub.repos["org/name"].commit)


def test_both_ways_give_the_same_figures(hub: TestHub, tmp_path: Path) -> None:
    one, other = (ask(hub, tmp_path, "org/name", "--via", way, "-f", "json").data for way in ("endpoint", "ranges"))

    for field in ("files", "totals", "modules", "dtypes", "decomposition", "notes"):
        assert one[field] == other[field]


def test_a_page_lists_every_tensor_unless_the_one_request_way_was_asked_for(hub: TestHub, tmp_path: Path) -> None:
    ranges = ask(hub, tmp_path, "org/name", "-f", "html")
    endpoint = ask(hub, tmp_path, "org/name", "--via", "endpoint", "-f", "html")

    assert (ranges.code, endpoint.code) == (0, 0)
    assert "via ranges" in ranges.out
    assert "via endpoint" in endpoint.out
    assert '<section class="inside">' in ranges.out
    assert '<section class="inside">' not in endpoint.out


def test_the_one_request_way_takes_fewer_than_five(hub: TestHub, tmp_path: Path) -> None:
    assert ask(hub, tmp_path, "org/name", "--via", "endpoint", "-f", "json").data["requests"] == 4
    assert len(hub.requests) == 4


@pytest.mark.parametrize("way", ["endpoint", "ranges"])
def test_the_file_of_modelopt_is_read_where_it_is_listed_at_the_cost_of_one_small_file(
    hub: TestHub, tmp_path: Path, way: str
) -> None:
    before = ask(hub, tmp_path, "org/name", "--via", way, "-f", "json").data["requests"]
    write_json(tmp_path / "repo" / "hf_quant_config.json", {"quantization": {"quant_algo": "NVFP4"}})
    with TestHub({"org/name": tmp_path / "repo"}) as other:
        ran = ask(other, tmp_path, "org/name", "--via", way, "-f", "json")

    # Like config.json: where it is, and its bytes.
    assert ran.data["requests"] == before + 2
    assert [note["message"] for note in ran.data["notes"]] == [
        (
            "hf_quant_config.json says that the weights are quantized ('modelopt'), and no tensor shows it: "
            "they are counted as they are stored"
        )
    ]


def test_a_pinned_revision_is_read_by_ranges(hub: TestHub, tmp_path: Path) -> None:
    commit = hub.repos["org/name"].commit

    assert ask(hub, tmp_path, f"org/name@{commit}", "-f", "json").data["via"] == "ranges"


@pytest.mark.parametrize("fault", ["404", "500", "html", "truncate"])
def test_where_the_endpoint_fails_the_ranges_answer(hub: TestHub, tmp_path: Path, fault: str) -> None:
    hub.inject(fault, "/safetensors-metadata/", times=9)

    ran = ask(hub, tmp_path, "org/name", "-f", "json")

    assert (ran.code, ran.data["via"], ran.data["totals"]["parameters"]) == (0, "ranges", 6464)


def test_where_the_endpoint_lies_the_ranges_answer(
    hub: TestHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lie = {"index": {}, "headers": {name: json.loads(header_json(HEAD)) for name in SHARDED}}
    monkeypatch.setattr(hub.repos["org/name"], "headers_of", lambda _: json.dumps(lie).encode())

    ran = ask(hub, tmp_path, "org/name", "-f", "json")

    assert (ran.data["via"], ran.data["totals"]["parameters"]) == ("ranges", 6464)


@pytest.mark.parametrize(
    ("fault", "path", "port"),
    [
        ("429", "", "hub"),
        ("500", "", "hub"),
        ("503", "model-00002", "hub"),
        ("503", "model-00002", "cdn"),
        ("reset", "model-00001", "cdn"),
        ("reset-mid-body", "model-00001", "cdn"),
        ("truncate", "model-00001", "cdn"),
        ("expired", "model-00001", "cdn"),
        ("wrong-offset", "model-00001", "cdn"),
        ("wrong-content-range", "model-00001", "cdn"),
        ("other-commit", "model-00001", "hub"),
        ("ignore-range", "model-00001", "cdn"),
        ("503", "config.json", "hub"),
    ],
)
def test_a_passing_fault_ends_in_the_right_answer(
    hub: TestHub, tmp_path: Path, fault: str, path: str, port: str
) -> None:
    hub.inject(fault, path, port=port)

    ran = ask(hub, tmp_path, "org/name", "--via", "ranges", "-f", "json")

    assert (ran.code, ran.err) == (0, "")
    assert ran.data["totals"]["parameters"] == 6464


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", ["429", "500", "503", "reset", "reset-mid-body", "truncate", "wrong-content-range", "other-commit"]
)
def test_a_lasting_fault_on_one_shard_is_one_failed_row(hub: TestHub, tmp_path: Path, fault: str) -> None:
    hub.inject(fault, "model-00002", times=100)

    ran = ask(hub, tmp_path, "org/name", "--via", "ranges", "-f", "json")

    assert ran.code == 5
    assert ran.err.startswith("error: model-00002-of-00002.safetensors: ")
    assert ran.err.count("\n") == 1
    assert ran.data["totals"]["parameters"] == 64


@pytest.mark.parametrize("page", ["org/private", "org/misspelt"])
def test_private_and_misspelt_repositories_say_both(hub: TestHub, tmp_path: Path, page: str) -> None:
    hub.private.add("org/private")

    ran = ask(hub, tmp_path, page)

    assert ran.code == 3
    assert ran.out == ""
    assert ran.err.count("\n") == 1
    assert "private" in ran.err
    assert page in ran.err


def test_a_gated_repository_says_where_its_conditions_are(hub: TestHub, tmp_path: Path) -> None:
    hub.gated.add("org/name")

    ran = ask(hub, tmp_path, "org/name", "--via", "ranges")

    assert ran.code == 3
    assert f"{hub.endpoint}/org/name" in ran.err


def test_the_token_opens_a_private_repository_and_never_reaches_the_cdn(hub: TestHub, tmp_path: Path) -> None:
    hub.private.add("org/name")

    ran = ask(hub, tmp_path, "org/name", "--via", "ranges", "-f", "json", HF_TOKEN=hub.token)

    assert ran.data["totals"]["parameters"] == 6464
    assert {request.token for request in hub.requests if request.port == "hub"} == {f"Bearer {hub.token}"}
    assert {request.token for request in hub.requests if request.port == "cdn"} == {None}


def test_thousands_of_files_before_the_model_do_not_hide_it(tmp_path: Path) -> None:
    folder = served_alone(tmp_path)
    for number in range(3000):
        (folder / f"a{number:05}.txt").touch()
    write_safetensors(folder / "model.safetensors", NORM)
    with TestHub({"org/many": folder}) as hub:
        assert ask(hub, tmp_path, "org/many", "-f", "json").data["totals"]["parameters"] == 64


@pytest.mark.parametrize(
    "length", [99_992, 99_994, 99_995, 99_996, 99_997, 99_998, 99_999, 100_000, 131_064, 131_065, 131_072]
)
def test_a_header_of_any_length_around_the_first_read(tmp_path: Path, length: int) -> None:
    folder = served_alone(tmp_path)
    raw = header_json(NORM).rstrip().ljust(length)
    (folder / "model.safetensors").write_bytes(length.to_bytes(8, "little") + raw + bytes(128))
    with TestHub({"org/long": folder}) as hub:
        data = ask(hub, tmp_path, "org/long", "-f", "json").data

    assert data["totals"]["parameters"] == 64
    assert data["files"][0]["header_bytes"] == length + 8


def test_adapters_pipelines_and_shards_without_an_index(tmp_path: Path) -> None:
    lora, pipeline, shards = (tmp_path / name for name in ("lora", "pipeline", "shards"))
    write_safetensors(lora / "adapter_model.safetensors", {"base_model.model.q_proj.lora_A.weight": ("F32", (8, 64))})
    write_json(lora / "adapter_config.json", {"r": 8})
    write_json(pipeline / "model_index.json", {"unet": ["diffusers", "UNet2DConditionModel"]})
    write_safetensors(pipeline / "unet" / "diffusion_pytorch_model.safetensors", {"conv_in.bias": ("F16", (7,))})
    for name, tensors in SHARDED.items():
        write_safetensors(shards / name, tensors)
    with TestHub({"org/lora": lora, "org/pipeline": pipeline, "org/shards": shards}) as hub:
        answers = {page: ask(hub, tmp_path, page, "-f", "json").data for page in hub.repos}

    assert {page: (data["layout"], data["totals"]["parameters"]) for page, data in answers.items()} == {
        "org/lora": ("adapter", 512),
        "org/pipeline": ("pipeline", 7),
        "org/shards": ("sharded", 6464),
    }


def test_one_part_ids_and_renamed_repositories(hub: TestHub, tmp_path: Path) -> None:
    hub.renamed |= {"name": "org/name", "old/name": "org/name"}

    for page in ("name", "old/name"):
        assert ask(hub, tmp_path, page, "-f", "json").data["totals"]["parameters"] == 6464


@pytest.mark.parametrize("kind", ["datasets", "spaces"])
def test_datasets_and_spaces_by_their_urls(tmp_path: Path, kind: str) -> None:
    folder = served_alone(tmp_path)
    write_safetensors(folder / "weights" / "x.safetensors", NORM)
    with TestHub({f"{kind}/org/data": folder}) as hub:
        for ref in (
            f"{hub.endpoint}/{kind}/org/data",
            f"{hub.endpoint}/{kind}/org/data/blob/main/weights/x.safetensors",
        ):
            assert ask(hub, tmp_path, ref, "-f", "json").data["totals"]["parameters"] == 64


def test_a_file_or_folder_inside_a_repository(tmp_path: Path) -> None:
    folder = served_alone(tmp_path)
    write_safetensors(folder / "a" / "model.safetensors", NORM)
    write_safetensors(folder / "b" / "model.safetensors", HEAD)
    with TestHub({"org/two": folder}) as hub:
        assert ask(hub, tmp_path, "hf://org/two/b", "-f", "json").data["totals"]["parameters"] == 6400
        assert ask(hub, tmp_path, "hf://org/two/a/model.safetensors", "-f", "json").data["totals"]["parameters"] == 64
        ran = ask(hub, tmp_path, "org/two")

    assert ran.code == 3
    assert ran.err == "error: org/two: there are safetensors files only in several folders below; name one of a, b\n"


def test_a_server_that_ignores_ranges_costs_at_most_a_megabyte(tmp_path: Path) -> None:
    folder = served_alone(tmp_path)
    file = write_safetensors(folder / "model.safetensors", {"w": ("F32", (50_000_000,))})
    assert file.stat().st_size > 200_000_000
    with TestHub({"org/big": folder}) as hub:
        hub.inject("ignore-range", "model.safetensors", times=100, port="cdn")
        data = ask(hub, tmp_path, "org/big", "-f", "json").data

    assert data["totals"]["parameters"] == 50_000_000
    assert data["bytes_read"] <= 1_000_000 + 10_000


def cached(tmp_path: Path, commit: str) -> Path:
    """A Hub cache as huggingface_hub lays it out: snapshots are links into blobs."""
    repository = tmp_path / "home" / "hub" / "models--org--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "blobs").mkdir()
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    write_sharded(tmp_path / "files", SHARDED)
    for number, file in enumerate(sorted((tmp_path / "files").iterdir())):
        blob = repository / "blobs" / f"{number:064}"
        blob.write_bytes(file.read_bytes())
        os.symlink(f"../../blobs/{blob.name}", snapshot / file.name)
    return repository


@pytest.mark.parametrize("offline", ["flag", "environment"])
def test_offline_reads_the_cache_and_asks_nobody(hub: TestHub, tmp_path: Path, offline: str) -> None:
    cached(tmp_path, "c" * 40)
    arguments = ["--offline"] if offline == "flag" else []

    ran = ask(hub, tmp_path, "org/name", *arguments, "-f", "json", HF_HUB_OFFLINE="0" if arguments else "1")

    assert (ran.data["via"], ran.data["totals"]["parameters"]) == ("cache", 6464)
    assert ran.data["ref"]["commit"] == "c" * 40
    assert hub.requests == []


def test_offline_without_the_cache_says_so(hub: TestHub, tmp_path: Path) -> None:
    ran = ask(hub, tmp_path, "org/name", "--offline")

    assert (ran.code, ran.err) == (
        3,
        "error: org/name: offline, and the local Hub cache does not hold it; go online, or fetch it first\n",
    )


def test_a_folder_of_the_cache_is_read_through_its_links(tmp_path: Path) -> None:
    repository = cached(tmp_path, "c" * 40)

    assert ckptinspect(repository, "-f", "json").data["totals"]["parameters"] == 6464


def test_a_cached_shard_is_used_instead_of_the_network(hub: TestHub, tmp_path: Path) -> None:
    cached(tmp_path, hub.repos["org/name"].commit)

    data = ask(hub, tmp_path, "org/name", "--via", "ranges", "-f", "json").data

    assert data["totals"]["parameters"] == 6464
    assert not [request.path for request in hub.requests if "safetensors" in request.path]


def test_a_snapshot_of_a_repository_names_its_commit(hub: TestHub, tmp_path: Path) -> None:
    snapshot = tmp_path / "name.snap"
    assert ask(hub, tmp_path, "snapshot", "org/name", "-o", str(snapshot)).code == 0

    data = ckptinspect(snapshot, "-f", "json").data

    assert data["ref"]["location"] == "org/name"
    assert data["ref"]["commit"] == hub.repos["org/name"].commit
    assert data["totals"]["parameters"] == 6464


def test_plain_https_urls_are_read_by_ranges(hub: TestHub, tmp_path: Path) -> None:
    url = f"{hub.cdn}/files/org/name"

    for ref in (f"{url}/model-00002-of-00002.safetensors", f"{url}/model.safetensors.index.json"):
        data = ask(hub, tmp_path, ref, "-f", "json").data
        assert data["totals"]["parameters"] in {6400, 6464}


def test_a_signature_in_a_url_is_in_no_answer_no_snapshot_and_no_error(hub: TestHub, tmp_path: Path) -> None:
    secret, snapshot = "X-Amz-Signature=SECRET", tmp_path / "x.snap"
    url = f"{hub.cdn}/files/org/name/model-00002-of-00002.safetensors?{secret}"

    shown = ask(hub, tmp_path, url, "-f", "json")
    kept = ask(hub, tmp_path, "snapshot", url, "-o", str(snapshot))
    failed = ask(hub, tmp_path, f"{hub.cdn}/files/org/name/absent.safetensors?{secret}")

    assert shown.data["totals"]["parameters"] == 6400
    assert (kept.code, failed.code) == (0, 3)
    assert "SECRET" not in shown.out + shown.err + kept.out + kept.err + failed.out + failed.err
    assert b"SECRET" not in zipfile.ZipFile(snapshot).read("ckptinspect.json")
