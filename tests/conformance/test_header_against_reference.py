"""The header reader's verdict is that of the reference implementation, safetensors 0.8.0, on every input.

Three differences are declared: a dtype that is not in the table is a defect that does not reject the file; a
name that comes twice, and white space before the brace, are told, where the reference says nothing.
"""

import string
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open

import ckptinspect.careful
import ckptinspect.distinct
import ckptinspect.layout
import ckptinspect.plain
import ckptinspect.reader
from ckptinspect.careful import CarefulHeader
from ckptinspect.dtypes import DTYPES
from ckptinspect.errors import HeaderError
from ckptinspect.header import header_length, parse_header, tensors_in
from ckptinspect.model import Header
from ckptinspect.plain import NOT_PLAIN, PlainHeader
from fixtures.build import WRITTEN_DTYPES, Recipe, Valid, hostile, valid, written
from tests.conformance.odd_headers import odd_header

deserialize: Callable[[bytes], list[tuple[str, dict[str, object]]]] = safetensors.deserialize
RECIPES = [recipe for recipe in hostile() if not recipe.large]
quick = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def parsed(file: bytes) -> Header:
    length = header_length(file[:64], len(file))
    return parse_header(file[8 : 8 + length], len(file))


def answer(file: bytes) -> Header | str:
    """The header of a file, or the sentence with which it is refused. Anything but a HeaderError escapes."""
    try:
        return parsed(file)
    except HeaderError as error:
        return str(error)


def read(file: bytes) -> Header | None:
    """The header of a file that is accepted; None for one that is not."""
    header = answer(file)
    if isinstance(header, str):
        assert header.isprintable()
        return None
    return None if any(defect.fatal for defect in header.defects) else header


def reference_reads(file: bytes) -> bool:
    try:
        deserialize(file)
    except SafetensorError:
        return False
    return True


def same_verdict(file: bytes) -> bool:
    """Whether both say the same of a file, but for dtypes that are not in the table."""
    header = read(file)
    if header is not None and any(defect.kind == "unknown-dtype" for defect in header.defects):
        return not reference_reads(file)
    return (header is not None) == reference_reads(file)


def facts(file: bytes) -> dict[str, dict[str, object]]:
    """What the reference reads: dtype, shape and bytes of every tensor."""
    return dict(deserialize(file))


def facts_of(header: Header, file: bytes) -> dict[str, dict[str, object]]:
    data = file[header.nbytes :]
    return {
        tensor.name: {
            "dtype": tensor.dtype.code,
            "shape": list(tensor.shape),
            "data": bytearray(data[tensor.begin : tensor.end]),
        }
        for tensor in header.tensors
    }


@pytest.fixture(params=[None, (48, 7), (32, 1)], ids=["large-windows", "small-windows", "least-windows"])
def windows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers read in one go, and the same in windows so small that hardly a value fits one."""
    if request.param is not None:
        window, stretch = request.param
        monkeypatch.setattr(ckptinspect.reader, "_WINDOW", window)
        monkeypatch.setattr(ckptinspect.reader, "_STRETCH", stretch)
        monkeypatch.setattr(ckptinspect.plain, "PAGE", window)
        monkeypatch.setattr(ckptinspect.careful, "_PAGE", stretch)
        monkeypatch.setattr(ckptinspect.distinct, "_PART", 2)
        monkeypatch.setattr(ckptinspect.layout, "_MANY", 0)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_hostile_file_gets_its_verdict_in_its_own_words(recipe: Recipe) -> None:
    header = answer(recipe.written())

    if isinstance(header, str):
        assert header == recipe.error
    else:
        assert recipe.error is None
        assert tuple(defect.message for defect in header.defects if defect.fatal) == recipe.fatal
        assert sorted({defect.kind for defect in header.defects if not defect.fatal}) == sorted(recipe.notices)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_hostile_file_gets_the_verdict_of_the_reference(recipe: Recipe, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    recipe.grow(path)
    try:
        with safe_open(path, framework="np"):
            opens = True
    except SafetensorError:
        opens = False

    assert path.read_bytes() == recipe.written()
    assert opens == reference_reads(recipe.written()) == (recipe.accepted and not recipe.differs)


@pytest.mark.parametrize("good", list(valid()), ids=lambda good: good.name)
def test_every_valid_file_is_read_as_it_was_written(good: Valid) -> None:
    file = good.written()
    header = parsed(file)

    assert header.defects == ()
    assert dict(header.metadata) == dict(good.metadata or {})
    assert {tensor.name: (tensor.dtype.code, tensor.shape) for tensor in header.tensors} == good.tensors
    assert facts_of(header, file) == facts(file)


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["w", "model.layers.0.w", "a\nb", "-0", "\\", '"', "__metadata", "é😀", "\0"]
)
shapes = st.lists(st.integers(0, 5), max_size=4)
tensors = st.dictionaries(
    names.filter(lambda name: name != "__metadata__"),
    st.tuples(st.sampled_from(WRITTEN_DTYPES), shapes).map(
        # The reference writer packs F4 in pairs.
        lambda tensor: (tensor[0], (*tensor[1], 2) if tensor[0] == "F4" else tuple(tensor[1]))
    ),
    max_size=8,
)
metadata = st.none() | st.dictionaries(names, names, max_size=5)


@pytest.mark.usefixtures("windows")
@quick
@given(tensors=tensors, metadata=metadata)
def test_whatever_the_reference_writes_is_read_as_it_was_written(
    tensors: dict[str, tuple[str, tuple[int, ...]]], metadata: dict[str, str] | None
) -> None:
    assume(tensors or metadata != {})  # for these it writes what it does not read: {},"__metadata__":{}}
    file = written(tensors, metadata)
    header = parsed(file)

    assert header.defects == ()
    assert dict(header.metadata) == (metadata or {})
    assert {tensor.name: (tensor.dtype.code, tensor.shape) for tensor in header.tensors} == tensors
    assert facts_of(header, file) == facts(file)
    assert [tensor.begin for tensor in header.tensors] == sorted(tensor.begin for tensor in header.tensors)
    assert sum(kind.count * kind.nbytes for kind in header.kinds) == len(file) - header.nbytes
    assert sum(kind.count for kind in header.kinds) == len(tensors)


@pytest.mark.usefixtures("windows")
@settings(quick, max_examples=1500)
@given(seed=st.integers(0, 2**64))
def test_an_odd_header_gets_the_verdict_of_the_reference(seed: int) -> None:
    odd = odd_header(seed)

    assert same_verdict(odd.file), odd


@pytest.mark.slow
def test_100000_odd_headers_get_the_verdict_of_the_reference() -> None:
    wrong = [odd for odd in map(odd_header, range(100_000)) if not same_verdict(odd.file)]

    assert wrong == []


@pytest.mark.usefixtures("windows")
@settings(quick, max_examples=700)
@given(seed=st.integers(0, 2**64))
def test_what_both_accept_holds_the_same_tensors(seed: int) -> None:
    odd = odd_header(seed)
    header = read(odd.file)

    if header is not None and reference_reads(odd.file):
        assert facts_of(header, odd.file) == facts(odd.file), odd
        assert sum(kind.count * kind.nbytes for kind in header.kinds) == odd.room
        assert sum(kind.count * kind.elements for kind in header.kinds) == sum(t.elements for t in header.tensors)


@pytest.mark.usefixtures("windows")
@settings(quick, max_examples=1000)
@given(seed=st.integers(0, 2**64))
def test_the_plain_and_the_careful_reader_agree(
    seed: int,
) -> None:
    odd = odd_header(seed)
    try:
        plain = [entry for page in PlainHeader(odd.raw).pages() for entry in zip(*page, strict=True)]
    except NOT_PLAIN:
        return
    careful = CarefulHeader(odd.raw)

    assert [entry for page in careful.pages() for entry in zip(*page, strict=True)] == plain, odd
    assert careful.metadata == PlainHeader(odd.raw).metadata
    assert careful.defects == []


@quick
@given(file=st.binary(max_size=200))
@example(b"")
@example(b"\0" * 8)
@example(b"\x02\0\0\0\0\0\0\0{}")
def test_any_bytes_at_all_end_in_a_verdict(file: bytes) -> None:
    assert same_verdict(file)


alphabet = st.sampled_from(
    [*'{}[]:,"\\ \n-.019eu', '"dtype"', '"shape"', '"data_offsets"', '"__metadata__"', '"U8"', "null", "\\ud800", "é"]
)


@pytest.mark.usefixtures("windows")
@settings(quick, max_examples=300)
@given(raw=st.lists(alphabet, max_size=40).map("".join).map(str.encode))
def test_any_text_made_of_a_headers_pieces_ends_in_a_verdict(raw: bytes) -> None:
    assert same_verdict(len(raw).to_bytes(8, "little") + raw)


mantissas = st.text(string.digits, min_size=1, max_size=25)


@settings(quick, max_examples=1000)
@given(whole=mantissas, fraction=mantissas, power=st.integers(280, 320), zeros=st.integers(0, 25))
@example("1", "7976931348623157", 308, 0)
@example("1", "7976931348623158", 308, 0)
def test_a_number_is_out_of_range_where_it_is_for_the_reference(
    whole: str, fraction: str, power: int, zeros: int
) -> None:
    number = f"{whole.lstrip('0') or '0'}.{'0' * zeros}{fraction}e{power}"
    raw = f'{{"w":{{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":{number}}}}}'.encode()

    assert same_verdict(len(raw).to_bytes(8, "little") + raw)


def test_the_table_has_the_dtypes_of_the_reference() -> None:
    def entry(code: str) -> bytes:
        raw = f'{{"w":{{"dtype":"{code}","shape":[8],"data_offsets":[0,{DTYPES[code].bits}]}}}}'.encode()
        return len(raw).to_bytes(8, "little") + raw + bytes(DTYPES[code].bits or 0)

    assert [code for code in DTYPES if not reference_reads(entry(code))] == []
    with pytest.raises(SafetensorError, match="unknown variant `X`, expected one of") as raised:
        deserialize(b"\x38\0\0\0\0\0\0\0" + b'{"w":{"dtype":"X","shape":[0],"data_offsets":[0,0]}}'.ljust(56))
    listed = str(raised.value).partition("expected one of ")[2].partition(" at line")[0]
    assert listed.replace("`", "").split(", ") == list(DTYPES)


def test_tensors_can_be_had_again_from_the_bytes_of_any_accepted_header() -> None:
    for recipe in RECIPES:
        header = read(recipe.written())
        if header is not None and header.raw is not None:
            assert tensors_in(header.raw) == header.tensors
            assert len(header.tensors) == sum(kind.count for kind in header.kinds)
