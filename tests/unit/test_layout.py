from array import array
from itertools import permutations

import pytest

import ckptinspect.layout
from ckptinspect.layout import Chain, Span, flaws, product_of, size_defect
from ckptinspect.model import Shape


def told(*spans: Span, room: int) -> list[tuple[str, str, int | None]]:
    begins, ends = array("Q", [begin for begin, _ in spans]), array("Q", [end for _, end in spans])
    return [(flaw.kind, flaw.message, flaw.span) for flaw in flaws(begins, ends, room)]


@pytest.mark.parametrize(
    ("dtype", "shape", "nbytes"),
    [
        ("F32", (), 4),
        ("F32", (2, 2), 16),
        ("F32", (0,), 0),
        ("F4", (2,), 1),
        ("F4", (3, 2), 3),
        ("F6_E2M3", (4,), 3),
        ("BOOL", (3,), 3),
        ("C64", (2,), 16),
        ("U8", (2**64 - 1, 0), 0),
        ("U8", (2**61 - 1,), 2**61 - 1),
    ],
)
def test_a_size_that_follows_from_the_shape_is_no_defect(dtype: str, shape: Shape, nbytes: int) -> None:
    assert size_defect(dtype, shape, nbytes) is None


@pytest.mark.parametrize(
    ("dtype", "shape", "nbytes", "kind", "message"),
    [
        ("F32", (2, 2), 12, "size-mismatch", "F32[2, 2] takes 16 bytes, but its offsets span 12"),
        ("U8", (1,), 2, "size-mismatch", "U8[1] takes 1 byte, but its offsets span 2"),
        ("F32", (), 0, "size-mismatch", "F32[] takes 4 bytes, but its offsets span 0"),
        ("F4", (1,), 1, "sub-byte", "F4[1] takes 4 bits, which is no whole number of bytes"),
        ("F6_E3M2", (2,), 2, "sub-byte", "F6_E3M2[2] takes 12 bits, which is no whole number of bytes"),
        ("U8", (2**32, 2**32), 0, "overflow", "U8[4294967296, 4294967296] has more elements than 64 bits can count"),
        ("U8", (2**63, 2, 0), 0, "overflow", "U8[9223372036854775808, 2, 0] has more elements than 64 bits can count"),
        ("F64", (2**61,), 0, "overflow", "F64[2305843009213693952] has more bits than 64 bits can count"),
        ("F32", (1,), -4, "reversed-offsets", "its offsets end 4 bytes before they begin"),
        ("U8", (2,) * 9, 1, "size-mismatch", "U8[2, 2, 2, 2, 2, 2, 2, 2, …] takes 512 bytes, but its offsets span 1"),
    ],
)
def test_a_size_that_does_not_is_fatal(dtype: str, shape: Shape, nbytes: int, kind: str, message: str) -> None:
    defect = size_defect(dtype, shape, nbytes)

    assert defect is not None
    assert (defect.kind, defect.message, defect.fatal) == (kind, message, True)


def test_an_unknown_dtype_is_told_and_not_fatal() -> None:
    defect = size_defect("\x1b[31mU3", (8,), 3)

    assert defect is not None
    assert defect.message == "the dtype '\\x1b[31mU3' is not in the format's table"
    assert (defect.kind, defect.fatal) == ("unknown-dtype", False)


def test_a_hostile_dtype_is_harmless_in_every_message() -> None:
    defect = size_defect("\x1b[2J" + "x" * 1000, (2**64, 2), 3)

    assert defect is not None
    assert defect.message == "\\x1b[2Jxxxxx…xxxxxxxxx[18446744073709551616, 2] has more elements than 64 bits can count"


@pytest.mark.parametrize(
    ("shape", "product"),
    [((), 1), ((2, 3), 6), ((2**64 - 1,), 2**64 - 1), ((2**64,), None), ((0, 2**63, 2), 0), ((2**63, 2, 0), None)],
)
def test_elements_are_multiplied_from_left_to_right_in_64_bits(shape: Shape, product: int | None) -> None:
    assert product_of(shape) == product


@pytest.mark.parametrize("many", [1 << 17, 0], ids=["few", "many"])
def test_what_tiles_its_file_has_no_flaw_in_any_order(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ckptinspect.layout, "_MANY", many)

    assert told(room=0) == []
    for spans in permutations([(0, 4), (4, 4), (4, 9), (0, 0), (9, 9)]):
        assert told(*spans, room=9) == []


@pytest.mark.parametrize("many", [1 << 17, 0], ids=["few", "many"])
@pytest.mark.parametrize(
    ("spans", "room", "told_of"),
    [
        ([(1, 2)], 2, [("hole", "begins at 1, but no tensor holds the bytes from 0 on", 0)]),
        ([(4, 6), (0, 3)], 6, [("hole", "begins at 4, but no tensor holds the bytes from 3 on", 0)]),
        ([(0, 4), (3, 6)], 6, [("overlap", "begins at 3, inside the tensor that ends at 4", 1)]),
        ([(0, 4), (0, 4)], 4, [("overlap", "begins at 0, inside the tensor that ends at 4", 1)]),
        ([(0, 4), (2, 2)], 4, [("overlap", "begins at 2, inside the tensor that ends at 4", 1)]),
        ([(0, 9), (2, 4), (9, 10)], 10, [("overlap", "begins at 2, inside the tensor that ends at 9", 1)]),
        ([(0, 4)], 3, [("truncated", "the tensors need 4 bytes of data, but the file has 3", None)]),
        ([(0, 4)], 5, [("trailing-bytes", "no tensor holds the last 1 byte of the file", None)]),
        ([], 8, [("trailing-bytes", "no tensor holds the last 8 bytes of the file", None)]),
        (
            [(0, 2**64 - 1)],
            1,
            [("truncated", "the tensors need 18446744073709551615 bytes of data, but the file has 1", None)],
        ),
    ],
)
def test_what_does_not_tile_its_file_is_told_of_its_tensor(
    spans: list[Span],
    room: int,
    told_of: list[tuple[str, str, int | None]],
    many: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ckptinspect.layout, "_MANY", many)

    assert told(*spans, room=room) == told_of


def test_a_flaw_becomes_the_defect_of_a_tensor_or_of_the_file() -> None:
    hole, end = flaws(array("Q", [1]), array("Q", [2]), 3)

    assert hole.named("a\nb").message == "'a\\nb' begins at 1, but no tensor holds the bytes from 0 on"
    assert (hole.named("a\nb").tensor, hole.named("a\nb").fatal) == ("a\nb", True)
    assert (end.named(None).message, end.named(None).tensor) == ("no tensor holds the last 1 byte of the file", None)


def test_a_chain_knows_what_follows_in_order_and_nothing_else() -> None:
    chain = Chain()

    assert chain.covers(0)
    chain.add([(0, 4), (4, 4)])
    chain.add([(4, 9)])
    assert chain.covers(9)
    assert not chain.covers(10)
    chain.add([(10, 12)])
    assert not chain.covers(12)
    chain.add([(9, 10)])
    assert not chain.covers(10)
