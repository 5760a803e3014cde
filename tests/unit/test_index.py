import json

import pytest

from ckptinspect.errors import IndexMismatchError
from ckptinspect.index import parse_index, unsafe


def test_an_index_gives_the_file_of_every_tensor() -> None:
    index = parse_index(
        b'{"metadata": {"total_size": 12}, "weight_map": {"b": "2.safetensors", "a": "1.safetensors"}}', "i"
    )

    assert index.shards == ("1.safetensors", "2.safetensors")
    assert index.metadata == {"total_size": 12}


@pytest.mark.parametrize("metadata", ["null", "[]", "7", '"x"', "{}"])
def test_metadata_of_any_type_does_not_matter(metadata: str) -> None:
    assert parse_index(f'{{"metadata": {metadata}, "weight_map": {{}}}}'.encode(), "i").metadata == {}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../x.safetensors", "leads out of the folder"),
        ("a/../../x", "leads out of the folder"),
        ("./x", "leads out of the folder"),
        ("a//b", "leads out of the folder"),
        ("%2e%2e/x", "leads out of the folder"),
        ("%252e%252e/x", "leads out of the folder"),
        ("%" + "25" * 40 + "2e%2e/x", "leads out of the folder"),
        ("/etc/passwd", "is not relative to the folder"),
        ("//host/x", "is not relative to the folder"),
        ("https://host/x", "is not relative to the folder"),
        ("https:x", "is not relative to the folder"),
        ("C:\\x", "holds a backslash"),
        ("a%5Cb", "holds a backslash"),
        ("a\x1b[31m", "holds control characters"),
        ("a\0b", "holds control characters"),
        ("a%00b", "holds control characters"),
        ("a\u202eb", "holds control characters"),
        ("", "is empty"),
        ("x" * 1025, "is longer than 1024 characters"),
    ],
)
def test_a_shard_name_that_leaves_its_folder_is_refused(name: str, why: str) -> None:
    assert unsafe(name) == why
    with pytest.raises(IndexMismatchError, match="do not load this checkpoint"):
        parse_index(json.dumps({"weight_map": {"w": name}}).encode(), "i")


@pytest.mark.parametrize(
    "name", ["model-00001-of-00002.safetensors", "sub/model.safetensors", "a b.safetensors", "x..y"]
)
def test_an_honest_shard_name_is_not(name: str) -> None:
    assert unsafe(name) is None


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "i: the file is empty; fetch it again"),
        (b"[]", "i: this is no safetensors index: expected `object`, got `array`; fetch it again, or name the shards' folder without it"),
        (b"{}", "i: this is no safetensors index: object missing required field `weight_map`; fetch it again, or name the shards' folder without it"),
        (b'{"weight_map": {"a": 1}}', "i: this is no safetensors index: expected `str`, got `int` - at `$.weight_map[...]`; fetch it again, or name the shards' folder without it"),
    ],
)  # fmt: skip
def test_what_is_no_index_is_one_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(IndexMismatchError) as error:
        parse_index(raw, "i")

    assert str(error.value) == sentence


def test_bad_utf8_and_deep_nesting_are_errors_too() -> None:
    for raw in (b'{"weight_map": {"\xff": "a"}}', b'{"weight_map": {}, "x": ' + b"[" * 100_000):
        with pytest.raises(IndexMismatchError, match=r"this is no safetensors index: it (is not UTF-8|nests too deep)"):
            parse_index(raw, "i")


def test_too_many_shards_are_refused() -> None:
    weight_map = {str(number): f"{number}.safetensors" for number in range(10_001)}

    with pytest.raises(IndexMismatchError, match="names 10001 shards, over the limit of 10000"):
        parse_index(json.dumps({"weight_map": weight_map}).encode(), "i")


def test_half_a_million_entries_are_read() -> None:
    weight_map = {f"model.layers.{number}.weight": "model-00001-of-00001.safetensors" for number in range(500_000)}

    assert parse_index(json.dumps({"weight_map": weight_map}).encode(), "i").shards == (
        "model-00001-of-00001.safetensors",
    )
