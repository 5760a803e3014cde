import json

import pytest

import ckptinspect.kinds
from ckptinspect.dtypes import DTYPES
from ckptinspect.errors import HeaderError
from ckptinspect.header import MAX_LENGTH, header_length, parse_header, tensors_in
from ckptinspect.model import Defect, Header, Kind, Tensor
from ckptinspect.plain import NOT_PLAIN, PAGE, PlainHeader
from fixtures.build import many_tensors

TWO = b'{"__metadata__":{"format":"pt"},"a.0":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"a.1":{"dtype":"F32","shape":[2,3],"data_offsets":[24,48]}}'
DAMAGED = "it is damaged or no safetensors file; fetch it again"


def header(raw: bytes, room: int, *, names: bool = True) -> Header:
    return parse_header(raw, 8 + len(raw) + room, names=names)


def is_plain(raw: bytes) -> bool:
    try:
        return list(PlainHeader(raw).pages()) != []
    except NOT_PLAIN:
        return False


def test_a_header_is_its_kinds_and_its_metadata() -> None:
    assert header(TWO, 48, names=False) == Header(
        length=len(TWO),
        kinds=(Kind("a.", DTYPES["F32"], (2, 3), 24, 2, "a.0"),),
        metadata={"format": "pt"},
    )


def test_the_single_tensors_are_there_where_names_were_asked_for() -> None:
    assert header(TWO, 48).tensors == (
        Tensor("a.0", DTYPES["F32"], (2, 3), 0, 24),
        Tensor("a.1", DTYPES["F32"], (2, 3), 24, 48),
    )
    with pytest.raises(ValueError, match="open the checkpoint with names=True"):
        _ = header(TWO, 48, names=False).tensors


def test_a_header_with_its_length_takes_8_bytes_more() -> None:
    assert header(b"{}", 0).nbytes == 10


@pytest.mark.parametrize(
    ("length", "size"), [(0, 8), (2, 10), (2, 999), (MAX_LENGTH, MAX_LENGTH + 8), (40_056, 50_000)]
)
def test_a_length_that_fits_its_file_is_taken(length: int, size: int) -> None:
    assert header_length(length.to_bytes(8, "little") + b"{}", size) == length


@pytest.mark.parametrize(
    ("first", "size", "sentence"),
    [
        (b"", 0, "the file is empty; fetch it again"),
        (b"\xff", 1, f"a safetensors header takes at least 8 bytes, but the file has 1; {DAMAGED}"),
        (b"\x02" + bytes(7), 9, f"the header claims 2 bytes, but only 1 follow in the file; {DAMAGED}"),
        (
            (MAX_LENGTH + 1).to_bytes(8, "little"),
            2 * MAX_LENGTH,
            f"the header claims 100000001 bytes, over the format's limit of 100000000; {DAMAGED}",
        ),
        (
            b"\xff" * 8,
            8,
            f"the header claims 18446744073709551615 bytes, over the format's limit of 100000000; {DAMAGED}",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1",
            135,
            "a Git LFS pointer stands here, not the weights; fetch them with `git lfs pull`",
        ),
        (
            b"<!doctype html>",
            500,
            "this is a web page, not weights; a server's answer was saved in place of the file; fetch it again",
        ),
        (b"\x1f\x8b\x08\0\0\0\0\0\x02\x03", 100, "this is gzip data; unpack it first"),
    ],
)
def test_a_length_that_does_not_fit_is_refused_before_anything_is_read(first: bytes, size: int, sentence: str) -> None:
    with pytest.raises(HeaderError) as raised:
        header_length(first, size)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b"{ }\n\t ",
        TWO,
        b'{"__metadata__":null}',
        b'{"__metadata__":{}}  ',
        b'{ "__metadata__" : { "a" : "b" } , "w" : {"dtype":"U8","shape":[],"data_offsets":[0,1]} }',
        b'{"__metadata__":{"names":"[\\"w\\"]"},"w":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}',
        b'{"__metadata__":{"a":"}{"},"w":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}',
        b'{"model-01":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}',
        b'{"w":{"data_offsets":[0,1],"dtype":"U8","shape":[]}}',
        '{"é😀":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}'.encode(),
    ],
)
def test_what_writers_write_is_read_the_fast_way(raw: bytes) -> None:
    assert is_plain(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b" {}",
        b"{}x",
        b'{"__metadata__":{},}',
        b'{"__metadata__":{\v}}',
        b'{\v"__metadata__":{}}',
        b'{"w":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"__metadata__":{"a":"b"}}',
        b'{"w":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}',
        b'{"w":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}}',
        b'{"w":{"dtype":"U8","shape":[-0],"data_offsets":[0,1]}}',
        b'{"w":{"dtype":"U8","shape":[1],"data_offsets":[-0,1]}}',
        b'{"w":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}',
        b'{"w":{"dtype":"U8","shape":[0,18446744073709551616],"data_offsets":[0,0]}}',
        b'{"w":{"dtype":"U8","shape":[],"data_offsets":[0,1],"x":0}}',
        b'{"\\u0077":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}',
        b'{"__metadata__":{"a":' + b"[" * 70_000 + b"}}",
    ],
)
def test_what_hardly_anybody_writes_is_left_to_the_careful_reader(raw: bytes) -> None:
    assert not is_plain(raw)


@pytest.mark.parametrize(
    "raw", [b'{"__metadata__":{},}', b'{"__metadata__":{}\v}', b'{"__metadata__":{"a":"\\ud800"}}']
)
def test_metadata_does_not_get_by_what_is_not_json(raw: bytes) -> None:
    with pytest.raises(HeaderError):
        header(raw, 0)


def test_a_header_of_many_pages_is_one_header() -> None:
    raw = many_tensors(30_000)
    assert len(raw) > 8 * PAGE

    read = header(raw, 0)

    assert read.kinds == (
        Kind("model.layers..mlp.experts..w", DTYPES["BF16"], (0, 16), 0, 30_000, "model.layers.0.mlp.experts.0.w1"),
    )
    assert len(read.tensors) == 30_000
    assert read.tensors[-1].name == "model.layers.29.mlp.experts.999.w1"
    assert read.defects == ()


def test_a_name_that_comes_again_on_another_page_is_found() -> None:
    last = b'"model.layers.0.mlp.experts.7.w1":{"dtype":"BF16","shape":[0,16],"data_offsets":[0,0]}}'
    raw = many_tensors(30_000)[:-1] + b"," + last

    assert is_plain(raw)
    read = header(raw, 0)
    assert read.defects == (
        Defect(
            "duplicate-name",
            "'model.layers.0.mlp.experts.7.w1' appears more than once; the last counts",
            "model.layers.0.mlp.experts.7.w1",
            fatal=False,
        ),
    )
    assert len(read.tensors) == sum(kind.count for kind in read.kinds) == 30_000


def test_kinds_without_end_are_counted_and_their_sums_are_exact() -> None:
    read = header(many_tensors(60_000, alike=False), 0, names=False)

    assert sum(kind.count for kind in read.kinds) == 60_000
    assert 15_000 < len(read.kinds) < 30_000
    assert [defect.kind for defect in read.defects] == ["too-many-kinds"]


def test_tensors_in_any_order_tile_the_file() -> None:
    entries = {f"w{i}": {"dtype": "U8", "shape": [3], "data_offsets": [3 * i, 3 * i + 3]} for i in (2, 0, 3, 1)}

    assert header(json.dumps(entries).encode(), 12).defects == ()


def test_what_is_fatal_comes_first_and_is_never_crowded_out() -> None:
    entries = [f'"w{i}":{{"dtype":"U{i + 100}","shape":[1],"data_offsets":[{i},{i + 1}]}}' for i in range(300)]
    raw = f"{{{','.join(entries)}}}".encode()

    told = header(raw, 301).defects
    assert len(told) == 100
    assert [(defect.kind, defect.fatal) for defect in told[:2]] == [("trailing-bytes", True), ("unknown-dtype", False)]


def test_doubles_do_not_crowd_out_what_is_fatal() -> None:
    raw = (
        b"{"
        + b'"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},' * 300
        + b'"v":{"dtype":"U8","shape":[1],"data_offsets":[5,6]}}'
    )

    told = header(raw, 6).defects
    assert [defect.message for defect in told if defect.fatal] == [
        "'v' begins at 5, but no tensor holds the bytes from 1 on"
    ]
    assert told[0].fatal


def test_every_tensor_of_the_wrong_size_is_named() -> None:
    entries = [f'"w{i}":{{"dtype":"U8","shape":[2],"data_offsets":[{i},{i + 1}]}}' for i in range(3)]

    assert [defect.message for defect in header(f"{{{','.join(entries)}}}".encode(), 3).defects] == [
        "'w0': U8[2] takes 2 bytes, but its offsets span 1",
        "'w1': U8[2] takes 2 bytes, but its offsets span 1",
        "'w2': U8[2] takes 2 bytes, but its offsets span 1",
    ]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "the file begins with zeros; it was never written whole; fetch it again"),
        (b" ", f"the header is empty; {DAMAGED}"),
        (b"[]", f"the header is an array, not an object; {DAMAGED}"),
        ("\ufeff{}".encode(), f"the header begins with a byte order mark; {DAMAGED}"),
        (b'{"w":', f"the header is not JSON at byte 5: it ends too early; {DAMAGED}"),
        (b'{"\x1b[31m\\u001b":1}', f"the header is not JSON at byte 2: a string is broken or does not end; {DAMAGED}"),
        (b'{"\\u001b[2J":1}', f"'\\x1b[2J': expected an object, got an integer; {DAMAGED}"),
        (b'{"w":{"shape":[0,true]}}', f"'w': 'dtype' is missing; {DAMAGED}"),
        (
            b'{"w":{"dtype":"F16","shape":[1,true],"data_offsets":[0,2]}}',
            f"'w'.shape[1]: expected a whole number, got true or false; {DAMAGED}",
        ),
        (
            b'{"w":{"dtype":"F16","shape":[1],"data_offsets":[0,-2]}}',
            f"'w'.data_offsets[1]: expected a whole number of 0 or more, got -2; {DAMAGED}",
        ),
        (b'{"__metadata__":{"a\\n":1}}', f"__metadata__['a\\n']: expected a string, got an integer; {DAMAGED}"),
    ],
)
def test_what_is_no_header_is_refused_in_one_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(HeaderError) as raised:
        header(raw, 0)
    assert str(raised.value) == sentence


def test_a_header_that_is_compressed_is_told_by_the_first_bytes_of_its_file() -> None:
    with pytest.raises(HeaderError) as raised:
        header(b"\x02\x03".ljust(559_903, b"\x7f"), 0)
    assert str(raised.value) == "this is gzip data; unpack it first"


def test_metadata_is_kept_up_to_a_limit() -> None:
    longest = {"a": "x" * 4_190_000}
    too_long = {f"k{i}": "x" * 4_190_000 for i in range(2)}
    too_many = {f"k{i}": "x" for i in range(100_001)}

    assert header(json.dumps({"__metadata__": longest}).encode(), 0).metadata == longest
    for metadata, count in ((too_long, 2), (too_many, 100_001)):
        read = header(json.dumps({"__metadata__": metadata}).encode(), 0)
        assert read.metadata == {}
        assert [(defect.kind, defect.message, defect.fatal) for defect in read.defects] == [
            ("metadata-too-large", f"the metadata has {count} entries, more or longer than are kept", False)
        ]


def test_a_name_of_megabytes_is_kept_short_and_told_apart() -> None:
    names = ["x" * 5_000_000 + end for end in "ab"]
    raw = json.dumps(
        {name: {"dtype": "U8", "shape": [], "data_offsets": [i, i + 1]} for i, name in enumerate(names)}
    ).encode()
    read = header(raw, 2)

    assert [defect.kind for defect in read.defects] == ["name-too-long", "name-too-long"]
    assert len({tensor.name for tensor in read.tensors}) == 2
    assert all(type(tensor.name) is str and len(tensor.name) < 200 for tensor in read.tensors)


def test_a_shape_of_too_many_dimensions_keeps_its_elements() -> None:
    raw = b'{"w":{"dtype":"U8","shape":[' + b"1," * 400_000 + b'3],"data_offsets":[0,3]}}'
    read = header(raw, 3)

    assert [tensor.shape for tensor in read.tensors] == [(3,)]
    assert [(defect.kind, defect.fatal) for defect in read.defects] == [("too-many-dimensions", False)]


def test_what_was_accepted_can_be_had_tensor_by_tensor_of_a_name_twice_the_last() -> None:
    raw = b'{"w":{"dtype":"U8","shape":[9],"data_offsets":[0,9]},"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'

    assert tensors_in(raw) == (Tensor("w", DTYPES["U8"], (1,), 0, 1),)


def test_the_memory_that_kinds_may_take_is_bounded() -> None:
    assert ckptinspect.kinds.MAX_BYTES <= 16_000_000
